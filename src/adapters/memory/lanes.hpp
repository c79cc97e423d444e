#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "sluice/base/result.hpp"
#include "sluice/base/time.hpp"
#include "sluice/domain/lane.hpp"
#include "sluice/inventory/inventory.hpp"

#include "adapters/memory/records.hpp"

namespace sluice::memory {

/// One lane: what a Redis keeps in the lane's keys, and what its scripts do with them. A plain
/// value, and not thread-safe. Functions that take an epoch fail with `not_ready` under any other.
struct Lane {
  using PendingKey = std::pair<TimePoint, OrderId>;

  /// Live orders that a rebuild has collected.
  struct Staged {
    Epoch epoch = 0;
    Records records;
    std::vector<std::uint64_t> winners_log;
  };

  /// See `Inventory` for these three. What a rebuild, or a stage that begins anew, replaces is
  /// returned: millions of records go after the lane was unlocked.
  Result<Records> stage(const Call& call, std::size_t place, In<LiveOrder> orders);
  Records unstage(Epoch up_to);
  Result<Lane> rebuild(const Call& call, const LaneImage& image, std::size_t count);

  Result<ReserveReply> reserve(const Call& call, In<Attempt> attempts, TimePoint now);
  void settle(Epoch of_epoch, In<Settlement> settlements);
  Result<std::vector<std::optional<OrderView>>> find(Epoch of_epoch, In<UserId> users) const;
  LaneView view() const;
  Result<WinnersPage> winners(Epoch of_epoch, const std::string& cursor, std::size_t max) const;
  void close(Epoch up_to);
  std::vector<OrderMessage> overdue(LaneId id, TimePoint not_after, std::size_t max) const;
  Result<void> set_window(Epoch of_epoch, const LaneWindow& newer);

  Epoch epoch = 0;     ///< 0: neither rebuilt nor closed.
  Epoch granting = 0;  ///< Under which what is pending was granted.
  bool closed = false;
  std::uint64_t version = 0;
  LaneWindow window;
  std::int64_t stock = 0;
  std::int64_t held = 0;  ///< Units of what is pending.
  Records records;
  std::map<PendingKey, UserId> pending;
  std::unordered_map<OrderId, TimePoint> reserved_at;  ///< Of what is pending.
  std::vector<std::uint64_t> winners_log;  ///< The hash of each winner, in order of the grants.
  Staged staged;

 private:
  bool serves(Epoch of_epoch) const;
  void make_room();
  Reservation decide(const Attempt& attempt, bool open, TimePoint now);
  void settle_one(const Settlement& settlement);
};

/// All lanes of a process, each under a mutex of its own. Thread-safe.
class Lanes {
  struct Entry {
    std::mutex mutex;
    Lane lane;
  };

 public:
  /// A lane that is locked while this lives.
  class Locked {
   public:
    explicit Locked(std::shared_ptr<Entry> entry)
        : entry_(std::move(entry)), lock_(entry_->mutex) {}
    Lane* operator->() const { return &entry_->lane; }

   private:
    std::shared_ptr<Entry> entry_;
    std::unique_lock<std::mutex> lock_;
  };

  explicit Lanes(std::shared_ptr<const Clock> clock) : clock_(std::move(clock)) {}

  TimePoint now() const { return clock_->now(); }

  /// One that was neither rebuilt nor closed serves nothing.
  Locked at(LaneId id) const { return Locked(find(id)); }
  Locked get_or_create(LaneId id) { return Locked(find_or_create(id)); }
  /// As if it had never been rebuilt.
  void forget(LaneId id);

 private:
  std::shared_ptr<Entry> find(LaneId id) const;
  std::shared_ptr<Entry> find_or_create(LaneId id);

  std::shared_ptr<const Clock> clock_;
  mutable std::shared_mutex mutex_;
  std::unordered_map<LaneId, std::shared_ptr<Entry>> lanes_;
  const std::shared_ptr<Entry> absent_ = std::make_shared<Entry>();  ///< Stays as it is.
};

}  // namespace sluice::memory
