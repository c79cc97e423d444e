#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "sluice/domain/lane.hpp"

namespace sluice {

/// Which lanes a round looks at in the inventory, so that a round of many calm lanes is short:
/// those that are unknown, whose row or window changed, that had something left to do, and in turn
/// at most `calm_max` of the others. So each is looked at once in `lanes / calm_max` rounds,
/// rounded up. Pure.
class LaneWatch {
 public:
  /// A lane as a round finds it in the store.
  struct Row {
    LaneId lane;
    std::optional<LaneHead> head;  ///< Empty when the store does not have it.
    std::uint64_t revision = 0;    ///< Of its window.
  };

  /// `calm_max`: 1 or more.
  explicit LaneWatch(std::size_t calm_max) : calm_max_(calm_max) {}

  /// Of `rows`, the indices of those to look at in this round, in order.
  std::vector<std::size_t> due(const std::vector<Row>& rows);

  /// The round looked at a lane; `calm`: there is nothing left to do.
  void looked(const Row& row, bool calm) {
    known_[row.lane] = {row.head, row.revision, calm, round_};
  }

  /// Nothing was left to do when it was looked at last.
  bool calm(LaneId lane) const;

  /// The next round looks at every lane.
  void expect_changes() { known_.clear(); }

  /// Forgets the lanes of which `gone(lane)` says so.
  template <class Gone>
  void forget_if(Gone gone) {
    std::erase_if(known_, [&](const auto& lane) { return gone(lane.first); });
  }

 private:
  struct Known {
    std::optional<LaneHead> head;
    std::uint64_t revision = 0;
    bool calm = false;
    std::uint64_t round = 0;  ///< Of the last look.
  };

  std::size_t calm_max_;
  std::uint64_t round_ = 0;
  std::unordered_map<LaneId, Known> known_;
};

}  // namespace sluice
