#pragma once

#include <boost/asio/awaitable.hpp>

#include "sluice/base/time.hpp"

#include "client.hpp"

namespace sluice::kafka {

/// Wakes a coroutine when an empty event queue of librdkafka gets its first event. It says nothing
/// of further events: after a wake-up, poll the queue until it is empty, and poll before waiting.
class EventSignal {
 public:
  /// `queue` outlives it. Throws std::system_error when no descriptor is to be had.
  explicit EventSignal(rd_kafka_queue_t* queue);
  ~EventSignal();
  EventSignal(const EventSignal&) = delete;
  EventSignal& operator=(const EventSignal&) = delete;

  /// Suspends until the signal or `until`, on the executor of the calling coroutine.
  boost::asio::awaitable<void> wait(Ticks until);

 private:
  rd_kafka_queue_t* queue_;
  int event_;
};

}  // namespace sluice::kafka
