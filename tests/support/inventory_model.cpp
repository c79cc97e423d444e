#include <algorithm>
#include <gtest/gtest.h>
#include <map>
#include <random>
#include <ranges>
#include <set>
#include <utility>

#include "sluice/inventory/winner_set.hpp"

#include "support/inventory_contract.hpp"
#include "support/store_values.hpp"

namespace sluice::test {
namespace {

/// What an inventory promises about one lane, without time.
struct Model {
  Epoch epoch = 0;
  bool ready = false;
  bool known = false;         ///< Opened or closed, not lost: no epoch up to `epoch` opens it.
  std::uint64_t returns = 0;  ///< Units came back so often since the rebuild.
  std::int64_t stock = 0;
  LaneWindow window;
  std::map<UserId, OrderView> orders;
  std::set<OrderId> pending;
  std::vector<std::uint64_t> listed;  ///< The hash of each winner of the image and of each grant.

  Reservation reserve(const Attempt& attempt, bool late) {
    if (const auto found = orders.find(attempt.user); found != orders.end()) {
      const auto& order = found->second;
      const bool itself = order.id == attempt.id && order.status == OrderStatus::queued;
      return {itself ? Verdict::granted : Verdict::already, order};
    }
    if (window.state != SaleState::open && !late) return {Verdict::not_open, {}};
    if (stock == 0) return {Verdict::sold_out, {}};
    if (stock < attempt.quantity) return {Verdict::insufficient, {}};
    stock -= attempt.quantity;
    const OrderView order{attempt.id, OrderStatus::queued, attempt.quantity};
    orders[attempt.user] = order;
    pending.insert(attempt.id);
    listed.push_back(winner_hash(attempt.user));
    return {Verdict::granted, order};
  }

  void settle(const Settlement& settlement) {
    const auto found = orders.find(settlement.user);
    if (found == orders.end() || found->second.id != settlement.id) return;
    pending.erase(settlement.id);
    if (settlement.action == SettleAction::keep) {
      if (found->second.status == OrderStatus::queued) {
        found->second.status = OrderStatus::confirmed;
      }
      return;
    }
    if (settlement.action == SettleAction::give_back) {
      stock += found->second.quantity;
      ++returns;
    }
    orders.erase(found);
  }

  bool rebuild(const WholeImage& image) {
    if (known && image.epoch <= epoch) return false;
    epoch = image.epoch;
    ready = known = true;
    returns = 0;
    stock = image.stock;
    window = image.window;
    orders.clear();
    listed.clear();
    for (const auto& [user, order] : image.winners) {
      orders[user] = order;
      listed.push_back(winner_hash(user));
    }
    pending.clear();
    return true;
  }

  void close(Epoch up_to) {
    if (known && up_to < epoch) return;
    epoch = up_to;
    ready = false;
    known = true;
  }

  std::int64_t held() const {
    std::int64_t units = 0;
    for (const auto& [user, order] : orders) {
      if (pending.contains(order.id)) units += order.quantity;
    }
    return units;
  }
};

/// Takes random steps on the inventory and on the model.
class History {
 public:
  History(InventoryWorld& world, std::uint64_t seed) : world_(world), lane_(world), random_(seed) {}

  void step() {
    const auto pick = below(13);
    if (pick <= 4) return reserve();
    if (pick <= 7) return settle();
    if (pick == 8) return find();
    if (pick == 9) return look();
    if (pick == 10) return change_window();
    if (pick == 11) return end();
    if (below(6) == 0 || !model_.ready) rebuild();
  }

 private:
  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }

  bool epoch_is_right() const { return model_.ready && lane_.epoch == model_.epoch; }

  /// Mostly the epoch that the lane has.
  void choose_epoch() {
    lane_.epoch = below(20) == 0 ? static_cast<Epoch>(below(4) + model_.epoch) : model_.epoch;
  }

  Attempt random_attempt() {
    if (!attempts_.empty() && below(3) == 0) return attempts_[below(attempts_.size())];
    const auto quantity = static_cast<std::uint32_t>(below(3) + 1);
    attempts_.push_back(lane_.attempt("user" + std::to_string(below(12)), quantity));
    return attempts_.back();
  }

  void reserve() {
    choose_epoch();
    std::vector<Attempt> batch;
    for (auto count = below(6); count > 0; --count) batch.push_back(random_attempt());
    const auto reply = lane_.try_reserve(batch);
    const auto of_this_epoch = [&](const auto& a) { return a.id.epoch() == lane_.epoch; };
    const auto of_older_ones = [&](const auto& a) { return a.id.epoch() < lane_.epoch; };
    const bool late = std::ranges::all_of(batch, of_older_ones);
    if (!late && !std::ranges::all_of(batch, of_this_epoch)) {
      ASSERT_EQ(reply.error(), Errc::invalid);
      return;
    }
    if (!epoch_is_right()) {
      ASSERT_EQ(reply.error(), Errc::not_ready);
      return;
    }
    ASSERT_EQ(error_of(reply), "ok");
    ASSERT_EQ(reply->reservations.size(), batch.size());
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const auto expected = model_.reserve(batch[i], late);
      ASSERT_EQ(reply->reservations[i].verdict, expected.verdict);
      ASSERT_EQ(reply->reservations[i].existing, expected.existing);
    }
    ASSERT_EQ(reply->version, first_version_ + model_.returns);
    ASSERT_EQ(reply->may_return, !model_.pending.empty());
  }

  void settle() {
    if (attempts_.empty()) return;
    choose_epoch();
    std::vector<Settlement> batch;
    for (auto count = below(5) + 1; count > 0; --count) {
      const auto action = static_cast<SettleAction>(below(3));
      batch.push_back(settlement_of(attempts_[below(attempts_.size())], action));
    }
    ASSERT_EQ(error_of(lane_.try_settle(batch)), "ok");
    if (!epoch_is_right()) return;
    for (const auto& settlement : batch) model_.settle(settlement);
  }

  void find() {
    choose_epoch();
    std::vector<UserId> users;
    for (auto count = below(6); count > 0; --count) {
      users.push_back(UserId::parse("user" + std::to_string(below(14))).value());
    }
    const auto found = lane_.try_find(users);
    if (!epoch_is_right()) {
      ASSERT_EQ(found.error(), Errc::not_ready);
      return;
    }
    ASSERT_EQ(found->size(), users.size());
    for (std::size_t i = 0; i < users.size(); ++i) {
      const auto order = model_.orders.find(users[i]);
      ASSERT_EQ((*found)[i].has_value(), order != model_.orders.end());
      if (order == model_.orders.end()) continue;
      ASSERT_EQ(*(*found)[i], order->second);
    }
  }

  void look() {
    const auto view = lane_.view();
    ASSERT_EQ(view.ready, model_.ready);
    std::set<OrderId> pending;
    for (const auto& message : lane_.overdue()) pending.insert(message.id);
    ASSERT_EQ(pending, model_.pending);
    if (!view.ready) return;
    ASSERT_EQ(view.epoch, model_.epoch);
    ASSERT_EQ(view.version, first_version_ + model_.returns);
    ASSERT_EQ(view.stock, model_.stock);
    ASSERT_EQ(view.pending, model_.pending.size());
    ASSERT_EQ(view.held, model_.held());
    ASSERT_EQ(view.window, model_.window);
    lane_.epoch = model_.epoch;
    ASSERT_EQ(lane_.winners(1 + below(4)), model_.listed);
  }

  void change_window() {
    choose_epoch();
    auto window = open_window();
    if (below(4) == 0) window.state = SaleState::paused;
    window.revision = static_cast<std::uint32_t>(below(4));
    const auto changed = lane_.set_window(window);
    if (epoch_is_right()) {
      ASSERT_EQ(error_of(changed), "ok");
      if (window.revision >= model_.window.revision) model_.window = window;
    } else {
      ASSERT_EQ(changed.error(), Errc::not_ready);
    }
  }

  /// Closes the lane, or loses it.
  void end() {
    if (below(20) == 0) {
      world_.lose(lane_.lane);
      model_.ready = model_.known = false;
      model_.pending.clear();
    } else if (below(8) == 0) {
      // From one below to two above the lane's.
      lane_.epoch = static_cast<Epoch>(std::max<std::uint64_t>(1, model_.epoch + below(4)) - 1);
      ASSERT_EQ(error_of(lane_.close()), "ok");
      model_.close(lane_.epoch);
    }
  }

  void rebuild() {
    const auto epoch = static_cast<Epoch>(
        std::max<std::int64_t>(1, static_cast<std::int64_t>(model_.epoch + below(4)) - 1));
    auto image = lane_.image(static_cast<std::int64_t>(below(15)), epoch);
    for (const auto& [user, order] : model_.orders) {
      if (order.status == OrderStatus::confirmed) image.winners.emplace_back(user, order);
    }
    const auto rebuilt = lane_.rebuild(image);
    if (!model_.rebuild(image)) {
      ASSERT_EQ(rebuilt.error(), Errc::stale);
      return;
    }
    ASSERT_EQ(error_of(rebuilt), "ok");
    first_version_ = lane_.view().version;
  }

  InventoryWorld& world_;
  LaneDriver lane_;
  std::mt19937_64 random_;
  Model model_;
  std::uint64_t first_version_ = 0;
  std::vector<Attempt> attempts_;
};

}  // namespace

void compare_with_model(InventoryWorld& world, std::uint64_t seed, int steps) {
  History history(world, seed);
  for (int i = 0; i < steps; ++i) {
    history.step();
    if (testing::Test::HasFatalFailure()) {
      ADD_FAILURE() << "seed " << seed << ", step " << i;
      return;
    }
  }
}

}  // namespace sluice::test
