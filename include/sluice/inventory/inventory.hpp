#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sluice/base/result.hpp"
#include "sluice/base/time.hpp"
#include "sluice/domain/lane.hpp"
#include "sluice/domain/order.hpp"

namespace sluice {

/// A span whose memory the caller's frame owns until the awaited call returns.
template <class T>
using In = std::span<const T>;

/// Under which epoch of which lane a call is made, and until when an answer is of use. After the
/// deadline an adapter answers `Errc::unknown`: the work may have been done.
struct Call {
  LaneId lane;
  Epoch epoch = 0;
  Ticks deadline{};
};

/// One user's request for units, under an order id of the call's epoch; or, under an older one, an
/// order that was granted before its lane was rebuilt, and is granted again whatever the window.
struct Attempt {
  OrderId id;
  UserId user;
  std::uint32_t quantity = 1;  ///< At least 1; the caller checked the sale's limit.
};

/// Whether an inventory decides these attempts: at most 1,024, each by a user for at least one
/// unit, under an id of the call's lane; all of the call's epoch, or all of older ones.
/// `late(call, attempts)`: the latter.
bool valid(const Call& call, In<Attempt> attempts) noexcept;
bool late(const Call& call, In<Attempt> attempts) noexcept;

enum class Verdict : std::uint8_t {
  granted,       ///< The units are held and the attempt is pending.
  already,       ///< The user has a live order: `existing`. Also the answer to a repeated attempt.
  sold_out,      ///< No unit is left.
  insufficient,  ///< Fewer units are left than asked for.
  not_open,      ///< Outside the window, or paused or closed.
};

struct Reservation {
  Verdict verdict = Verdict::not_open;
  OrderView existing;  ///< With `granted` and `already`: the user's order.
};

struct ReserveReply {
  std::vector<Reservation> reservations;  ///< One per attempt, in order.
  std::uint64_t version = 0;              ///< Of the lane, after this batch; see `LaneView`.
  bool may_return = false;                ///< Units are held by undecided orders and may come back.
};

/// What to do with a reservation once the store decided its order.
enum class SettleAction : std::uint8_t {
  keep,       ///< Confirmed: the unit is sold.
  give_back,  ///< The unit returns to stock and the user may try again.
  drop,       ///< The unit never existed in the store: forget it, without return.
};

struct Settlement {
  OrderId id;
  UserId user;
  std::uint32_t quantity = 1;
  SettleAction action = SettleAction::keep;
};

/// Whether an inventory stages these: at most 1,024 live orders, each of at least one unit.
bool valid(const Call& call, In<LiveOrder> orders) noexcept;

/// Whether it can rebuild the call's lane from this image.
bool valid(const Call& call, const LaneImage& image) noexcept;

/// How an outcome settles the reservation of its order.
SettleAction settle_action(const Outcome& outcome) noexcept;

struct LaneView {
  bool ready = false;  ///< False: no valid projection here; every other member is then 0.
  Epoch epoch = 0;
  std::uint64_t version = 0;  ///< Grows whenever a unit returns: older "sold out" news are void.
  std::int64_t stock = 0;
  std::uint64_t pending = 0;  ///< Orders reserved and undecided.
  std::int64_t held = 0;      ///< Their units, which `stock` does not count.
  LaneWindow window;
};

/// The most winners of one page: 32 KiB in one reply, some 20 µs of a Redis.
inline constexpr std::size_t kWinnersPageMax = 4'096;

/// A part of the list of everybody who has or had a live order under the lane's epoch, and the lane
/// at that moment. The list may name somebody twice.
struct WinnersPage {
  std::uint64_t version = 0;          ///< See `LaneView`.
  std::int64_t stock = 0;             ///< Units left.
  bool may_return = false;            ///< Units are held by undecided orders and may come back.
  std::vector<std::uint64_t> hashes;  ///< See `winner_hash`.
  std::string next;                   ///< The cursor of what follows.
  /// Nothing follows: with no unit left, whoever has a live order is on this page or before it.
  bool last = false;
};

/// The fast stock of one or many lanes: a projection of the store that can be rebuilt from it.
///
/// Every call fails with `Errc::not_ready` when the lane has no valid projection under exactly
/// `call.epoch`: nothing was done then. An implementation belongs to one executor unless it says
/// otherwise.
class Inventory {
 public:
  virtual ~Inventory() = default;

  /// Decides every attempt atomically, in order, by the inventory's own clock. A repeated attempt
  /// (same id) finds itself: `granted` again. `Errc::invalid` unless they are `valid`. One that
  /// reaches the inventory after its deadline grants nothing, as far as that is known there.
  virtual Task<ReserveReply> reserve(Call call, In<Attempt> attempts) = 0;

  /// Acts only on settlements whose user's record names that very order; others change nothing, nor
  /// does a repetition. An unready or newer lane is no error: its rebuild took the outcome into
  /// account.
  virtual Task<> settle(Call call, In<Settlement> settlements) = 0;

  /// The live order of each user, if any.
  virtual Task<std::vector<std::optional<OrderView>>> find(Call call, In<UserId> users) = 0;

  /// `call.epoch` is ignored: this is how one learns the epoch. A missing lane is not an error.
  virtual Task<LaneView> view(Call call) = 0;

  /// At most `max` winners (1 … `kWinnersPageMax`) from the cursor of an earlier page on; an empty
  /// one stands for the beginning. The cursor of a last page is good for those who come later.
  /// `Errc::invalid` for a cursor that no page of this epoch had.
  virtual Task<WinnersPage> winners(Call call, std::string cursor, std::size_t max) = 0;

  /// Reservations that no outcome has settled yet, at least `age` old by the inventory's clock,
  /// oldest first, at most `max`. Works on a lane that is not ready, with what is still there;
  /// `call.epoch` is ignored.
  virtual Task<std::vector<OrderMessage>> overdue(Call call, Millis age, std::size_t max) = 0;

  /// Ends every epoch of the lane up to `call.epoch`: none of them grants anything from now on, and
  /// a rebuild under one of them is `Errc::stale`, also where there is no lane yet. Undecided
  /// reservations stay where `overdue` finds them. A newer lane is left alone.
  virtual Task<> close(Call call) = 0;

  /// Collects live orders for a rebuild under `call.epoch`, beside the lane, which stays as it is:
  /// at most 1,024, after the `place` that are collected already. `place` 0 begins anew and forgets
  /// what this or an earlier epoch has collected; an image without orders is staged, too.
  /// `Errc::stale` when a later epoch collects, `Errc::unavailable` when not exactly `place` are
  /// there or it is not known whether these are now, `Errc::invalid` for an order that is not live
  /// and for a user who has two.
  virtual Task<> stage(Call call, std::size_t place, In<LiveOrder> orders) = 0;

  /// Forgets what epochs up to `call.epoch` have collected.
  virtual Task<> unstage(Call call) = 0;

  /// Replaces the lane by `image` and the `staged` orders collected under its epoch, in one step,
  /// if that epoch is higher than the stored one or nothing valid is stored; else `Errc::stale`,
  /// and they are forgotten. `Errc::unavailable` when other than `staged` orders are there.
  virtual Task<> rebuild(Call call, const LaneImage& image, std::size_t staged) = 0;

  /// Changes the window under the same epoch. One of an older revision than the stored one changes
  /// nothing and succeeds: a node that has not heard of a pause cannot undo it.
  virtual Task<> set_window(Call call, LaneWindow window) = 0;
};

/// Settles the reservations of orders that the store decided; `outcomes` has one element for each
/// of `messages`. An error when some lane could not be reached: doing it again changes nothing
/// where it was done.
Task<> settle(Inventory& inventory, Ticks deadline, In<OrderMessage> messages,
              In<Outcome> outcomes);

}  // namespace sluice
