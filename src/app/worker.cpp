#include "app/worker.hpp"

#include <exception>
#include <pthread.h>
#include <utility>

#include "sluice/base/log.hpp"

namespace sluice {
namespace {

void end_on_exception(std::exception_ptr failure) {
  if (!failure) return;
  log().critical("a background task failed: {}", what_of(failure));
  log().flush();
  // Without the task the process would seem healthy and sell nothing; a restart recovers all.
  std::terminate();
}

}  // namespace

Worker::Worker(std::string name)
    : name_(std::move(name)), guard_(boost::asio::make_work_guard(context_)) {}

void Worker::start() {
  thread_ = std::thread([this] {
    ::pthread_setname_np(::pthread_self(), name_.c_str());
    context_.run();
  });
}

void Worker::stop() {
  context_.stop();
  if (thread_.joinable()) thread_.join();
}

void Worker::spawn(boost::asio::awaitable<void> work) {
  boost::asio::co_spawn(context_, std::move(work), end_on_exception);
}

}  // namespace sluice
