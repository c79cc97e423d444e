#include "sluice/orders/sold_out_views.hpp"

#include <gtest/gtest.h>
#include <memory>
#include <optional>
#include <vector>

#include "orders/purchase_fixture.hpp"

namespace sluice {
namespace {

using test::user_of;

constexpr LaneId kLane{7, 0};
constexpr LaneId kOther{8, 0};

/// One node's views of lanes that purchases reach by another inventory.
class SoldOutViewsTest : public testing::Test {
 protected:
  /// What one node has: its views, its own way to the lanes, and a reader on each of two threads.
  struct Node {
    Node(SoldOutViewsTest& test, const SoldOutSettings& settings)
        : inventory(test.clock_),
          router(test.mode_, {inventory, test.queue_, inventory, test.queue_}),
          views(settings, {router, test.book_, test.clock_, test.metrics_}),
          stage(reader.stage(test.random_)),
          other_stage(other_reader.stage(test.random_)),
          upkeep(test.loop_.start(views.upkeep())) {}

    test::FakeInventory inventory;
    LaneRouter router;
    SoldOutViews views;
    SoldOutViews::Reader reader{views};
    SoldOutViews::Reader other_reader{views};
    AdmissionStage stage;
    AdmissionStage other_stage;
    test::Running<bool> upkeep;
  };

  SoldOutViewsTest() {
    sell({kLane.sale, kOther.sale});
    node_.emplace(*this, settings_);
  }

  /// The sales of the node's book.
  void sell(const std::vector<SaleId>& ids,
            TimePoint ends_at = test::FakeClock::kStart + std::chrono::hours(1)) {
    auto book = std::make_shared<SaleSnapshot>();
    book->loaded = true;
    for (const auto id : ids) {
      auto& sale = book->sales[id];
      sale.id = id;
      sale.terms = test::draft_of(100);
      sale.terms.starts_at = test::FakeClock::kStart - std::chrono::hours(1);
      sale.terms.ends_at = ends_at;
      sale.state = SaleState::open;
    }
    book_.publish(book);
  }

  /// A lane without units whose winners are the users from `first` on.
  static test::FakeInventory::Lane& sold_out(Node& node, LaneId id, std::size_t winners,
                                             std::uint64_t first = 1000) {
    auto& lane = node.inventory.open_lane(id, 0);
    for (std::size_t i = 0; i < winners; ++i)
      lane.winners.push_back(winner_hash(user_of(first + i)));
    return lane;
  }

  static ReserveReply reply_of(Verdict verdict, std::uint64_t version = 1) {
    ReserveReply reply;
    reply.version = version;
    reply.reservations = {{verdict, {}}};
    return reply;
  }

  void turn(Millis by = Millis{50}) {
    clock_.advance(by);
    loop_.turn();
  }

  std::string ask(const AdmissionStage& stage, std::uint64_t user, LaneId lane = kLane) {
    const auto id = user_of(user);
    Sale sale;
    Admission admission{clock_.now(), clock_.ticks(), {}, &id, &sale, lane};
    const auto refusal = stage(admission);
    return refusal ? std::string(problem(refusal->code).name) : "passes";
  }
  std::string ask(std::uint64_t user, LaneId lane = kLane) { return ask(node_->stage, user, lane); }

  /// The lane says it to the first thread, and the views are brought up to date.
  void said_sold_out(LaneId lane = kLane) {
    node_->reader.heard(lane, 1, reply_of(Verdict::sold_out));
    for (int i = 0; i < 5; ++i) turn();
  }

  test::EventLoop loop_;
  test::FakeClock clock_;
  test::FakeQueue queue_;
  ModeSnapshot mode_{std::make_shared<ModeState>()};
  SaleBook book_{std::make_shared<SaleSnapshot>()};
  Metrics metrics_;
  Random random_ = std::mt19937_64(5);
  SoldOutSettings settings_;
  std::optional<Node> node_;
};

TEST_F(SoldOutViewsTest, ALaneThatSaidItRefusesOnEveryThread) {
  sold_out(*node_, kLane, 3);
  EXPECT_EQ(ask(1), "passes");
  said_sold_out();
  EXPECT_EQ(ask(1), "sold_out");
  EXPECT_EQ(ask(node_->other_stage, 1), "sold_out");
  EXPECT_EQ(ask(1001), "passes") << "a winner";
  EXPECT_EQ(ask(node_->other_stage, 1001), "passes");
  EXPECT_EQ(ask(1, kOther), "passes");
}

// 16 nodes sell 50,000 units out: each reads as many pages as there are, all of them bounded, and
// none on the way that purchases take.
TEST_F(SoldOutViewsTest, ReadingFiftyThousandWinnersCostsAPageForEachFourThousand) {
  constexpr std::size_t kWinners = 50'000;
  constexpr std::size_t kPages = (kWinners + kWinnersPageMax - 1) / kWinnersPageMax;
  std::vector<std::unique_ptr<Node>> nodes;
  for (int i = 0; i < 16; ++i) {
    nodes.push_back(std::make_unique<Node>(*this, settings_));
    sold_out(*nodes.back(), kLane, kWinners);
    nodes.back()->reader.heard(kLane, 1, reply_of(Verdict::sold_out));
  }
  // A page is under way at a time: this is what the pauses between them allow.
  for (std::size_t i = 0; i < 2 + kPages; ++i) turn();
  for (const auto& node : nodes) {
    EXPECT_EQ(ask(node->stage, 1), "sold_out");
    for (const std::uint64_t winner : {1000U, 5095U, 5096U, 50'999U}) {
      EXPECT_EQ(ask(node->stage, winner), "passes");
    }
    EXPECT_LE(node->inventory.on_winners.calls(), kPages + 1);
    EXPECT_LE(node->inventory.winners_max, kWinnersPageMax);
    EXPECT_EQ(node->inventory.on_view.calls() + node->inventory.on_reserve.calls(), 0U);
  }
}

TEST_F(SoldOutViewsTest, CallsAreMadeOneByOneWithAPauseBetween) {
  for (SaleId sale = 100; sale < 120; ++sale) {
    sold_out(*node_, {sale, 0}, 1);
    node_->reader.heard({sale, 0}, 1, reply_of(Verdict::sold_out));
  }
  std::vector<SaleId> sales;
  for (SaleId sale = 100; sale < 120; ++sale) sales.push_back(sale);
  sell(sales);
  turn();
  for (std::size_t calls = 1; calls <= 20; ++calls) {
    EXPECT_EQ(node_->inventory.on_winners.calls(), calls);
    turn(settings_.page_pause);
  }
}

TEST_F(SoldOutViewsTest, LooksOnlyWhileBuyersAsk) {
  sold_out(*node_, kLane, 3);
  said_sold_out();
  const auto calls = node_->inventory.on_winners.calls();
  for (int i = 0; i < 100; ++i) turn();
  EXPECT_EQ(node_->inventory.on_winners.calls(), calls) << "nobody asked";
  EXPECT_EQ(ask(1), "passes") << "stale";
  for (int i = 0; i < 3; ++i) turn();
  EXPECT_EQ(node_->inventory.on_winners.calls(), calls + 1);
  EXPECT_EQ(ask(1), "sold_out");
}

TEST_F(SoldOutViewsTest, IsFreshFromTheQuestionOnNotFromItsAnswer) {
  sold_out(*node_, kLane, 3);
  node_->inventory.on_winners.hold();
  node_->reader.heard(kLane, 1, reply_of(Verdict::sold_out));
  turn();
  turn(Millis{400});
  node_->inventory.on_winners.let_go();
  turn(Millis{0});
  EXPECT_EQ(ask(1), "sold_out");
  node_->inventory.on_winners.fail_always(Errc::unavailable);
  turn(settings_.fresh - Millis{400});
  EXPECT_EQ(ask(1), "passes");
}

TEST_F(SoldOutViewsTest, WhatOneThreadHeardTheOthersHeed) {
  sold_out(*node_, kLane, 3);
  said_sold_out();
  ASSERT_EQ(ask(node_->other_stage, 2000), "sold_out");
  // A unit came back and is granted to that user on this node.
  node_->reader.heard(kLane, 1, reply_of(Verdict::granted, 2));
  EXPECT_EQ(ask(node_->other_stage, 2000), "passes") << "at once, also before the next look";
}

TEST_F(SoldOutViewsTest, ReadsOnFromItsPlaceAfterAReturn) {
  auto& lane = sold_out(*node_, kLane, 10'000);
  said_sold_out();
  ASSERT_EQ(ask(1), "sold_out");
  const auto calls = node_->inventory.on_winners.calls();
  lane.winners.push_back(winner_hash(user_of(1)));
  ++lane.version;
  for (int i = 0; i < 6; ++i) turn();
  EXPECT_EQ(node_->inventory.on_winners.calls(), calls + 1);
  EXPECT_EQ(ask(1), "passes") << "the new winner";
  EXPECT_EQ(ask(1001), "passes") << "an old one";
  EXPECT_EQ(ask(2), "sold_out");
}

TEST_F(SoldOutViewsTest, ForgetsALaneWhoseSaleIsOver) {
  sold_out(*node_, kLane, 3);
  sold_out(*node_, kOther, 3);
  said_sold_out();
  said_sold_out(kOther);
  const auto kept = [this] {
    return metrics_.text().find("sluice_sold_out_winners 6") != std::string::npos;
  };
  EXPECT_TRUE(kept());
  sell({kOther.sale});
  turn();
  EXPECT_FALSE(kept());
  EXPECT_EQ(ask(1), "passes") << "the sale left the book";
  EXPECT_EQ(ask(1, kOther), "sold_out");
  sell({kOther.sale}, clock_.now());
  turn();
  EXPECT_EQ(ask(1, kOther), "passes") << "the sale has ended";
  EXPECT_NE(metrics_.text().find("sluice_sold_out_winners 0"), std::string::npos);
  said_sold_out(kOther);
  EXPECT_EQ(ask(1, kOther), "passes") << "nor is it taken in again";
}

TEST_F(SoldOutViewsTest, AnInventoryBehindTheFenceIsNotBelieved) {
  sold_out(*node_, kLane, 3);
  ModeState state;
  state.fences[kLane] = 2;
  mode_.publish(std::make_shared<ModeState>(state));
  said_sold_out();
  EXPECT_EQ(ask(1), "passes");
  EXPECT_EQ(node_->inventory.on_winners.calls(), 0U);
}

TEST_F(SoldOutViewsTest, AnotherEpochIsReadAnew) {
  sold_out(*node_, kLane, 3);
  said_sold_out();
  ASSERT_EQ(ask(5000), "sold_out");
  auto& lane = node_->inventory.open_lane(kLane, 0, 2);
  lane.winners = {winner_hash(user_of(5000))};
  node_->other_reader.heard(kLane, 2, reply_of(Verdict::sold_out));
  EXPECT_EQ(ask(5000), "passes") << "this node heard of it";
  for (int i = 0; i < 5; ++i) turn();
  EXPECT_EQ(ask(5000), "passes");
  EXPECT_EQ(ask(1001), "sold_out") << "nobody of the new epoch";
}

}  // namespace
}  // namespace sluice
