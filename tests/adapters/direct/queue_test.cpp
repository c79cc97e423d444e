#include "sluice/adapters/direct/queue.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <list>
#include <memory>

#include "adapters/direct/punctual_store.hpp"
#include "support/event_loop.hpp"
#include "support/fake_clock.hpp"
#include "support/store_values.hpp"

namespace sluice::test {
namespace {

using Messages = std::vector<OrderMessage>;
using Answer = Result<std::vector<Receipt>>;
using Nonsense = PunctualStore::Nonsense;
using testing::Each;
using testing::ElementsAre;

constexpr LaneId kLane{1, 0};
constexpr Millis kPatience{10'000};

Messages some(std::size_t count, LaneId lane = kLane) {
  static std::uint64_t users = 0;
  Messages messages;
  for (std::size_t i = 0; i < count; ++i) messages.push_back(message_of(lane, user_of(++users)));
  return messages;
}

void expect_confirmed(const Answer& answer, const Messages& messages) {
  ASSERT_EQ(error_of(answer), "ok");
  ASSERT_EQ(answer->size(), messages.size());
  for (std::size_t i = 0; i < messages.size(); ++i) {
    ASSERT_EQ((*answer)[i].kind, Receipt::Kind::decided);
    ASSERT_EQ((*answer)[i].outcome, confirmed(messages[i]));
  }
}

void expect_unknown(const Answer& answer, std::size_t count) {
  ASSERT_EQ(error_of(answer), "ok");
  ASSERT_EQ(answer->size(), count);
  for (const auto& receipt : *answer) EXPECT_EQ(receipt.kind, Receipt::Kind::unknown);
}

class DirectQueue : public testing::Test {
 protected:
  DirectQueue() {
    for (const std::uint32_t lane : {0u, 1u, 2u}) {
      auto& row = store_.lanes[{1, lane}];
      row.stock = 1'000'000;
      row.newest = 10;
    }
  }

  /// Publishes, and runs until it waits for the store or is answered.
  Running<Answer> start(const Messages& messages, Millis patience = kPatience) {
    const auto& kept = sent_.emplace_back(messages);
    auto running = loop_.start(queue_->publish(clock_->ticks() + patience, kept));
    loop_.turn();
    return running;
  }

  Running<Result<void>> fence(Fence fence, Millis patience = kPatience) {
    auto running = loop_.start(queue_->fence(clock_->ticks() + patience, fence));
    loop_.turn();
    return running;
  }

  void pass(Millis time) {
    for (Millis passed{0}; passed < time; passed += Millis{1}) {
      clock_->advance(Millis{1});
      loop_.turn();
    }
  }

  /// Lets the store go on with what it holds.
  void let_go() {
    store_.on_apply.let_go();
    loop_.turn();
  }

  /// Lets the store go on with the one call that it holds, and hold the next.
  void let_go_the_first() {
    store_.on_apply.let_go();
    store_.on_apply.hold();
    loop_.turn();
  }

  std::vector<std::size_t> sizes() const {
    std::vector<std::size_t> counted;
    for (const auto& call : store_.apply_calls) counted.push_back(call.messages.size());
    return counted;
  }

  std::vector<Messages> applies() const {
    std::vector<Messages> made;
    for (const auto& call : store_.apply_calls) made.push_back(call.messages);
    return made;
  }

  EventLoop loop_;
  std::shared_ptr<FakeClock> clock_ = std::make_shared<FakeClock>();
  PunctualStore store_{clock_};
  std::unique_ptr<OrderQueue> queue_ = create_direct_queue(loop_.executor(), store_, clock_);
  std::list<Messages> sent_;
};

TEST_F(DirectQueue, what_is_published_while_the_store_works_is_applied_together) {
  store_.on_apply.hold();
  std::vector<Messages> sent{some(5)};
  std::vector<Running<Answer>> answers{start(sent[0])};
  for (std::uint32_t i = 0; i < 20; ++i) {
    sent.push_back(some(10, LaneId{1, i % 3}));
    answers.push_back(start(sent.back()));
  }
  let_go();
  for (std::size_t i = 0; i < sent.size(); ++i) expect_confirmed(answers[i].value(), sent[i]);
  EXPECT_THAT(sizes(), ElementsAre(5u, 200u));
}

TEST_F(DirectQueue, one_that_does_not_join_asks_the_store_at_once) {
  queue_ = create_direct_queue(loop_.executor(), store_, clock_, {false});
  store_.on_apply.hold();
  std::vector<Messages> sent;
  std::vector<Running<Answer>> answers;
  for (int i = 0; i < 5; ++i) {
    sent.push_back(some(2));
    answers.push_back(start(sent.back()));
  }
  EXPECT_EQ(store_.on_apply.waiting(), 5u);
  let_go();
  for (std::size_t i = 0; i < sent.size(); ++i) expect_confirmed(answers[i].value(), sent[i]);
  EXPECT_THAT(sizes(), ElementsAre(2u, 2u, 2u, 2u, 2u));

  store_.on_apply.fail(Errc::unknown, true);
  store_.on_apply.fail(Errc::unavailable);
  const auto doubtful = start(some(1));
  pass(Millis{50});
  EXPECT_TRUE(doubtful.value().has_value());
  EXPECT_EQ(store_.apply_calls.size(), 8u);
  store_.on_apply.fail(Errc::unavailable);
  EXPECT_EQ(start(some(1)).value().error(), Errc::unavailable);
}

TEST_F(DirectQueue, one_transaction_has_at_most_4096_messages) {
  store_.on_apply.hold();
  std::vector<Messages> sent{some(1)};
  std::vector<Running<Answer>> answers{start(sent[0])};
  for (int i = 0; i < 10; ++i) {
    sent.push_back(some(1'000));
    answers.push_back(start(sent.back()));
  }
  let_go();
  for (std::size_t i = 0; i < sent.size(); ++i) expect_confirmed(answers[i].value(), sent[i]);
  EXPECT_THAT(sizes(), ElementsAre(1u, 4'000u, 4'000u, 2'000u));
}

TEST_F(DirectQueue, after_an_unknown_commit_the_same_messages_are_applied_until_it_is_known) {
  store_.on_apply.fail(Errc::unknown, true);
  store_.on_apply.fail(Errc::unknown, true);
  const auto messages = some(7);
  const auto answer = start(messages);
  pass(Millis{50});
  expect_confirmed(answer.value(), messages);
  EXPECT_EQ(store_.apply_calls.size(), 3u);
  EXPECT_THAT(applies(), Each(messages));
}

TEST_F(DirectQueue, a_definite_no_after_a_doubtful_answer_leaves_the_doubt) {
  store_.on_apply.fail(Errc::unknown, true);
  store_.on_apply.fail(Errc::unavailable);
  store_.on_apply.fail(Errc::stale);
  const auto messages = some(2);
  const auto answer = start(messages);
  pass(Millis{100});
  expect_confirmed(answer.value(), messages);
  EXPECT_EQ(store_.apply_calls.size(), 4u);
}

TEST_F(DirectQueue, a_commit_that_stays_unknown_is_unknown_at_the_deadline) {
  store_.on_apply.fail_always(Errc::unknown, true);
  const auto answer = start(some(4), Millis{250});
  pass(Millis{249});
  EXPECT_FALSE(answer.done());
  pass(Millis{1});
  expect_unknown(answer.value(), 4);
  EXPECT_GE(store_.apply_calls.size(), 2u);
  EXPECT_LT(store_.apply_calls.size(), 20u) << "it must pause between its attempts";

  store_.on_apply.work_again();
  const auto messages = some(1);
  expect_confirmed(start(messages).value(), messages);
}

TEST_F(DirectQueue, an_unavailable_store_is_an_error_at_once_and_only_then) {
  store_.on_apply.fail(Errc::unavailable);
  const auto messages = some(2);
  EXPECT_EQ(start(messages).value().error(), Errc::unavailable);
  EXPECT_EQ(store_.apply_calls.size(), 1u);
  expect_confirmed(start(messages).value(), messages);
}

TEST_F(DirectQueue, an_error_reaches_every_publish_that_was_merged) {
  store_.on_apply.hold();
  const auto first = start(some(1));
  std::vector<Running<Answer>> merged;
  for (int i = 0; i < 5; ++i) merged.push_back(start(some(2)));
  let_go_the_first();
  store_.on_apply.fail(Errc::unavailable);
  let_go();
  EXPECT_EQ(error_of(first.value()), "ok");
  for (const auto& answer : merged) EXPECT_EQ(answer.value().error(), Errc::unavailable);
}

TEST_F(DirectQueue, a_store_that_throws_or_answers_nonsense_is_asked_again) {
  store_.nonsense = {Nonsense::throws, Nonsense::one_outcome_less};
  const auto messages = some(3);
  const auto answer = start(messages);
  pass(Millis{50});
  expect_confirmed(answer.value(), messages);
  EXPECT_EQ(store_.apply_calls.size(), 3u);
  EXPECT_THAT(applies(), Each(messages));
}

TEST_F(DirectQueue, a_publish_that_never_began_is_unavailable_and_stays_undone) {
  store_.silent = true;
  const auto first = some(1);
  const auto begun = start(first, Millis{100});
  const auto never = start(some(3), Millis{50});
  pass(Millis{100});
  expect_unknown(begun.value(), 1);
  EXPECT_EQ(never.value().error(), Errc::unavailable);

  store_.silent = false;
  const auto last = some(1);
  expect_confirmed(start(last).value(), last);
  EXPECT_EQ(store_.rows(), last);
}

TEST_F(DirectQueue, who_gave_up_while_the_transaction_before_was_under_way_stays_undone) {
  store_.on_apply.hold();
  start(some(1));
  std::vector<Running<Answer>> patient;
  for (int i = 0; i < 4; ++i) patient.push_back(start(some(1'000)));
  const auto hasty_messages = some(1'000);
  const auto hasty = start(hasty_messages, Millis{50});
  const auto last_messages = some(1);
  const auto last = start(last_messages);
  let_go_the_first();
  pass(Millis{50});
  let_go();
  EXPECT_EQ(hasty.value().error(), Errc::unavailable);
  expect_confirmed(last.value(), last_messages);
  EXPECT_THAT(sizes(), ElementsAre(1u, 4'000u, 1u));
  EXPECT_THAT(store_.rows(), testing::Not(testing::Contains(hasty_messages[0])));
}

TEST_F(DirectQueue, each_merged_publish_has_its_own_deadline) {
  store_.on_apply.hold();
  start(some(1));
  const auto patient_messages = some(2);
  const auto patient = start(patient_messages);
  const auto hasty = start(some(1), Millis{300});
  let_go_the_first();
  store_.on_apply.fail_always(Errc::unknown, true);
  let_go();
  // The patient one goes on beyond the deadline of the hasty one.
  pass(Millis{300});
  expect_unknown(hasty.value(), 1);
  EXPECT_FALSE(patient.done());
  store_.on_apply.work_again();
  pass(Millis{250});
  expect_confirmed(patient.value(), patient_messages);
  EXPECT_EQ(store_.apply_calls.back().messages, patient_messages);
}

TEST_F(DirectQueue, refuses_what_exceeds_the_bound_of_waiting_messages) {
  store_.on_apply.hold();
  start(some(1));
  const auto batch = some(1'024);
  std::vector<Running<Answer>> answers;
  for (int i = 0; i < 64; ++i) answers.push_back(start(batch));
  EXPECT_EQ(start(some(1)).value().error(), Errc::overloaded);
  let_go();
  for (const auto& answer : answers) expect_confirmed(answer.value(), batch);
  const auto messages = some(1);
  expect_confirmed(start(messages).value(), messages);
}

TEST_F(DirectQueue, a_fence_is_raised_at_once_and_answered_as_the_store_answered) {
  const Fence raised{kLane, 4};
  EXPECT_EQ(error_of(fence(raised).value()), "ok");
  ASSERT_EQ(store_.fences.size(), 1u);
  EXPECT_EQ(store_.fences[0].first, raised);
  store_.on_raise_fence.fail(Errc::invalid);
  EXPECT_EQ(fence({kLane, 5}).value().error(), Errc::invalid);
  store_.fence_throws = true;
  EXPECT_EQ(fence({kLane, 6}).value().error(), Errc::unknown)
      << "a store that throws may have done it";
  EXPECT_EQ(store_.fences.size(), 1u);
}

TEST_F(DirectQueue, a_meter_counts_publishes_and_their_orders) {
  CallMeter meter;
  queue_ = create_direct_queue(loop_.executor(), store_, clock_, {}, &meter);
  start(some(3));
  store_.on_apply.fail(Errc::unavailable);
  start(some(2));
  const auto sample = meter.take();
  EXPECT_EQ(sample.calls, 2u);
  EXPECT_EQ(sample.orders, 3u);
  EXPECT_EQ(sample.failures, 1u);
}

}  // namespace
}  // namespace sluice::test
