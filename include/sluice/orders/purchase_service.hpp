#pragma once

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "sluice/base/batcher.hpp"
#include "sluice/base/metrics.hpp"
#include "sluice/base/problem.hpp"
#include "sluice/base/random.hpp"
#include "sluice/base/time.hpp"
#include "sluice/domain/order_id.hpp"
#include "sluice/domain/sale.hpp"
#include "sluice/gate/sale_gate.hpp"
#include "sluice/inventory/inventory.hpp"
#include "sluice/inventory/sold_out_view.hpp"
#include "sluice/orders/order_queue.hpp"
#include "sluice/orders/route.hpp"

namespace sluice {

struct PurchaseSettings {
  std::size_t batch_max = 256;   ///< Purchases reserved by one call; 1 … 1,024.
  std::size_t batches_max = 16;  ///< Batches in flight for each lane and thread.
  Millis reserve_timeout{500};   ///< For one reserve call.
  Millis publish_timeout{2000};  ///< From the reservation until the queue's acknowledgement.
  Millis answer_timeout{3000};   ///< After this a purchase whose outcome is open is said to be so.
  Millis sold_out_fresh{1000};   ///< How long a "sold out" is repeated without asking the lane.
};

/// The definite answer to one purchase.
struct PurchaseAnswer {
  enum class Kind : std::uint8_t {
    queued,     ///< Reserved; the order is decided soon. 202.
    confirmed,  ///< Decided at once. 201.
    existing,   ///< The user's earlier order. 200.
    refused,    ///< See `refusal`.
  };
  Kind kind = Kind::refused;
  OrderView order;  ///< Unless refused.
  /// With `existing` and queued: false when only the inventory may know of the order, and no log.
  bool promised = true;
  /// With `queued`: the queue has not acknowledged it yet, or works off a backlog.
  bool backlogged = false;
  Millis wait{0};  ///< With `queued`: the estimated time to the decision.
  Refusal refusal;
};

/// Sells: gate, reserve, publish, answer. One per HTTP thread; use it on that thread's executor
/// only. Purchases of one lane that come together travel together.
class PurchaseService {
 public:
  struct Ports {
    Routes& routes;
    Clock& clock;
    Random& random;
    const OrderIdSeal& seal;
    SaleGate& gate;
    Metrics& metrics;
  };

  PurchaseService(boost::asio::any_io_executor executor, PurchaseSettings settings, Ports ports);
  ~PurchaseService();

  /// Buys `quantity` units (at least 1) of a sale for a user. A user who has an order gets that
  /// order.
  boost::asio::awaitable<PurchaseAnswer> buy(const Sale& sale, UserId user, std::uint32_t quantity);

  /// Looks after the sold-out views; run it all the time, until `stop`.
  boost::asio::awaitable<void> upkeep();

  /// Callable from any thread.
  void stop() noexcept { stopped_ = true; }

 private:
  struct Wish {
    UserId user;
    std::uint32_t quantity = 1;
    Code when_not_open = Code::not_ready;
    bool held_unpaid = false;  ///< Units of the sale's confirmed orders may come back.
  };
  using Purchases = Batcher<Wish, PurchaseAnswer>;
  struct Lane;
  struct Counters;

  Lane& lane(LaneId id);
  std::optional<Refusal> ask_sold_out_view(const Lane& lane, const Wish& wish) const;
  boost::asio::awaitable<void> purchase_batch(Lane& lane, Purchases::Batch& batch);
  Task<ReserveReply> reserve(Lane& lane, const Route& route, const Purchases::Batch& batch,
                             std::vector<Attempt>& attempts);
  Task<> learn_epoch(Lane& lane, const Route& route);
  std::vector<Attempt> make_attempts(const Lane& lane, const Purchases::Batch& batch) const;
  Refusal refuse(const Wish& wish, Verdict verdict, bool may_return) const;
  Refusal refuse_phantom(const Wish& wish, RejectReason reason) const;
  Refusal sold_out(bool may_return) const;
  PurchaseAnswer answer_winner(const Route& route, const Wish& wish, const OrderMessage& message,
                               const Receipt& receipt) const;
  boost::asio::awaitable<void> settle(Lane& lane, Inventory& inventory,
                                      const std::vector<OrderMessage>& messages,
                                      const std::vector<Receipt>& receipts);
  boost::asio::awaitable<void> upkeep_lane(Lane& lane);
  Call call(const Lane& lane, Millis timeout) const;

  boost::asio::any_io_executor executor_;
  PurchaseSettings settings_;
  Ports ports_;
  std::unordered_map<LaneId, std::unique_ptr<Lane>> lanes_;
  std::atomic<bool> stopped_{false};
  std::unique_ptr<Counters> counters_;
};

}  // namespace sluice
