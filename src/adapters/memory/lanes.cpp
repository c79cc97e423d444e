#include "adapters/memory/lanes.hpp"

#include <algorithm>
#include <span>
#include <string>

#include "sluice/base/mutation.hpp"
#include "sluice/base/text.hpp"
#include "sluice/inventory/winner_set.hpp"

namespace sluice::memory {

namespace {

constexpr std::int64_t kReservedMax = 1'000'000;

}  // namespace

Result<Records> Lane::stage(const Call& call, std::size_t place, In<LiveOrder> orders) {
  if (!valid(call, orders)) return Errc::invalid;
  const bool mixes = mutant("memory.staging_mixed");
  if (call.epoch < staged.epoch && !mixes) return Errc::stale;
  Records earlier;
  if (place == 0) earlier = unstage(call.epoch);
  const bool ours = call.epoch == staged.epoch || place == 0 || mixes;
  if (!ours || staged.records.size() != place) return Errc::unavailable;
  staged.epoch = call.epoch;
  for (const auto& [user, order] : orders) {
    if (!staged.records.emplace(user, order).second) return Errc::invalid;
    staged.winners_log.push_back(winner_hash(user));
  }
  return earlier;
}

Records Lane::unstage(Epoch up_to) {
  if (staged.epoch > up_to) return {};
  return std::exchange(staged, {}).records;
}

Result<Lane> Lane::rebuild(const Call& call, const LaneImage& image, std::size_t count) {
  if (!valid(call, image)) return Errc::invalid;
  if (image.epoch <= epoch && !mutant("memory.old_epoch_opens")) {
    unstage(image.epoch);
    return Errc::stale;
  }
  if (staged.epoch != image.epoch || staged.records.size() != count) return Errc::unavailable;
  Lane lane;
  lane.epoch = image.epoch;
  lane.granting = image.epoch;
  lane.version = 1;
  lane.window = image.window;
  lane.stock = image.stock;
  lane.records = std::move(staged.records);
  lane.winners_log = std::move(staged.winners_log);
  staged = {};
  std::swap(*this, lane);
  return lane;
}

bool Lane::serves(Epoch of_epoch) const {
  if (epoch == 0 || (closed && !mutant("memory.close_does_nothing"))) return false;
  return of_epoch == epoch || mutant("memory.epoch_unchecked");
}

Result<ReserveReply> Lane::reserve(const Call& call, In<Attempt> attempts, TimePoint now) {
  if (!valid(call, attempts)) return Errc::invalid;
  if (!serves(call.epoch)) return Errc::not_ready;
  ReserveReply reply;
  reply.reservations.reserve(attempts.size());
  const bool open = late(call, attempts) || (window.state == SaleState::open &&
                                             now >= window.starts_at && now < window.ends_at);
  for (const auto& attempt : attempts) {
    reply.reservations.push_back(decide(attempt, open, now));
  }
  reply.version = version;
  reply.may_return = !pending.empty();
  return reply;
}

Reservation Lane::decide(const Attempt& attempt, bool open, TimePoint now) {
  if (const auto found = records.find(attempt.user.text()); found != records.end()) {
    const OrderView order = found->order();
    // A repeated attempt finds itself; once decided it is an order like any other.
    const bool itself = order.id == attempt.id && order.status == OrderStatus::queued;
    return {itself ? Verdict::granted : Verdict::already, order};
  }
  if (!open && !mutant("memory.window_unchecked")) return {Verdict::not_open, {}};
  if (stock <= 0) return {Verdict::sold_out, {}};
  if (stock < attempt.quantity && !mutant("memory.oversold")) return {Verdict::insufficient, {}};
  stock -= attempt.quantity;
  held += attempt.quantity;
  const OrderView order{attempt.id, OrderStatus::queued, attempt.quantity};
  make_room();
  records.emplace(attempt.user, order);
  if (!mutant("memory.winner_unlisted")) winners_log.push_back(winner_hash(attempt.user));
  pending.emplace(PendingKey{now, attempt.id}, attempt.user);
  reserved_at.emplace(attempt.id, now);
  return {Verdict::granted, order};
}

void Lane::make_room() {
  if (records.size() < records.max_load()) return;
  // Growing holds up the lane's buyers: once, then, for every order that the stock may bring.
  const auto to_come = static_cast<std::size_t>(std::clamp<std::int64_t>(stock, 0, kReservedMax));
  records.reserve(std::max(records.size() + to_come, 2 * records.size()));
}

void Lane::settle(Epoch of_epoch, In<Settlement> settlements) {
  if (!serves(of_epoch)) return;
  for (const auto& settlement : settlements) settle_one(settlement);
}

void Lane::settle_one(const Settlement& settlement) {
  const auto found = records.find(settlement.user.text());
  if (found == records.end()) return;
  if (found->id() != settlement.id && !mutant("memory.settle_without_name")) return;
  if (const auto since = reserved_at.find(found->id()); since != reserved_at.end()) {
    pending.erase(PendingKey{since->second, found->id()});
    reserved_at.erase(since);
    held -= found->quantity();
  }
  if (settlement.action == SettleAction::keep) {
    if (found->status() == OrderStatus::queued) found->set_status(OrderStatus::confirmed);
    return;
  }
  const bool lost = mutant("memory.returned_nowhere");
  if (settlement.action == SettleAction::give_back && !lost) {
    stock += found->quantity();
    ++version;
  }
  records.erase(found);
}

Result<std::vector<std::optional<OrderView>>> Lane::find(Epoch of_epoch, In<UserId> users) const {
  if (!serves(of_epoch)) return Errc::not_ready;
  std::vector<std::optional<OrderView>> found(users.size());
  for (std::size_t i = 0; i < users.size(); ++i) {
    const auto record = records.find(users[i].text());
    if (record != records.end()) found[i] = record->order();
  }
  return found;
}

LaneView Lane::view() const {
  if (!serves(epoch)) return {};
  return {true, epoch, version, stock, pending.size(), held, window};
}

Result<WinnersPage> Lane::winners(Epoch of_epoch, const std::string& cursor,
                                  std::size_t max) const {
  if (!serves(of_epoch)) return Errc::not_ready;
  const auto from = parse_number<std::size_t>(cursor.empty() ? "0" : cursor);
  const bool valid = max >= 1 && max <= kWinnersPageMax && from && *from <= winners_log.size();
  if (!valid) return Errc::invalid;
  const auto rest = std::span(winners_log).subspan(*from);
  const auto part = rest.first(std::min(max, rest.size()));
  WinnersPage page;
  page.version = version;
  page.stock = stock;
  page.may_return = !pending.empty();
  page.hashes.assign(part.begin(), part.end());
  page.next = std::to_string(*from + part.size());
  page.last = part.size() == rest.size();
  return page;
}

void Lane::close(Epoch up_to) {
  if (up_to < epoch) return;
  epoch = up_to;
  closed = true;
  if (mutant("memory.close_forgets")) {
    pending.clear();
    reserved_at.clear();
  }
}

std::vector<OrderMessage> Lane::overdue(LaneId id, TimePoint not_after, std::size_t max) const {
  std::vector<OrderMessage> out;
  for (const auto& [key, user] : pending) {
    const auto& [since, order] = key;
    if (since > not_after || out.size() >= max) break;
    const auto quantity = records.find(user.text())->quantity();
    out.push_back(
        OrderMessage{order, id, std::max(granting, order.epoch()), user, quantity, since});
  }
  return out;
}

Result<void> Lane::set_window(Epoch of_epoch, const LaneWindow& newer) {
  if (!serves(of_epoch)) return Errc::not_ready;
  if (newer.revision >= window.revision || mutant("memory.older_window")) window = newer;
  return {};
}

std::shared_ptr<Lanes::Entry> Lanes::find(LaneId id) const {
  std::shared_lock lock(mutex_);
  const auto found = lanes_.find(id);
  return found == lanes_.end() ? absent_ : found->second;
}

std::shared_ptr<Lanes::Entry> Lanes::find_or_create(LaneId id) {
  std::unique_lock lock(mutex_);
  auto& found = lanes_[id];
  if (!found) found = std::make_shared<Entry>();
  return found;
}

void Lanes::forget(LaneId id) {
  std::unique_lock lock(mutex_);
  lanes_.erase(id);
}

}  // namespace sluice::memory
