#include "blocking.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <librdkafka/rdkafka.h>
#include <mutex>
#include <pthread.h>
#include <utility>

#include "sluice/base/completion.hpp"
#include "sluice/base/result.hpp"

namespace sluice::kafka {

struct Blocking::Thread {
  /// Held by the thread while it answers.
  std::mutex answering;
  boost::asio::thread_pool pool{1};
};

namespace {

/// Hands the work over once its caller is suspended.
template <class T>
struct HandOver {
  boost::asio::thread_pool* pool;
  std::mutex* answering;
  std::function<T()> work;

  void operator()(Completion<T> done) {
    auto job = [answering = answering, work = std::move(work), done = std::move(done)]() mutable {
      auto answer = work();
      std::lock_guard lock(*answering);
      done(std::move(answer));
    };
    boost::asio::post(*pool, std::move(job));
  }
};

}  // namespace

Blocking::Blocking(std::string name) : thread_(std::make_unique<Thread>()) {
  auto rename = [name = std::move(name)] { ::pthread_setname_np(::pthread_self(), name.c_str()); };
  boost::asio::post(thread_->pool, std::move(rename));
}

Blocking::~Blocking() { stop(); }

void Blocking::stop() { thread_->pool.join(); }

template <class T>
boost::asio::awaitable<T> Blocking::run(std::function<T()> work) {
  HandOver<T> hand_over{&thread_->pool, &thread_->answering, std::move(work)};
  auto answer = co_await suspend<T>(std::move(hand_over));
  // The thread has let go of the caller's executor, which may be destroyed next.
  std::lock_guard done(thread_->answering);
  co_return answer;
}

template boost::asio::awaitable<bool> Blocking::run(std::function<bool()>);
template boost::asio::awaitable<Result<void>> Blocking::run(std::function<Result<void>()>);
template boost::asio::awaitable<rd_kafka_resp_err_t> Blocking::run(
    std::function<rd_kafka_resp_err_t()>);

}  // namespace sluice::kafka
