#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/base/result.hpp"
#include "sluice/domain/lane.hpp"
#include "sluice/inventory/inventory.hpp"

namespace sluice {

/// A stretch of one partition of the log: offsets [begin, next).
struct OffsetRange {
  std::string topic;
  std::int32_t partition = 0;
  std::int64_t begin = 0;
  std::int64_t next = 0;
  TimePoint log_time{};  ///< Everything of the partition up to this log time lies before `next`.
  std::vector<Fence> fences{};  ///< Read behind all messages of the stretch.
};

/// An order looked up by its owner.
struct OrderKey {
  OrderId id;
  SaleId sale = 0;
  UserId user;
};

/// One lane in a snapshot of the store, for the conservation law.
struct LaneFigures {
  LaneId lane;
  LaneHead head;
  std::int64_t initial = 0;     ///< Units the lane began with.
  std::int64_t stock = 0;       ///< Units left.
  std::int64_t live_units = 0;  ///< Units in live orders.
  std::int64_t live_orders = 0;
  std::int64_t rejected_stock = 0;  ///< Orders rejected for stock.
  std::int64_t rejected_duplicate = 0;
  std::int64_t returning = 0;  ///< Units in the outbox, which the inventory may not have yet.

  /// Every unit is left or sold once.
  bool conserved() const { return stock >= 0 && stock + live_units == initial; }
  bool operator==(const LaneFigures&) const = default;
};

/// How far a log is applied.
struct LogProgress {
  std::int64_t applied = 0;  ///< Records applied, over all partitions.
  /// The log time through which every partition is applied; empty while one was never read.
  std::optional<TimePoint> through;
  bool operator==(const LogProgress&) const = default;
};

/// Of a lease: grows with each change of its holder.
using Term = std::uint64_t;

/// The lease of the leader. Calls that only a leader may make check its term in the very
/// transaction in which they change a lane, so one that was replaced changes nothing any more.
inline constexpr std::string_view kLeaderLease = "recovery";

/// What the store can tell a lane's buyers when it sells by itself.
struct LaneSnapshot {
  LaneHead head;
  std::int64_t stock = 0;
  LaneWindow window;
  bool open = false;           ///< The window lets purchases through, by the store's clock.
  std::uint64_t returned = 0;  ///< Units that ever came back to `stock`: it only grows.
  std::vector<std::optional<OrderView>> orders;  ///< The live order of each user asked about.
};

/// Some of the live orders of an image.
struct ImagePage {
  std::vector<LiveOrder> orders;  ///< At most `kImagePageMax`.
  bool last = false;              ///< None follow.
};

/// The live orders of an image, page by page, all as of its instant and each once. It belongs to
/// the executor of its store. The store keeps that instant for it until the last page, an error or
/// its destruction, and gives it up when nothing is asked for a minute.
class ImagePages {
 public:
  virtual ~ImagePages() = default;

  /// The next page. After an error no page follows: another image has to be taken.
  virtual Task<ImagePage> next(Ticks deadline) = 0;
};

/// An image as it is read from the store.
struct StoredImage {
  LaneImage lane;
  std::unique_ptr<ImagePages> pages;
};

/// The truth. Nothing blocks: calls are answered by their deadline. An instance belongs to one
/// executor; several instances on the same database may work at once.
class OrderStore {
 public:
  virtual ~OrderStore() = default;

  /// Decides every message, in one transaction and one round trip, and returns one outcome each, in
  /// order. Applying a message again changes nothing and returns the same outcome. Messages below
  /// their lane's fence without a row are parked, and answered `queued`: see `LateOrders`. An
  /// unknown lane is `rejected{invalid}`, without a row. With `range`, the partition's position
  /// moves from `begin` to `next` in the same transaction, and then its fences are raised;
  /// `Errc::stale` when it is elsewhere, and then nothing was done. The first range of an unknown
  /// partition begins at 0. One without messages may run backwards: the log was cut or began anew,
  /// and is read again. `Errc::unknown` when the commit's answer was lost. At most 4,096 messages.
  ///
  /// A new rejection for stock, or of a duplicate, under the lane's fence proves that the inventory
  /// granted what is not there: the same transaction makes the epoch suspect, unless the store
  /// sells by itself.
  virtual Task<std::vector<Outcome>> apply(Ticks deadline, In<OrderMessage> messages,
                                           std::optional<OffsetRange> range) = 0;

  /// The order with that id, if it belongs to that sale and user.
  virtual Task<std::vector<std::optional<Order>>> find(Ticks deadline, In<OrderKey> keys) = 0;

  /// The user's live order in that sale, for `mine`, when no inventory can tell.
  virtual Task<std::optional<Order>> find_live(Ticks deadline, SaleId sale, UserId user) = 0;

  /// What decides for a lane. `Errc::not_found` without the lane.
  virtual Task<LaneHead> head(Ticks deadline, LaneId lane) = 0;

  /// What decides for every lane of these sales, from one statement; nothing for unknown ones. At
  /// most `kSalesMax`.
  virtual Task<std::vector<std::pair<LaneId, LaneHead>>> heads(Ticks deadline,
                                                               In<SaleId> sales) = 0;

  /// Allots the lane's next epoch to `authority`. Nothing changes until the fence is raised to it.
  /// `Errc::not_found` without the lane, `Errc::overloaded` past `kEpochMax`.
  /// With `leader` only while that is the leader's term, else `Errc::stale`. The last epoch that a
  /// leader was allotted for that authority is then handed over, as long as nobody has begun to
  /// open it: a leader goes on where the one before it stopped. Otherwise nobody gets an epoch
  /// twice.
  virtual Task<Epoch> next_epoch(Ticks deadline, LaneId lane, Authority authority,
                                 std::optional<Term> leader) = 0;

  /// Takes the right to open the inventory under the lane's fence, which is given once.
  /// `Errc::stale` when that is not the last epoch that a leader was allotted, when somebody began
  /// before, or when `leader` is not the leader's term.
  virtual Task<> begin_opening(Ticks deadline, Fence fence, Term leader) = 0;

  /// Raises the fence now, for a lane whose log is empty or given up: granted orders that only the
  /// log knows will be refused. A fence never falls; one above the last epoch allotted, or of an
  /// unknown lane, is ignored, also in `apply`.
  /// With `seen` only while the fence is still that one, with `leader` only while that is the
  /// leader's term, else `Errc::stale`.
  virtual Task<> raise_fence(Ticks deadline, Fence fence, std::optional<Epoch> seen,
                             std::optional<Term> leader) = 0;

  /// Asks for a rebuild: the epoch under the fence is suspect from now on.
  virtual Task<> suspect(Ticks deadline, LaneId lane) = 0;

  /// The lane as of one instant, under the fence's epoch: what is applied later has that epoch or a
  /// later one. The whole has no deadline, each page has. `Errc::not_found` without the lane.
  virtual Task<StoredImage> image(Ticks deadline, LaneId lane) = 0;

  /// The lane and the live orders of `users`, at most 1,024, from one snapshot.
  virtual Task<LaneSnapshot> lane_snapshot(Ticks deadline, LaneId lane, In<UserId> users) = 0;

  /// Users with a live order in the lane, from the first one behind `after` on, at most `max`, in
  /// the store's order of users. None without the lane.
  virtual Task<std::vector<UserId>> winners(Ticks deadline, LaneId lane, std::string after,
                                            std::size_t max) = 0;

  /// The next offset to read of a partition; 0 when it was never read.
  virtual Task<std::int64_t> position(Ticks deadline, std::string topic,
                                      std::int32_t partition) = 0;

  /// How far the topic with that many partitions is applied.
  virtual Task<LogProgress> progress(Ticks deadline, std::string topic,
                                     std::int32_t partitions) = 0;

  /// The lanes of a sale, in order, from one snapshot. Empty without the sale.
  virtual Task<std::vector<LaneFigures>> audit(Ticks deadline, SaleId sale) = 0;
};

/// The most live orders of a page.
inline constexpr std::size_t kImagePageMax = 1'000;

/// The most messages, fences or keys of one call to an `OrderStore`.
inline constexpr std::size_t kMessagesMax = 4'096;

/// The most sales of one call.
inline constexpr std::size_t kSalesMax = 100'000;

/// Why no store may apply a batch, the same for all of them: `Errc::overloaded` or `Errc::invalid`;
/// empty when it may.
std::optional<Errc> check_apply(In<OrderMessage> messages, const std::optional<OffsetRange>& range);

}  // namespace sluice
