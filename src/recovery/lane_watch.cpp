#include "sluice/recovery/lane_watch.hpp"

#include <algorithm>
#include <utility>

#include "sluice/base/mutation.hpp"

namespace sluice {

std::vector<std::size_t> LaneWatch::due(const std::vector<Row>& rows) {
  ++round_;
  std::vector<std::size_t> due;
  std::vector<std::pair<std::uint64_t, std::size_t>> calm;  // The round of the last look first.
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto& row = rows[i];
    const auto known = known_.find(row.lane);
    const bool same = known != known_.end() && known->second.calm &&
                      known->second.revision == row.revision &&
                      (known->second.head == row.head || mutant("round.rows_unseen"));
    if (same) {
      calm.emplace_back(known->second.round, i);
    } else {
      due.push_back(i);
    }
  }
  const auto turn = std::min(calm_max_, mutant("round.calm_for_ever") ? 0 : calm.size());
  std::ranges::partial_sort(calm, calm.begin() + static_cast<std::ptrdiff_t>(turn));
  for (std::size_t i = 0; i < turn; ++i) due.push_back(calm[i].second);
  std::ranges::sort(due);
  return due;
}

bool LaneWatch::calm(LaneId lane) const {
  const auto known = known_.find(lane);
  return known != known_.end() && known->second.calm;
}

}  // namespace sluice
