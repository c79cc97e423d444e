#include <algorithm>
#include <chrono>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <latch>
#include <set>
#include <thread>

#include "support/order_store_suite.hpp"

namespace sluice::test {
namespace {

using testing::ElementsAre;
using testing::UnorderedElementsAreArray;

ContractRegistry& registry() {
  static ContractRegistry contracts;
  return contracts;
}

/// Epochs of a lane, and what is true under them.
class OrderStoreEpochs : public OrderStoreSuite {
 protected:
  void suspect(LaneId lane) { run_awaitable(orders().suspect(soon(), lane)).value(); }

  LaneSnapshot lane_snapshot(LaneId lane, const std::vector<UserId>& users = {}) {
    return run_awaitable(orders().lane_snapshot(soon(), lane, users)).value();
  }

  /// Raises the fence if it is still the one that was seen: "ok", or the error.
  std::string raise_from(Epoch seen, LaneId lane, Epoch epoch) {
    return error_of(
        run_awaitable(orders().raise_fence(soon(), Fence{lane, epoch}, seen, std::nullopt)));
  }

  /// Makes `holder` the leader; its term.
  Term lead(const std::string& holder) {
    const std::string name(kLeaderLease);
    if (!leader_.empty()) run_awaitable(stores_.control->release(soon(), name, leader_)).value();
    leader_ = holder;
    const Millis long_enough{60'000};
    return run_awaitable(stores_.control->acquire(soon(), name, holder, long_enough)).value().term;
  }

  Result<Epoch> allot(LaneId lane, Term leader, Authority authority = Authority::inventory) {
    return run_awaitable(orders().next_epoch(soon(), lane, authority, leader));
  }

  std::string begin_opening(LaneId lane, Epoch epoch, Term leader) {
    return error_of(run_awaitable(orders().begin_opening(soon(), Fence{lane, epoch}, leader)));
  }

  std::string raise_as(Term leader, LaneId lane, Epoch epoch) {
    return error_of(
        run_awaitable(orders().raise_fence(soon(), Fence{lane, epoch}, std::nullopt, leader)));
  }

  std::vector<LaneFigures> lanes_of(SaleId sale) {
    return run_awaitable(orders().audit(soon(), sale)).value();
  }

  /// A lane of an open sale whose window is that many hours from now.
  LaneId create_lane_at(int starts_in, int ends_in, SaleState state = SaleState::open) {
    const auto now = system_clock()->now();
    auto draft = draft_of(10);
    draft.starts_at = now + std::chrono::hours(starts_in);
    draft.ends_at = now + std::chrono::hours(ends_in);
    const auto sale = run_awaitable(stores_.sales->create(soon(), draft)).value();
    if (state != SaleState::draft) {
      run_awaitable(stores_.sales->set_state(soon(), sale.id, SaleState::open)).value();
      run_awaitable(stores_.sales->set_state(soon(), sale.id, state)).value();
    }
    return LaneId{sale.id, 0};
  }

 private:
  std::string leader_;
};

// Epochs and the fence.

TEST_P(OrderStoreEpochs, a_fresh_lane_was_never_opened) {
  const auto lane = create_lane(10);
  EXPECT_EQ(head(lane), LaneHead{});
  EXPECT_EQ(head(lane).authority(), Authority::inventory);
  EXPECT_EQ(image(lane).epoch, 0u);
}

TEST_P(OrderStoreEpochs, an_epoch_is_allotted_once_and_changes_nothing_until_the_fence_is_raised) {
  const auto lane = create_lane(10);
  EXPECT_EQ(next_epoch(lane), 1u);
  EXPECT_EQ(next_epoch(lane), 2u);
  EXPECT_EQ(head(lane), (LaneHead{0, 2, 0, 0}));
  const Messages messages{message_of(lane, user_of(1), 1, 1)};
  EXPECT_THAT(apply(messages), ElementsAre(confirmed(messages[0])));
  raise_fence(lane, 1);
  EXPECT_EQ(head(lane), (LaneHead{1, 2, 0, 0}));
  EXPECT_EQ(next_epoch(lane), 3u);
}

TEST_P(OrderStoreEpochs, epochs_allotted_at_once_are_unique) {
  if (!world_->concurrent()) GTEST_SKIP() << "this adapter has one instance at a time";
  const auto lane = create_lane(10);
  std::vector<std::vector<Epoch>> got(4);
  std::vector<std::thread> threads;
  for (auto& epochs : got) {
    threads.emplace_back([&] {
      auto stores = world_->open();
      for (int i = 0; i < 25; ++i) {
        const auto epoch =
            run_awaitable(stores.orders->next_epoch(soon(), lane, Authority::store, std::nullopt));
        if (epoch.has_value()) epochs.push_back(*epoch);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  std::vector<Epoch> all;
  for (const auto& epochs : got) all.insert(all.end(), epochs.begin(), epochs.end());
  std::sort(all.begin(), all.end());
  ASSERT_EQ(all.size(), 100u);
  for (std::size_t i = 0; i < all.size(); ++i) ASSERT_EQ(all[i], i + 1);
  EXPECT_EQ(head(lane), (LaneHead{0, 100, 100, 0}));
}

TEST_P(OrderStoreEpochs, the_store_sells_while_its_own_epoch_is_the_fence) {
  const auto lane = create_lane(10);
  fence(lane);
  EXPECT_EQ(next_epoch(lane, Authority::store), 2u);
  EXPECT_EQ(head(lane), (LaneHead{1, 2, 2, 0}));
  EXPECT_EQ(head(lane).authority(), Authority::inventory) << "its fence is still on its way";
  raise_fence(lane, 2);
  EXPECT_EQ(head(lane).authority(), Authority::store);
  fence(lane);
  EXPECT_EQ(head(lane), (LaneHead{3, 3, 2, 0}));
  EXPECT_EQ(head(lane).authority(), Authority::inventory);
}

TEST_P(OrderStoreEpochs, a_fence_never_falls_nor_passes_what_was_allotted) {
  const auto lane = create_lane(10);
  for (int i = 0; i < 3; ++i) next_epoch(lane);
  raise_fence(lane, 2);
  raise_fence(lane, 1);
  raise_fence(lane, 0);
  EXPECT_EQ(head(lane).fence, 2u);
  raise_fence(lane, 4);
  raise_fence(lane, 4'000'000'000u);
  EXPECT_EQ(head(lane), (LaneHead{2, 3, 0, 0}));
  raise_fence({lane.sale, 1}, 1);
  raise_fence({lane.sale + 1000, 0}, 1);
}

TEST_P(OrderStoreEpochs, a_fence_is_raised_only_from_the_one_that_was_seen) {
  const auto stale = make_error_code(Errc::stale).message();
  const auto lane = create_lane(10);
  for (int i = 0; i < 4; ++i) next_epoch(lane);
  EXPECT_EQ(raise_from(1, lane, 2), stale) << "it is not that far yet";
  EXPECT_EQ(head(lane).fence, 0u);
  EXPECT_EQ(raise_from(0, lane, 2), "ok");
  EXPECT_EQ(head(lane).fence, 2u);
  EXPECT_EQ(raise_from(0, lane, 3), stale) << "somebody was quicker";
  EXPECT_EQ(raise_from(1, lane, 3), stale);
  EXPECT_EQ(raise_from(4'000'000'000u, lane, 3), stale);
  EXPECT_EQ(head(lane).fence, 2u);
  EXPECT_EQ(raise_from(2, lane, 4), "ok");
  EXPECT_EQ(head(lane), (LaneHead{4, 4, 0, 0}));
}

TEST_P(OrderStoreEpochs, a_fence_that_was_seen_does_not_fall_nor_pass_what_was_allotted) {
  const auto lane = create_lane(10);
  for (int i = 0; i < 3; ++i) next_epoch(lane);
  raise_fence(lane, 2);
  EXPECT_EQ(raise_from(2, lane, 1), "ok");
  EXPECT_EQ(raise_from(2, lane, 4), "ok");
  EXPECT_EQ(raise_from(2, lane, 4'000'000'000u), "ok");
  EXPECT_EQ(head(lane), (LaneHead{2, 3, 0, 0}));
}

TEST_P(OrderStoreEpochs, no_fence_was_seen_of_an_unknown_lane) {
  const auto stale = make_error_code(Errc::stale).message();
  const auto sale = create_sale(10, 2);
  next_epoch({sale.id, 1});
  for (const auto lane : {LaneId{sale.id, 2}, LaneId{sale.id + 1000, 0}}) {
    EXPECT_EQ(raise_from(0, lane, 1), stale);
    EXPECT_EQ(raise_from(1, lane, 1), stale);
  }
  fence({sale.id, 0});
  EXPECT_EQ(raise_from(0, {sale.id, 1}, 1), "ok") << "the other lane's fence does not count";
}

TEST_P(OrderStoreEpochs, of_all_who_saw_the_same_fence_one_raises_it) {
  if (!world_->concurrent()) GTEST_SKIP() << "this adapter has one instance at a time";
  constexpr std::size_t kRacers = 4;
  constexpr Epoch kRounds = 20;
  const auto lane = create_lane(10);
  for (Epoch i = 0; i < kRounds * kRacers; ++i) next_epoch(lane);
  for (Epoch round = 0; round < kRounds; ++round) {
    const auto seen = head(lane).fence;
    std::vector<std::string> said(kRacers);
    std::latch ready(kRacers);
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < kRacers; ++i) {
      threads.emplace_back([&, i] {
        const auto stores = world_->open();
        const Fence fence{lane, static_cast<Epoch>(seen + i + 1)};
        EXPECT_EQ(error_of(run_awaitable(stores.orders->head(soon(), lane))), "ok");
        ready.arrive_and_wait();
        said[i] =
            error_of(run_awaitable(stores.orders->raise_fence(soon(), fence, seen, std::nullopt)));
      });
    }
    for (auto& thread : threads) thread.join();
    ASSERT_EQ(std::ranges::count(said, "ok"), 1) << "round " << round;
    const auto winner = std::ranges::find(said, "ok") - said.begin();
    ASSERT_EQ(head(lane).fence, seen + static_cast<Epoch>(winner) + 1);
    said.erase(said.begin() + winner);
    for (const auto& error : said) ASSERT_EQ(error, make_error_code(Errc::stale).message());
  }
}

TEST_P(OrderStoreEpochs, a_leader_that_was_replaced_changes_no_lane_any_more) {
  const auto stale = make_error_code(Errc::stale).message();
  const auto lane = create_lane(10);
  EXPECT_EQ(allot(lane, 1).error(), Errc::stale) << "nobody leads";
  const auto old = lead("a");
  ASSERT_EQ(allot(lane, old).value(), 1u);
  const auto now = lead("b");
  EXPECT_EQ(allot(lane, old).error(), Errc::stale);
  EXPECT_EQ(raise_as(old, lane, 1), stale);
  EXPECT_EQ(head(lane), (LaneHead{0, 1, 0, 0}));
  EXPECT_EQ(raise_as(now, lane, 1), "ok");
  EXPECT_EQ(begin_opening(lane, 1, old), stale);
  EXPECT_EQ(begin_opening(lane, 1, now), "ok");
  EXPECT_EQ(head(lane), (LaneHead{1, 1, 0, 0}));
}

TEST_P(OrderStoreEpochs, an_epoch_that_nobody_began_to_open_is_handed_over) {
  const auto lane = create_lane(10);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(allot(lane, lead("a")).value(), 1u);
    EXPECT_EQ(allot(lane, lead("b")).value(), 1u);
  }
  raise_fence(lane, 1);
  const auto leader = lead("c");
  EXPECT_EQ(allot(lane, leader).value(), 1u) << "its fence is raised, and it is not opened";
  EXPECT_EQ(begin_opening(lane, 1, leader), "ok");
  EXPECT_EQ(allot(lane, leader).value(), 2u) << "its opening may still arrive";
  EXPECT_EQ(head(lane), (LaneHead{1, 2, 0, 0}));
}

TEST_P(OrderStoreEpochs, an_epoch_is_opened_once_and_under_its_fence_alone) {
  const auto stale = make_error_code(Errc::stale).message();
  const auto lane = create_lane(10);
  const auto leader = lead("a");
  EXPECT_EQ(begin_opening(lane, 0, leader), stale) << "nothing was allotted";
  ASSERT_EQ(allot(lane, leader).value(), 1u);
  EXPECT_EQ(begin_opening(lane, 1, leader), stale) << "its fence is on its way";
  raise_fence(lane, 1);
  EXPECT_EQ(begin_opening(lane, 2, leader), stale);
  EXPECT_EQ(begin_opening({lane.sale, 1}, 1, leader), stale);
  EXPECT_EQ(begin_opening(lane, 1, leader), "ok");
  EXPECT_EQ(begin_opening(lane, 1, leader), stale) << "somebody began";
  ASSERT_EQ(allot(lane, leader).value(), 2u);
  EXPECT_EQ(begin_opening(lane, 1, leader), stale) << "it is not the last one";
}

TEST_P(OrderStoreEpochs, an_epoch_is_handed_over_to_its_own_authority_alone) {
  const auto lane = create_lane(10);
  const auto leader = lead("a");
  EXPECT_EQ(allot(lane, leader, Authority::store).value(), 1u);
  EXPECT_EQ(allot(lane, leader, Authority::store).value(), 1u);
  EXPECT_EQ(allot(lane, leader, Authority::inventory).value(), 2u);
  EXPECT_EQ(allot(lane, leader, Authority::store).value(), 3u);
  EXPECT_EQ(next_epoch(lane), 4u) << "who does not lead is given a new one";
  EXPECT_EQ(allot(lane, leader, Authority::inventory).value(), 5u) << "nor is his handed over";
}

TEST_P(OrderStoreEpochs, the_heads_of_all_lanes_of_many_sales_come_together) {
  const auto two = create_sale(10, 2);
  const auto one = create_sale(10);
  const auto other = create_sale(10);
  fence({two.id, 1});
  next_epoch({one.id, 0}, Authority::store);
  const std::vector<SaleId> asked{one.id, two.id, other.id + 1000};
  auto heads = run_awaitable(orders().heads(soon(), asked)).value();
  using Head = std::pair<LaneId, LaneHead>;
  EXPECT_THAT(heads,
              testing::UnorderedElementsAre(Head{{two.id, 0}, {}}, Head{{two.id, 1}, {1, 1, 0, 0}},
                                            Head{{one.id, 0}, {0, 1, 1, 0}}));
  EXPECT_TRUE(run_awaitable(orders().heads(soon(), {})).value().empty());
}

TEST_P(OrderStoreEpochs, lanes_have_their_own_epochs) {
  const auto sale = create_sale(10, 2);
  fence({sale.id, 1});
  suspect({sale.id, 1});
  EXPECT_EQ(head({sale.id, 0}), LaneHead{});
  EXPECT_EQ(head({sale.id, 1}), (LaneHead{1, 1, 0, 1}));
}

TEST_P(OrderStoreEpochs, an_unknown_lane_is_not_found) {
  const auto known = create_lane(10);
  for (const auto lane : {LaneId{known.sale, 1}, LaneId{known.sale + 1000, 0}}) {
    EXPECT_EQ(run_awaitable(orders().head(soon(), lane)).error(), Errc::not_found);
    EXPECT_EQ(
        run_awaitable(orders().next_epoch(soon(), lane, Authority::store, std::nullopt)).error(),
        Errc::not_found);
    EXPECT_EQ(run_awaitable(orders().suspect(soon(), lane)).error(), Errc::not_found);
    EXPECT_EQ(run_awaitable(whole_image(orders(), soon(), lane)).error(), Errc::not_found);
    EXPECT_EQ(run_awaitable(orders().lane_snapshot(soon(), lane, {})).error(), Errc::not_found);
  }
}

TEST_P(OrderStoreEpochs, messages_below_the_fence_become_no_rows) {
  const auto lane = create_lane(10);
  fence(lane);
  fence(lane);
  const Messages messages{message_of(lane, user_of(1), 1, 1), message_of(lane, user_of(2), 1, 2),
                          message_of(lane, user_of(3), 1, 3)};
  const Outcome parked{messages[0].id, OrderStatus::queued, RejectReason::none};
  EXPECT_THAT(apply(messages), ElementsAre(parked, confirmed(messages[1]), confirmed(messages[2])));
  const SaleFigures expected{10, 8, 2, 2, 0, 0};
  EXPECT_EQ(audit(lane.sale), expected);
}

TEST_P(OrderStoreEpochs, an_order_decided_before_the_fence_keeps_its_outcome) {
  const auto lane = create_lane(1);
  const Messages messages{message_of(lane, user_of(1)), message_of(lane, user_of(1)),
                          message_of(lane, user_of(2))};
  const auto outcomes = apply(messages);
  fence(lane);
  fence(lane);
  EXPECT_EQ(apply(messages), outcomes);
  EXPECT_EQ(head(lane).suspect, 0u);
}

TEST_P(OrderStoreEpochs, epochs_survive_reopening) {
  const auto lane = create_lane(10);
  fence(lane);
  suspect(lane);
  next_epoch(lane, Authority::store);
  stores_ = StoreSet{};
  stores_ = world_->open();
  EXPECT_EQ(head(lane), (LaneHead{1, 2, 2, 1}));
}

// Divergence.

TEST_P(OrderStoreEpochs, a_new_rejection_under_the_fence_makes_the_epoch_suspect) {
  const auto sale = create_sale(4, 2);
  const LaneId left{sale.id, 0};
  const LaneId right{sale.id, 1};
  fence(left);
  fence(right);
  apply({message_of(left, user_of(1)), message_of(right, user_of(2))});
  EXPECT_FALSE(head(left).suspected());
  apply({message_of(left, user_of(1)), message_of(right, user_of(3))});
  EXPECT_EQ(head(left), (LaneHead{1, 1, 0, 1})) << "a duplicate";
  EXPECT_TRUE(head(left).suspected());
  EXPECT_EQ(head(right).suspect, 0u) << "another lane";
  const auto late = message_of(right, user_of(4));
  EXPECT_THAT(apply({late}), ElementsAre(rejected(late, RejectReason::stock)));
  EXPECT_EQ(head(right), (LaneHead{1, 1, 0, 1})) << "no unit was left";

  fence(left);
  EXPECT_FALSE(head(left).suspected());
  EXPECT_EQ(head(left), (LaneHead{2, 2, 0, 1}));
}

TEST_P(OrderStoreEpochs, other_refusals_prove_nothing) {
  const auto sale = create_sale(10, 1, 2);
  const LaneId lane{sale.id, 0};
  fence(lane);
  fence(lane);
  const auto original = message_of(lane, user_of(1), 1, 2);
  auto stolen = original;
  stolen.user = user_of(2);
  const Messages messages{original, stolen, message_of(lane, user_of(1), 1, 1),
                          message_of(lane, user_of(3), 3, 2), original};
  EXPECT_THAT(apply(messages),
              ElementsAre(confirmed(original), rejected(stolen, RejectReason::invalid),
                          Outcome{messages[2].id, OrderStatus::queued, RejectReason::none},
                          rejected(messages[3], RejectReason::invalid), confirmed(original)));
  EXPECT_EQ(head(lane).suspect, 0u);
}

TEST_P(OrderStoreEpochs, a_rejection_above_the_fence_proves_nothing_of_the_epoch_under_it) {
  const auto lane = create_lane(1);
  fence(lane);
  next_epoch(lane);
  const Messages messages{message_of(lane, user_of(1), 1, 1), message_of(lane, user_of(1), 1, 2),
                          message_of(lane, user_of(2), 1, 2)};
  EXPECT_THAT(apply(messages),
              ElementsAre(confirmed(messages[0]), rejected(messages[1], RejectReason::duplicate),
                          rejected(messages[2], RejectReason::stock)));
  EXPECT_EQ(head(lane).suspect, 0u);
}

TEST_P(OrderStoreEpochs, an_old_rejection_applied_again_proves_nothing) {
  const auto lane = create_lane(1);
  const Messages messages{message_of(lane, user_of(1)), message_of(lane, user_of(1)),
                          message_of(lane, user_of(2))};
  const auto outcomes = apply(messages);
  EXPECT_EQ(fence(lane), 1u);
  EXPECT_EQ(apply(messages), outcomes);
  EXPECT_EQ(head(lane), (LaneHead{1, 1, 0, 0}));
  const Messages mixed{messages[1], message_of(lane, user_of(3), 1, 2), messages[2]};
  apply(mixed);
  EXPECT_EQ(head(lane).suspect, 0u);
}

TEST_P(OrderStoreEpochs, what_the_store_granted_itself_may_be_refused) {
  const auto lane = create_lane(1);
  EXPECT_EQ(fence(lane, Authority::store), 1u);
  const Messages messages{message_of(lane, user_of(1)), message_of(lane, user_of(1)),
                          message_of(lane, user_of(2))};
  EXPECT_THAT(apply(messages),
              ElementsAre(confirmed(messages[0]), rejected(messages[1], RejectReason::duplicate),
                          rejected(messages[2], RejectReason::stock)));
  EXPECT_EQ(head(lane), (LaneHead{1, 1, 1, 0}));
  fence(lane);
  apply({message_of(lane, user_of(3), 1, 2)});
  EXPECT_EQ(head(lane), (LaneHead{2, 2, 1, 2})) << "an inventory's grants are not optimistic";
}

TEST_P(OrderStoreEpochs, a_rejection_before_the_fence_of_its_stretch_marks_the_epoch_that_ended) {
  const auto lane = create_lane(10);
  fence(lane);
  const auto epoch = next_epoch(lane);
  OffsetRange range{"orders", 0, 0, 3, TimePoint{Millis{100}}};
  range.fences = {Fence{lane, epoch}};
  apply({message_of(lane, user_of(1)), message_of(lane, user_of(1))}, range);
  EXPECT_EQ(head(lane), (LaneHead{2, 2, 0, 1}));
  EXPECT_FALSE(head(lane).suspected());
}

TEST_P(OrderStoreEpochs, an_operator_makes_the_epoch_under_the_fence_suspect) {
  const auto lane = create_lane(10);
  suspect(lane);
  EXPECT_EQ(head(lane), LaneHead{});
  EXPECT_FALSE(head(lane).suspected()) << "it was never opened";
  fence(lane);
  EXPECT_FALSE(head(lane).suspected());
  next_epoch(lane);
  suspect(lane);
  EXPECT_EQ(head(lane), (LaneHead{1, 2, 0, 1}));
  EXPECT_TRUE(head(lane).suspected());
  raise_fence(lane, 2);
  EXPECT_FALSE(head(lane).suspected());
}

// The image, the lane_snapshot and the audit.

TEST_P(OrderStoreEpochs, the_image_of_a_lane_is_what_was_decided_in_it) {
  const auto sale = create_sale(20, 2, 4);
  const LaneId lane{sale.id, 0};
  const Messages messages{message_of(lane, user_of(1), 3), message_of(lane, user_of(2), 4),
                          message_of(lane, user_of(2), 1), message_of(lane, user_of(3), 4),
                          message_of({sale.id, 1}, user_of(4), 1)};
  apply(messages);
  const auto opened =
      run_awaitable(stores_.sales->set_state(soon(), sale.id, SaleState::open)).value();
  fence(lane);
  next_epoch(lane);

  for (int look = 0; look < 2; ++look) {
    const auto image = this->image(lane);
    EXPECT_EQ(image.lane, lane);
    EXPECT_EQ(image.epoch, 1u) << "the fence, not what is still on its way";
    EXPECT_EQ(image.stock, 3);
    EXPECT_EQ(image.limit_per_order, 4u);
    EXPECT_EQ(image.window, window_of(opened));
    const std::vector<std::pair<UserId, OrderView>> winners{
        {user_of(1), {messages[0].id, OrderStatus::confirmed, 3}},
        {user_of(2), {messages[1].id, OrderStatus::confirmed, 4}}};
    EXPECT_THAT(image.winners, UnorderedElementsAreArray(winners));
  }
}

TEST_P(OrderStoreEpochs, an_image_of_many_pages_is_of_one_instant) {
  const auto lane = create_lane(10'000);
  Messages messages;
  for (unsigned i = 0; i < 2'500; ++i) messages.push_back(message_of(lane, user_of(i)));
  apply(messages);
  auto image = run_awaitable(orders().image(soon(), lane)).value();
  EXPECT_EQ(image.lane.stock, 7'500);
  EXPECT_EQ(image.lane.sold, 2'500);
  std::set<UserId> users;
  std::size_t pages = 0;
  for (bool last = false; !last; ++pages) {
    const auto page = run_awaitable(image.pages->next(soon())).value();
    EXPECT_LE(page.orders.size(), kImagePageMax);
    for (const auto& [user, order] : page.orders) EXPECT_TRUE(users.insert(user).second);
    last = page.last;
    // What is decided between two pages, others see and the image does not.
    apply({message_of(lane, user_of(5'000 + pages))});
    EXPECT_EQ(audit(lane.sale).live_orders, 2'501 + static_cast<std::int64_t>(pages));
  }
  EXPECT_GE(pages, 3U);
  EXPECT_EQ(users.size(), 2'500U);
  EXPECT_EQ(this->image(lane).winners.size(), 2'500 + pages);
}

TEST_P(OrderStoreEpochs, an_image_that_nobody_reads_to_its_end_holds_up_nobody) {
  const auto lane = create_lane(10'000);
  Messages messages;
  for (unsigned i = 0; i < 1'500; ++i) messages.push_back(message_of(lane, user_of(i)));
  apply(messages);
  for (int i = 0; i < 20; ++i) {
    auto image = run_awaitable(orders().image(soon(), lane)).value();
    if (i % 2 == 0) {
      EXPECT_TRUE(run_awaitable(image.pages->next(soon())));
    }
  }
  EXPECT_EQ(image(lane).winners.size(), 1'500U);
}

TEST_P(OrderStoreEpochs, the_winners_of_a_lane_are_listed_in_pages) {
  const auto sale = create_sale(200, 2);
  const LaneId lane{sale.id, 0};
  Messages messages;
  std::vector<UserId> users;
  for (unsigned i = 0; i < 40; ++i) {
    const LaneId of{sale.id, i % 2};
    messages.push_back(message_of(of, user_of(i)));
    if (of == lane) users.push_back(user_of(i));
  }
  messages.push_back(message_of(lane, user_of(99), 5000));
  apply(messages);
  const auto page = [&](const std::string& after, std::size_t max) {
    return run_awaitable(orders().winners(soon(), lane, after, max)).value();
  };
  const auto whole = page("", 1000);
  EXPECT_THAT(whole, UnorderedElementsAreArray(users));
  for (const std::size_t max : {1U, 3U, 20U}) {
    std::vector<UserId> read;
    for (auto some = page("", max); !some.empty(); some = page(read.back().text(), max)) {
      EXPECT_LE(some.size(), max);
      read.insert(read.end(), some.begin(), some.end());
    }
    EXPECT_EQ(read, whole);
  }
  const auto nobody = run_awaitable(orders().winners(soon(), LaneId{sale.id + 1000, 0}, "", 10));
  EXPECT_TRUE(nobody.value().empty());
}

TEST_P(OrderStoreEpochs, nothing_below_a_fence_raised_among_applies_comes_after_its_image) {
  if (!world_->concurrent()) GTEST_SKIP() << "this adapter has one instance at a time";
  for (int round = 0; round < 15; ++round) {
    const auto lane = create_lane(100'000);
    Messages messages;
    for (unsigned i = 0; i < 600; ++i) messages.push_back(message_of(lane, user_of(i), 1, 0));
    Racer racer;
    std::thread applier([&] { racer.run(*world_, messages, true, 40); });
    const auto end = soon();
    while (audit(lane.sale).live_orders == 0 && std::chrono::steady_clock::now() < end) {
    }
    const auto image = renew(orders(), lane);
    applier.join();
    ASSERT_EQ(racer.problem, "");

    std::int64_t units = 0;
    for (const auto& winner : image.winners) units += winner.second.quantity;
    EXPECT_EQ(image.stock + units, 100'000);
    const SaleFigures as_imaged{100'000, image.stock, units, units, 0, 0};
    EXPECT_EQ(audit(lane.sale), as_imaged);
  }
}

TEST_P(OrderStoreEpochs, the_standing_of_a_lane_tells_its_buyers_what_they_have) {
  const auto lane = create_lane(10);
  const auto other = create_lane(10);
  EXPECT_EQ(fence(lane, Authority::store), 1u);
  const Messages messages{message_of(lane, user_of(1), 2), message_of(lane, user_of(2), 3),
                          message_of(lane, user_of(3), 9), message_of(other, user_of(4))};
  apply(messages);
  next_epoch(lane);
  const auto seen =
      lane_snapshot(lane, {user_of(2), user_of(9), user_of(1), user_of(3), user_of(4), user_of(2)});
  EXPECT_EQ(seen.head, (LaneHead{1, 2, 1, 0}));
  EXPECT_EQ(seen.stock, 5);
  EXPECT_FALSE(seen.open) << "the sale is a draft";
  const OrderView first{messages[0].id, OrderStatus::confirmed, 2};
  const OrderView second{messages[1].id, OrderStatus::confirmed, 3};
  EXPECT_THAT(seen.orders,
              ElementsAre(second, std::nullopt, first, std::nullopt, std::nullopt, second));
  const auto alone = lane_snapshot(lane);
  EXPECT_EQ(alone.head, seen.head);
  EXPECT_EQ(alone.stock, 5);
  EXPECT_TRUE(alone.orders.empty());
}

TEST_P(OrderStoreEpochs, the_standing_says_whether_the_window_is_open_now) {
  const auto lane = create_lane_at(-1, 1);
  EXPECT_TRUE(lane_snapshot(lane).open);
  const auto sale = run_awaitable(stores_.sales->get(soon(), lane.sale)).value();
  EXPECT_EQ(lane_snapshot(lane).window, window_of(*sale));
  EXPECT_EQ(lane_snapshot(lane).window.state, SaleState::open);
  EXPECT_FALSE(lane_snapshot(create_lane_at(1, 2)).open) << "not yet";
  EXPECT_FALSE(lane_snapshot(create_lane_at(-2, -1)).open) << "over";
  EXPECT_FALSE(lane_snapshot(create_lane_at(-1, 1, SaleState::draft)).open);
  EXPECT_FALSE(lane_snapshot(create_lane_at(-1, 1, SaleState::paused)).open);
  EXPECT_FALSE(lane_snapshot(create_lane_at(-1, 1, SaleState::closed)).open);
}

TEST_P(OrderStoreEpochs, a_standing_is_asked_for_up_to_1024_users) {
  const auto lane = create_lane(2000);
  Messages messages;
  std::vector<UserId> users;
  for (unsigned i = 0; i < 1024; ++i) {
    users.push_back(user_of(i));
    if (i % 2 == 0) messages.push_back(message_of(lane, user_of(i)));
  }
  apply(messages);
  const auto seen = lane_snapshot(lane, users);
  ASSERT_EQ(seen.orders.size(), users.size());
  for (std::size_t i = 0; i < users.size(); ++i) {
    ASSERT_EQ(seen.orders[i].has_value(), i % 2 == 0) << i;
    if (i % 2 == 0) {
      ASSERT_EQ(seen.orders[i]->id, messages[i / 2].id);
    }
  }
  users.push_back(user_of(5000));
  EXPECT_EQ(run_awaitable(orders().lane_snapshot(soon(), lane, users)).error(), Errc::overloaded);
}

TEST_P(OrderStoreEpochs, the_audit_of_a_fresh_sale_has_all_its_stock_in_its_lanes) {
  const auto sale = create_sale(7, 3);
  const auto lanes = lanes_of(sale.id);
  ASSERT_EQ(lanes.size(), 3u);
  for (std::uint32_t index = 0; index < 3; ++index) {
    LaneFigures fresh;
    fresh.lane = LaneId{sale.id, index};
    fresh.initial = lane_stock(7, 3, index);
    fresh.stock = fresh.initial;
    EXPECT_EQ(lanes[index], fresh) << index;
  }
}

TEST_P(OrderStoreEpochs, the_audit_counts_lane_by_lane_and_finds_them_conserved) {
  const auto sale = create_sale(11, 2);
  const LaneId left{sale.id, 0};
  const LaneId right{sale.id, 1};
  fence(left);
  const Messages messages{message_of(left, user_of(1), 2),  message_of(left, user_of(2), 3),
                          message_of(left, user_of(1)),     message_of(left, user_of(3), 2),
                          message_of(left, user_of(4), 2),  message_of(right, user_of(5), 4),
                          message_of(right, user_of(5), 1), message_of(right, user_of(1), 1)};
  apply(messages);
  LaneFigures first;
  first.lane = left;
  first.head = LaneHead{1, 1, 0, 1};
  first.initial = 6;
  first.stock = 1;
  first.live_units = 5;
  first.live_orders = 2;
  first.rejected_stock = 2;
  first.rejected_duplicate = 1;
  LaneFigures second;
  second.lane = right;
  second.initial = 5;
  second.stock = 1;
  second.live_units = 4;
  second.live_orders = 1;
  second.rejected_duplicate = 2;
  const auto lanes = lanes_of(sale.id);
  ASSERT_EQ(lanes.size(), 2u);
  EXPECT_EQ(lanes[0], first);
  EXPECT_EQ(lanes[1], second);
  EXPECT_TRUE(lanes[0].conserved());
  EXPECT_TRUE(lanes[1].conserved());
}

TEST_P(OrderStoreEpochs, the_audit_of_an_unknown_sale_has_no_lanes) {
  create_lane(10);
  EXPECT_TRUE(lanes_of(999'999).empty());
}

// Programs that link the suites without a port to hold to them run none.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(OrderStoreEpochs);
INSTANTIATE_TEST_SUITE_P(Contract, OrderStoreEpochs, testing::ValuesIn(registry().contracts()),
                         contract_name);

}  // namespace

bool register_order_store_epochs(StoreContract contract) {
  return registry().add(std::move(contract));
}

}  // namespace sluice::test
