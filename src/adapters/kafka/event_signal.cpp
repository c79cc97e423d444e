#include "event_signal.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <cstdint>
#include <sys/eventfd.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace sluice::kafka {
namespace {

namespace asio = boost::asio;

// What librdkafka writes: one more, as an eventfd counts.
constexpr std::uint64_t kOne = 1;

}  // namespace

EventSignal::EventSignal(rd_kafka_queue_t* queue)
    : queue_(queue), event_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (event_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
  rd_kafka_queue_io_event_enable(queue_, event_, &kOne, sizeof(kOne));
}

EventSignal::~EventSignal() {
  rd_kafka_queue_io_event_enable(queue_, -1, nullptr, 0);
  ::close(event_);
}

asio::awaitable<void> EventSignal::wait(Ticks until) {
  using namespace asio::experimental::awaitable_operators;
  constexpr auto quiet = asio::as_tuple(asio::use_awaitable);
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  // A copy, which the descriptor closes also when the coroutine is destroyed while it waits.
  asio::posix::stream_descriptor descriptor(executor, ::dup(event_));
  asio::steady_timer timer(executor, until);
  auto signalled = descriptor.async_wait(asio::posix::stream_descriptor::wait_read, quiet);
  auto late = timer.async_wait(quiet);
  auto either = std::move(signalled) || std::move(late);
  co_await std::move(either);
  std::uint64_t count = 0;
  // Not readable when it was the timer.
  [[maybe_unused]] const auto taken = ::read(event_, &count, sizeof(count));
}

}  // namespace sluice::kafka
