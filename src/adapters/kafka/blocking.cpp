#include "blocking.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <utility>

#include "sluice/base/completion.hpp"
#include "sluice/base/result.hpp"

namespace sluice::kafka {

struct Blocking::Thread {
  boost::asio::thread_pool pool{1};
};

namespace {

/// Hands the work over once its caller is suspended.
template <class T>
struct HandOver {
  boost::asio::thread_pool* pool;
  std::function<T()> work;

  void operator()(Completion<T> done) {
    auto job = [work = std::move(work), done = std::move(done)]() mutable {
      done(work());
    };
    boost::asio::post(*pool, std::move(job));
  }
};

}  // namespace

Blocking::Blocking(std::string name) : thread_(std::make_unique<Thread>()) {
  auto rename = [name = std::move(name)] {
    ::pthread_setname_np(::pthread_self(), name.c_str());
  };
  boost::asio::post(thread_->pool, std::move(rename));
}

Blocking::~Blocking() { stop(); }

void Blocking::stop() { thread_->pool.join(); }

template <class T>
boost::asio::awaitable<T> Blocking::run(std::function<T()> work) {
  HandOver<T> hand_over{&thread_->pool, std::move(work)};
  co_return co_await suspend<T>(std::move(hand_over));
}

template boost::asio::awaitable<bool> Blocking::run(std::function<bool()>);
template boost::asio::awaitable<Result<void>> Blocking::run(std::function<Result<void>()>);
template boost::asio::awaitable<rd_kafka_resp_err_t> Blocking::run(
    std::function<rd_kafka_resp_err_t()>);

}  // namespace sluice::kafka
