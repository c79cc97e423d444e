#pragma once

#include <array>
#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <deque>
#include <vector>

#include "sluice/base/metrics.hpp"
#include "sluice/base/time.hpp"
#include "sluice/fulfilment/order_feed.hpp"
#include "sluice/fulfilment/result_feed.hpp"
#include "sluice/inventory/inventory.hpp"
#include "sluice/orders/lane_router.hpp"
#include "sluice/orders/order_store.hpp"

namespace sluice {

struct FulfilmentSettings {
  std::size_t batch_max = 500;          ///< Messages applied in one transaction; 1 … 4,096.
  Millis poll{200};                     ///< How long to wait for a message before looking up again.
  Millis apply_timeout{5000};           ///< For one transaction.
  Millis settle_timeout{1000};          ///< For settling and announcing one batch.
  std::size_t unsettled_max = 100'000;  ///< Orders kept for settling again; older ones are left.
  Millis retry_wait{200};               ///< Between attempts while the store does not answer.
};

/// Turns the log into orders: next stretch, apply, settle, announce. What could not be settled is
/// tried again before each stretch, in order, so that an inventory that was away learns of its
/// orders as soon as it is back; past `unsettled_max` recovery settles. One per worker thread.
class Fulfilment {
 public:
  struct Ports {
    OrderFeed& feed;
    OrderStore& store;
    Inventory& inventory;
    ResultFeed& results;
    const ModeSnapshot& mode;
    Clock& clock;
    Metrics& metrics;
  };

  Fulfilment(FulfilmentSettings settings, Ports ports);

  /// Steps until `stop`. A stretch that was begun is finished.
  boost::asio::awaitable<void> run();

  /// Takes one stretch through all four stages. While the store does not answer it waits:
  /// nothing is dropped, and the log keeps what comes meanwhile. While the node is isolated the
  /// partitions are left to others: nobody could raise the fence of a lane in one of them.
  boost::asio::awaitable<void> step();

  /// Callable from any thread.
  void stop() noexcept { stopped_ = true; }

 private:
  /// A stretch that is applied and not settled.
  struct Unsettled {
    std::vector<OrderMessage> messages;
    std::vector<Outcome> outcomes;
  };

  Task<std::vector<Outcome>> apply(const Delivery& delivery);
  boost::asio::awaitable<void> rewind(const OffsetRange& range);
  boost::asio::awaitable<bool> keep_poison(const Delivery& delivery);
  boost::asio::awaitable<void> settle_what_is_left();
  void keep_unsettled(Unsettled stretch);
  bool isolated();
  boost::asio::awaitable<void> leave();
  boost::asio::awaitable<void> pause();
  Ticks in(Millis timeout) const { return ports_.clock.ticks() + timeout; }

  FulfilmentSettings settings_;
  Ports ports_;
  ModeSnapshot::Reader mode_;
  std::deque<Unsettled> unsettled_;
  std::size_t unsettled_orders_ = 0;
  Histogram& batch_size_;
  Counter& poison_;
  Counter& retries_;
  Counter& parked_;
  std::array<Counter*, 5> decided_{};  ///< By `RejectReason`.
  std::atomic<bool> stopped_{false};
};

}  // namespace sluice
