#include "support/order_queue_contract.hpp"

#include <algorithm>
#include <chrono>
#include <gtest/gtest.h>
#include <ostream>
#include <stdexcept>
#include <string>
#include <utility>

#include "support/store_values.hpp"

namespace sluice::test {

void PrintTo(const OrderQueueContract& contract, std::ostream* out) { *out << contract.name; }

namespace {

using std::chrono::steady_clock;

/// The `number`-th message of a test: no two share an id or a user.
OrderMessage message(std::uint32_t number, std::uint32_t lane = 0) {
  const auto user = "user-" + std::to_string(lane) + "-" + std::to_string(number);
  auto made = message_of({kContractSale, lane}, *UserId::parse(user));
  made.reserved_at = TimePoint{Millis{1'700'000'000'000 + number}};
  return made;
}

std::vector<OrderMessage> messages(std::uint32_t first, std::uint32_t count,
                                   std::uint32_t lane = 0) {
  std::vector<OrderMessage> made;
  for (std::uint32_t i = 0; i < count; ++i) made.push_back(message(first + i, lane));
  return made;
}

Ticks from_now(Millis delay) { return steady_clock::now() + delay; }

std::vector<OrderMessage> of_lane(const std::vector<OrderMessage>& all, std::uint32_t lane) {
  std::vector<OrderMessage> picked;
  std::copy_if(all.begin(), all.end(), std::back_inserter(picked),
               [&](const OrderMessage& m) { return m.lane.index == lane; });
  return picked;
}

void expect_taken(const Result<std::vector<Receipt>>& receipts,
                  const std::vector<OrderMessage>& sent) {
  ASSERT_TRUE(receipts.has_value()) << receipts.error().message();
  ASSERT_EQ(receipts->size(), sent.size());
  for (std::size_t i = 0; i < sent.size(); ++i) {
    const auto& receipt = (*receipts)[i];
    ASSERT_NE(receipt.kind, Receipt::Kind::unknown) << "message " << i;
    if (receipt.kind != Receipt::Kind::decided) continue;
    const Outcome confirmed{sent[i].id, OrderStatus::confirmed, RejectReason::none};
    EXPECT_EQ(receipt.outcome, confirmed) << "message " << i;
  }
}

std::vector<OrderQueueContract>& registry() {
  static std::vector<OrderQueueContract> contracts;
  return contracts;
}

std::string contract_name(const testing::TestParamInfo<OrderQueueContract>& info) {
  return info.param.name;
}

class OrderQueueTest : public testing::TestWithParam<OrderQueueContract> {
 protected:
  OrderQueueTest() : harness_(GetParam().make()) {}

  Result<std::vector<Receipt>> publish(std::vector<OrderMessage> messages,
                                       Millis patience = Millis{10'000}) {
    std::vector<OrderQueueHarness::Publish> calls;
    calls.push_back({from_now(patience), std::move(messages)});
    auto answers = harness_->publish(std::move(calls));
    if (answers.size() != 1) throw std::logic_error("the harness must answer every call");
    return std::move(answers.front());
  }

  std::unique_ptr<OrderQueueHarness> harness_;
};

TEST_P(OrderQueueTest, a_message_arrives_as_it_was_sent_and_gets_one_receipt) {
  auto sent = messages(1, 1);
  sent[0].quantity = 1'000;
  sent[0].user = *UserId::parse(std::string(62, 'x') + "._");
  sent[0].reserved_at = TimePoint{Millis{1'799'999'999'999}};
  expect_taken(publish(sent), sent);
  EXPECT_EQ(harness_->arrived(1), sent);
}

TEST_P(OrderQueueTest, no_messages_need_no_receipts) {
  const auto receipts = publish({});
  ASSERT_TRUE(receipts.has_value());
  EXPECT_TRUE(receipts->empty());
}

TEST_P(OrderQueueTest, the_order_of_one_call_is_kept) {
  const auto sent = messages(1, 200);
  expect_taken(publish(sent), sent);
  EXPECT_EQ(harness_->arrived(sent.size()), sent);
}

TEST_P(OrderQueueTest, the_order_of_successive_calls_is_kept) {
  std::vector<OrderMessage> all;
  for (std::uint32_t call = 0; call < 10; ++call) {
    const auto sent = messages(1 + call * 7, 7);
    expect_taken(publish(sent), sent);
    all.insert(all.end(), sent.begin(), sent.end());
  }
  EXPECT_EQ(harness_->arrived(all.size()), all);
}

TEST_P(OrderQueueTest, takes_the_largest_batch) {
  const auto sent = messages(1, 1'024);
  expect_taken(publish(sent), sent);
  EXPECT_EQ(harness_->arrived(sent.size()), sent);
}

TEST_P(OrderQueueTest, refuses_a_batch_that_is_too_large_as_a_whole) {
  const auto receipts = publish(messages(1, 1'025));
  ASSERT_TRUE(receipts.has_error());
  EXPECT_EQ(receipts.error(), Errc::overloaded);
  const auto sent = messages(5'000, 1);
  expect_taken(publish(sent), sent);
  EXPECT_EQ(harness_->arrived(1), sent);
}

TEST_P(OrderQueueTest, calls_at_the_same_time_all_arrive_each_in_its_order) {
  std::vector<OrderQueueHarness::Publish> calls;
  for (std::uint32_t call = 0; call < 16; ++call) {
    calls.push_back({from_now(Millis{10'000}), messages(1 + call * 50, 50, call % 2)});
  }
  const auto sent = calls;
  const auto answers = harness_->publish(std::move(calls));
  ASSERT_EQ(answers.size(), sent.size());
  for (std::size_t i = 0; i < sent.size(); ++i) expect_taken(answers[i], sent[i].messages);

  const auto arrived = harness_->arrived(16 * 50);
  ASSERT_EQ(arrived.size(), 16U * 50U);
  for (std::uint32_t lane = 0; lane < 2; ++lane) {
    const auto there = of_lane(arrived, lane);
    for (std::size_t call = lane; call < sent.size(); call += 2) {
      const auto& batch = sent[call].messages;
      const auto begin = std::find(there.begin(), there.end(), batch.front());
      ASSERT_GE(there.end() - begin, 50) << "call " << call;
      EXPECT_TRUE(std::equal(batch.begin(), batch.end(), begin)) << "call " << call;
    }
  }
}

TEST_P(OrderQueueTest, answers_by_the_deadline_when_nobody_else_answers) {
  harness_->silence();
  const auto begin = steady_clock::now();
  const auto receipts = publish(messages(1, 3), Millis{300});
  const auto took = steady_clock::now() - begin;
  EXPECT_LT(took, Millis{2'000});
  if (receipts.has_error()) {
    EXPECT_EQ(receipts.error(), Errc::unavailable) << "any other error leaves open what happened";
    return;
  }
  ASSERT_EQ(receipts->size(), 3U);
  for (const auto& receipt : *receipts) EXPECT_EQ(receipt.kind, Receipt::Kind::unknown);
}

TEST_P(OrderQueueTest, a_deadline_that_passed_already_is_answered_at_once) {
  const auto begin = steady_clock::now();
  const auto receipts = publish(messages(1, 3), Millis{-1});
  EXPECT_LT(steady_clock::now() - begin, Millis{2'000});
  if (receipts.has_error()) {
    EXPECT_EQ(receipts.error(), Errc::unavailable);
    const auto sent = messages(500, 1);
    expect_taken(publish(sent), sent);
    EXPECT_EQ(harness_->arrived(1), sent) << "unavailable means that nothing was sent";
    return;
  }
  EXPECT_EQ(receipts->size(), 3U);
}

TEST_P(OrderQueueTest, every_call_has_its_own_deadline) {
  harness_->silence();
  std::vector<OrderQueueHarness::Publish> calls;
  for (std::uint32_t call = 0; call < 8; ++call) {
    calls.push_back({from_now(Millis{50 * (call + 1)}), messages(1 + call * 10, 10)});
  }
  const auto begin = steady_clock::now();
  const auto answers = harness_->publish(std::move(calls));
  EXPECT_LT(steady_clock::now() - begin, Millis{2'000});
  for (const auto& receipts : answers) {
    if (receipts.has_error()) {
      EXPECT_EQ(receipts.error(), Errc::unavailable);
      continue;
    }
    for (const auto& receipt : *receipts) EXPECT_EQ(receipt.kind, Receipt::Kind::unknown);
  }
}

TEST_P(OrderQueueTest, a_fence_stands_behind_what_was_acknowledged_and_before_what_comes_later) {
  const Fence first{{kContractSale, 0}, 2};
  const Fence second{{kContractSale, 0}, 3};
  const auto before = messages(1, 20);
  const auto later = messages(100, 5);
  expect_taken(publish(before), before);
  ASSERT_TRUE(harness_->fence(from_now(Millis{10'000}), first).has_value());
  expect_taken(publish(later), later);
  ASSERT_TRUE(harness_->fence(from_now(Millis{10'000}), second).has_value());
  const std::vector<OrderQueueHarness::ArrivedFence> expected = {{first, 20}, {second, 25}};
  EXPECT_EQ(harness_->fences(2, 25), expected);
  auto all = before;
  all.insert(all.end(), later.begin(), later.end());
  EXPECT_EQ(harness_->arrived(all.size()), all) << "fences are no messages";
}

TEST_P(OrderQueueTest, a_fence_of_one_lane_says_nothing_of_another) {
  const Fence fence{{kContractSale, 1}, 2};
  const auto sent = messages(1, 3);
  expect_taken(publish(sent), sent);
  ASSERT_TRUE(harness_->fence(from_now(Millis{10'000}), fence).has_value());
  const std::vector<OrderQueueHarness::ArrivedFence> expected = {{fence, 0}};
  EXPECT_EQ(harness_->fences(1, 3), expected);
}

TEST_P(OrderQueueTest, a_fence_is_answered_by_its_deadline) {
  harness_->silence();
  const auto begin = steady_clock::now();
  const auto answer = harness_->fence(from_now(Millis{300}), {{kContractSale, 0}, 2});
  EXPECT_LT(steady_clock::now() - begin, Millis{2'000});
  ASSERT_TRUE(answer.has_error());
  EXPECT_TRUE(answer.error() == Errc::unknown || answer.error() == Errc::unavailable)
      << answer.error().message();
}

TEST_P(OrderQueueTest, a_fence_whose_deadline_passed_already_is_not_put) {
  const auto late = harness_->fence(from_now(Millis{-1}), {{kContractSale, 0}, 2});
  EXPECT_EQ(late.error(), Errc::unavailable);
  const Fence fence{{kContractSale, 0}, 3};
  ASSERT_TRUE(harness_->fence(from_now(Millis{10'000}), fence).has_value());
  const std::vector<OrderQueueHarness::ArrivedFence> expected = {{fence, 0}};
  EXPECT_EQ(harness_->fences(1, 0), expected);
}

// Programs that link the suites without a port to hold to them run none.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(OrderQueueTest);
INSTANTIATE_TEST_SUITE_P(Contract, OrderQueueTest, testing::ValuesIn(registry()), contract_name);

}  // namespace

bool register_order_queue_contract(OrderQueueContract contract) {
  registry().push_back(std::move(contract));
  return true;
}

}  // namespace sluice::test
