#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <unordered_map>
#include <utility>
#include <vector>

#include "sluice/base/result.hpp"
#include "sluice/base/time.hpp"
#include "sluice/domain/lane.hpp"
#include "sluice/inventory/inventory.hpp"

namespace sluice::memory {

/// One lane under one mutex: what a Redis keeps in the lane's keys. Functions that take an epoch
/// fail with `not_ready` under any other.
class Lane {
 public:
  Result<void> rebuild(const LaneImage& image);
  Result<ReserveReply> reserve(Epoch epoch, In<Attempt> attempts, TimePoint now);
  void settle(Epoch epoch, In<Settlement> settlements);
  Result<std::vector<std::optional<OrderView>>> find(Epoch epoch, In<UserId> users) const;
  LaneView view() const;
  Result<Winners> winners(Epoch epoch) const;
  void close(Epoch epoch);
  std::vector<Pending> overdue(LaneId lane, TimePoint not_after, std::size_t max) const;
  Result<void> set_window(Epoch epoch, const LaneWindow& window);

 private:
  struct Record {
    OrderView order;
    TimePoint reserved_at{};  ///< Only while queued: with the id, its place among the pending.
  };
  using PendingKey = std::pair<TimePoint, OrderId>;

  Reservation decide(const Attempt& attempt, bool open, TimePoint now);
  void settle_one(const Settlement& settlement);

  /// Under `mutex_`: whether it serves calls of that epoch.
  bool serves(Epoch epoch) const { return epoch_ != 0 && !closed_ && epoch == epoch_; }

  mutable std::mutex mutex_;
  Epoch epoch_ = 0;  ///< 0: neither rebuilt nor closed.
  bool closed_ = false;
  std::uint64_t version_ = 0;
  LaneWindow window_;
  std::int64_t stock_ = 0;
  std::int64_t held_ = 0;  ///< Units of what is pending.
  std::unordered_map<UserId, Record> records_;
  std::map<PendingKey, UserId> pending_;
};

/// All lanes of a process.
class Lanes {
 public:
  explicit Lanes(std::shared_ptr<const Clock> clock) : clock_(std::move(clock)) {}

  TimePoint now() const { return clock_->now(); }

  /// Null when the lane was neither rebuilt nor closed.
  std::shared_ptr<Lane> get(LaneId lane) const;
  std::shared_ptr<Lane> get_or_create(LaneId lane);
  void forget(LaneId lane);

 private:
  std::shared_ptr<const Clock> clock_;
  mutable std::shared_mutex mutex_;
  std::unordered_map<LaneId, std::shared_ptr<Lane>> lanes_;
};

}  // namespace sluice::memory
