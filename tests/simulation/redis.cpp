#include "simulation/redis.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "sluice/base/mutation.hpp"

namespace sluice::simulation {

memory::Lane& Redis::at(LaneId id) {
  const auto found = lanes_.find(id);
  if (found == lanes_.end()) return absent_;
  const bool ours = found->second.replication == replication_;
  return ours || mutant("redis.replication_unchecked") ? found->second.lane : absent_;
}

Result<ReserveReply> Redis::reserve(const Call& call, In<Attempt> attempts) {
  auto& lane = at(call.lane);
  std::set<UserId> known;
  for (const auto& attempt : attempts) {
    if (lane.records.contains(attempt.user.text())) known.insert(attempt.user);
  }
  auto reply = lane.reserve(call, attempts, clock_.now());
  for (std::size_t i = 0; reply && i < attempts.size(); ++i) {
    const bool granted = reply->reservations[i].verdict == Verdict::granted;
    // Who was known before was granted nothing more.
    if (granted && known.insert(attempts[i].user).second) on_grant(call, attempts[i]);
  }
  return reply;
}

Result<void> Redis::settle(const Call& call, In<Settlement> settlements) {
  auto& lane = at(call.lane);
  for (std::size_t i = 0; i < settlements.size(); ++i) {
    const auto record = lane.records.find(settlements[i].user.text());
    const auto order = record == lane.records.end() ? OrderId{} : record->id();
    const auto before = lane.stock;
    lane.settle(call.epoch, settlements.subspan(i, 1));
    if (lane.stock > before) on_return(call.lane, lane.epoch, order);
  }
  return {};
}

Result<void> Redis::close(LaneId id, Epoch epoch) {
  lanes_[id].lane.close(epoch);
  return {};
}

std::vector<OrderMessage> Redis::overdue(LaneId id, Millis age, std::size_t max) const {
  const auto found = lanes_.find(id);
  if (found == lanes_.end()) return {};
  return found->second.lane.overdue(id, clock_.now() - age, max);
}

Result<void> Redis::stage(const Call& call, std::size_t place, In<LiveOrder> orders) {
  const auto earlier = lanes_[call.lane].lane.stage(call, place, orders);
  if (!earlier) return earlier.error();
  return {};
}

Result<void> Redis::unstage(const Call& call) {
  lanes_[call.lane].lane.unstage(call.epoch);
  return {};
}

Result<void> Redis::rebuild(const Call& call, const LaneImage& image, std::size_t staged) {
  auto& [lane, replication] = lanes_[call.lane];
  // Over a lane of another Redis the same epoch may come again, over a closed lane not.
  const bool again = replication != replication_ && !lane.closed && lane.epoch == image.epoch;
  if (again) lane.epoch = 0;
  const auto old = lane.rebuild(call, image, staged);
  if (again && !old) lane.epoch = image.epoch;
  if (!old) return old.error();
  replication = replication_;
  on_open(call.lane, image.epoch);
  return {};
}

bool Redis::drift_units(LaneId id, std::int64_t by) {
  auto& lane = at(id);
  if (!lane.view().ready) return false;
  const auto before = lane.stock;
  lane.stock = std::max<std::int64_t>(0, lane.stock + by);
  return lane.stock != before;
}

std::optional<OrderId> Redis::forget_a_winner(LaneId id, std::uint64_t choice) {
  auto& lane = at(id);
  if (!lane.view().ready) return std::nullopt;
  std::vector<UserId> decided;
  for (const auto& record : lane.records) {
    if (record.status() != OrderStatus::queued) decided.push_back(*UserId::parse(record.user()));
  }
  if (decided.empty()) return std::nullopt;
  std::ranges::sort(decided);
  const auto winner = lane.records.find(decided[choice % decided.size()].text());
  const auto order = winner->id();
  lane.records.erase(winner);
  return order;
}

void Redis::restart(Lanes with) {
  ++replication_;
  become(std::move(with));
}

void Redis::become(Lanes lanes) {
  for (const auto& [id, old] : lanes_) {
    const auto now = lanes.find(id);
    for (const auto& [key, user] : old.lane.pending) {
      const bool lost = now == lanes.end() || !now->second.lane.pending.contains(key);
      if (lost) on_loss(key.second);
    }
  }
  lanes_ = std::move(lanes);
}

}  // namespace sluice::simulation
