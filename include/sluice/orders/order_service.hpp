#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <optional>
#include <unordered_map>

#include "sluice/base/batcher.hpp"
#include "sluice/base/problem.hpp"
#include "sluice/base/time.hpp"
#include "sluice/domain/order_id.hpp"
#include "sluice/domain/sale.hpp"
#include "sluice/orders/lane_router.hpp"
#include "sluice/orders/late_orders.hpp"
#include "sluice/orders/order_store.hpp"
#include "sluice/orders/order_transitions.hpp"
#include "sluice/orders/order_watch.hpp"

namespace sluice {

struct LookupSettings {
  Millis timeout{1000};         ///< For one lookup.
  Millis look_again{1000};      ///< While waiting for an order, in case news of it was lost.
  std::size_t batch_max = 256;  ///< Lookups in one call to the inventory or the store.
};

/// An order as its owner sees it.
struct OrderState {
  OrderView order;
  RejectReason reason = RejectReason::none;
  std::optional<TimePoint> pay_by;  ///< See `Order`.
};

using LookUp = boost::system::result<OrderState, Refusal>;

/// Looks orders up for their owners, and moves them on: projection first, store where the
/// projection cannot tell. One per HTTP thread.
class OrderService {
 public:
  struct Ports {
    LaneRouter& router;  ///< Look-ups have an inventory of their own, not the purchases'.
    OrderStore& store;
    OrderTransitions& moves;
    LateOrders& late;
    Clock& clock;
    const OrderIdSeal& seal;
    OrderWatch& watch;
  };

  OrderService(boost::asio::any_io_executor executor, LookupSettings settings, Ports ports);

  // Of all calls: `sale` outlives them, but for `wait`.

  /// The order of that id. `unknown_order` when it is not this user's in this sale. An authentic id
  /// that no store knows is queued; behind the lane's fence it is noted for the leader to decide.
  boost::asio::awaitable<LookUp> find(const Sale& sale, OrderId id, UserId user);

  /// The user's live order; `unknown_order` when there is none.
  boost::asio::awaitable<LookUp> mine(const Sale& sale, UserId user);

  /// As `find`, but waits up to `patience` while the order is queued. With too many waiters it does
  /// not wait.
  boost::asio::awaitable<LookUp> wait(const Sale& sale, OrderId id, UserId user, Patience patience);

  /// What an order is now of which a projection says `projected`: one that may have moved on since
  /// then is answered as the store knows it, so that nobody who was told of a decision is told
  /// less.
  boost::asio::awaitable<LookUp> present(const Sale& sale, OrderView projected, UserId user);

  /// Pays or cancels an order; the state that it has then, also when it had it before.
  /// `unknown_order` when it is not this user's in this sale, `order_undecided` while it is queued,
  /// `order_final` when what it is, or the sale's terms, do not allow it, `outcome_unknown` when it
  /// may have been done.
  boost::asio::awaitable<LookUp> move(const Sale& sale, OrderId id, UserId user, Move move);

 private:
  /// What the projection knows of a user: the live order, or that there is none under that epoch.
  struct Projected {
    Epoch epoch = 0;
    std::optional<OrderView> order;
  };

  using LaneLookUps = Batcher<UserId, Result<Projected>>;
  using StoreLookUps = Batcher<OrderKey, Result<std::optional<Order>>>;
  using HeadLookUps = Batcher<LaneId, Result<LaneHead>>;
  using Moves = Batcher<Transition, Result<std::optional<Order>>>;

  /// An error when no projection can tell.
  Task<Projected> projected(LaneId lane, UserId user);
  boost::asio::awaitable<LookUp> stored(LaneId lane, OrderId id, UserId user);
  /// Lets the projection go of a cancelled order at once. The outbox sees to it when that fails.
  boost::asio::awaitable<void> give_back(Order order);
  /// The lane's row as of now. Those who ask at once share one look.
  Task<LaneHead> head(LaneId lane);
  boost::asio::awaitable<void> lane_batch(LaneId lane, LaneLookUps::Batch& batch);
  boost::asio::awaitable<void> store_batch(StoreLookUps::Batch& batch);
  boost::asio::awaitable<void> head_batch(HeadLookUps::Batch& batch);
  boost::asio::awaitable<void> move_batch(Moves::Batch& batch);
  Ticks deadline() const;

  boost::asio::any_io_executor executor_;
  LookupSettings settings_;
  Ports ports_;
  std::unordered_map<LaneId, LaneLookUps> lane_look_ups_;
  StoreLookUps store_look_ups_;
  HeadLookUps head_look_ups_;
  Moves moves_;
  std::unordered_map<LaneId, Epoch> epochs_;
};

}  // namespace sluice
