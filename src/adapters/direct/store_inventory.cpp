#include "sluice/adapters/direct/store_inventory.hpp"

#include <string>
#include <unordered_map>
#include <utility>

#include "sluice/base/mutation.hpp"
#include "sluice/inventory/winner_set.hpp"

namespace sluice {
namespace {

/// A unit that came back may be sold again between two looks at the stock.
std::uint64_t version_of(const LaneSnapshot& lane_snapshot) {
  return 1 + (mutant("database.return_unseen") ? 0 : lane_snapshot.returned);
}

bool sells(const LaneHead& head, Epoch epoch) {
  return head.authority() == Authority::store && head.fence == epoch;
}

/// The caller's view of an error of the store: looking does nothing, so an answer that was lost
/// leaves no doubt, and a lane that does not exist is not ready.
boost::system::error_code not_done(const boost::system::error_code& error) {
  if (error == Errc::not_found) return Errc::not_ready;
  if (error == Errc::unknown) return Errc::unavailable;
  return error;
}

/// The decisions of one reserve call, on what the store said.
class Decisions {
 public:
  Decisions(const LaneSnapshot& lane_snapshot, bool open)
      : standing_(lane_snapshot), open_(open), left_(lane_snapshot.stock) {}

  Reservation decide(const Attempt& attempt, const std::optional<OrderView>& stored) {
    if (stored) return known(attempt, *stored);
    if (const auto found = granted_.find(attempt.user); found != granted_.end()) {
      return known(attempt, found->second);
    }
    if (!open_ && !mutant("database.window_unchecked")) return {Verdict::not_open, {}};
    // What this call has granted may still come back: only the store's zero is "sold out".
    if (standing_.stock <= 0) return {Verdict::sold_out, {}};
    if (left_ < attempt.quantity) return {Verdict::insufficient, {}};
    left_ -= attempt.quantity;
    const OrderView order{attempt.id, OrderStatus::queued, attempt.quantity};
    granted_.emplace(attempt.user, order);
    return {Verdict::granted, order};
  }

 private:
  static Reservation known(const Attempt& attempt, const OrderView& order) {
    const bool itself = order.id == attempt.id && order.status == OrderStatus::queued;
    return {itself ? Verdict::granted : Verdict::already, order};
  }

  const LaneSnapshot& standing_;
  const bool open_;
  std::int64_t left_;
  std::unordered_map<UserId, OrderView> granted_;
};

class StoreInventory final : public Inventory {
 public:
  explicit StoreInventory(OrderStore& store) : store_(store) {}

  Task<ReserveReply> reserve(Call call, In<Attempt> attempts) override {
    if (!valid(call, attempts)) co_return Errc::invalid;
    std::vector<UserId> users;
    users.reserve(attempts.size());
    for (const auto& attempt : attempts) users.push_back(attempt.user);
    const auto lane_snapshot = co_await look(call, users);
    if (!lane_snapshot) co_return lane_snapshot.error();

    Decisions decisions(*lane_snapshot, lane_snapshot->open || late(call, attempts));
    ReserveReply reply;
    reply.version = version_of(*lane_snapshot);
    reply.reservations.reserve(attempts.size());
    for (std::size_t i = 0; i < attempts.size(); ++i) {
      reply.reservations.push_back(decisions.decide(attempts[i], lane_snapshot->orders[i]));
    }
    co_return reply;
  }

  Task<> settle(Call, In<Settlement>) override { co_return Result<void>{}; }

  Task<std::vector<std::optional<OrderView>>> find(Call call, In<UserId> users) override {
    auto lane_snapshot = co_await look(call, users);
    if (!lane_snapshot) co_return lane_snapshot.error();
    co_return std::move(lane_snapshot->orders);
  }

  Task<LaneView> view(Call call) override {
    const In<UserId> nobody;
    const auto lane_snapshot = co_await store_.lane_snapshot(call.deadline, call.lane, nobody);
    if (!lane_snapshot) {
      if (lane_snapshot.error() == Errc::not_found) co_return LaneView();
      co_return not_done(lane_snapshot.error());
    }
    const auto& lane = *lane_snapshot;
    if (lane.head.authority() != Authority::store) co_return LaneView();
    co_return LaneView{true, lane.head.fence, version_of(lane), lane.stock, 0, 0, lane.window};
  }

  /// Without a unit nobody joins the winners of one version: its pages are one list. The cursor is
  /// the version and the last user, behind which the next page begins.
  Task<WinnersPage> winners(Call call, std::string cursor, std::size_t max) override {
    if (max < 1 || max > kWinnersPageMax) co_return Errc::invalid;
    const In<UserId> nobody;
    const auto lane_snapshot = co_await look(call, nobody);
    if (!lane_snapshot) co_return lane_snapshot.error();
    WinnersPage page;
    page.version = version_of(*lane_snapshot);
    page.stock = lane_snapshot->stock;
    page.last = true;
    if (page.stock > 0 && !mutant("database.winners_with_units")) co_return page;
    const auto mark = std::to_string(page.version) + '/';
    // A unit that came back may have been sold to a user of a page already read: begin again.
    const bool goes_on = cursor.starts_with(mark) || mutant("database.pages_of_two_versions");
    const auto after = goes_on ? cursor.substr(cursor.find('/') + 1) : std::string();
    const auto users = co_await store_.winners(call.deadline, call.lane, after, max);
    if (!users) co_return not_done(users.error());
    page.hashes.reserve(users->size());
    for (const auto& user : *users) page.hashes.push_back(winner_hash(user));
    page.next = mark + (users->empty() ? after : users->back().text());
    page.last = users->size() < max;
    co_return page;
  }

  Task<std::vector<OrderMessage>> overdue(Call, Millis, std::size_t) override {
    co_return std::vector<OrderMessage>{};
  }

  Task<> close(Call) override { co_return Result<void>{}; }

  // The store's rows are the lane: there is nothing to collect.
  Task<> stage(Call, std::size_t, In<LiveOrder>) override { co_return Result<void>{}; }

  Task<> unstage(Call) override { co_return Result<void>{}; }

  Task<> rebuild(Call call, const LaneImage& image, std::size_t) override {
    if (image.lane != call.lane) co_return Errc::invalid;
    const auto head = co_await store_.head(call.deadline, call.lane);
    if (!head) co_return not_done(head.error());
    if (!sells(*head, image.epoch)) co_return Errc::stale;
    co_return Result<void>{};
  }

  Task<> set_window(Call, LaneWindow) override { co_return Result<void>{}; }

 private:
  /// What the store says about the lane and these users, if it sells under the call's epoch.
  Task<LaneSnapshot> look(Call call, In<UserId> users) {
    auto lane_snapshot = co_await store_.lane_snapshot(call.deadline, call.lane, users);
    if (!lane_snapshot) co_return not_done(lane_snapshot.error());
    if (!sells(lane_snapshot->head, call.epoch) && !mutant("database.any_epoch"))
      co_return Errc::not_ready;
    if (lane_snapshot->orders.size() != users.size()) co_return Errc::internal;
    co_return lane_snapshot;
  }

  OrderStore& store_;
};

}  // namespace

std::unique_ptr<Inventory> create_store_inventory(OrderStore& store) {
  return std::make_unique<StoreInventory>(store);
}

}  // namespace sluice
