#include "sluice/adapters/direct/queue.hpp"

#include <algorithm>
#include <chrono>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <memory>
#include <thread>

#include "adapters/direct/fake_store.hpp"
#include "adapters/direct/publisher.hpp"
#include "adapters/direct/store_thread.hpp"
#include "support/run_awaitable.hpp"
#include "support/store_values.hpp"

namespace sluice::test {
namespace {

using Messages = std::vector<OrderMessage>;
using Answer = FakeStore::Answer;
using testing::Each;

constexpr LaneId kLane{1, 0};

Messages some(std::size_t count, LaneId lane = kLane) {
  static std::uint64_t users = 0;
  Messages messages;
  for (std::size_t i = 0; i < count; ++i) messages.push_back(message_of(lane, user_of(++users)));
  return messages;
}

Ticks from_now(Millis delay) { return std::chrono::steady_clock::now() + delay; }

std::vector<std::size_t> sizes(const std::vector<Messages>& applies) {
  std::vector<std::size_t> counted;
  for (const auto& apply : applies) counted.push_back(apply.size());
  return counted;
}

void expect_confirmed(const Publisher::Answer& answer, const Messages& messages) {
  ASSERT_EQ(error_of(answer), "ok");
  ASSERT_EQ(answer->size(), messages.size());
  for (std::size_t i = 0; i < messages.size(); ++i) {
    ASSERT_EQ((*answer)[i].kind, Receipt::Kind::decided);
    ASSERT_EQ((*answer)[i].outcome, confirmed(messages[i]));
  }
}

void expect_unknown(const Publisher::Answer& answer, std::size_t count) {
  ASSERT_EQ(error_of(answer), "ok");
  ASSERT_EQ(answer->size(), count);
  for (const auto& receipt : *answer) EXPECT_EQ(receipt.kind, Receipt::Kind::unknown);
}

class DirectQueue : public testing::Test {
 protected:
  ~DirectQueue() override {
    store_.open();
    thread_.stop();
  }

  FakeStore store_;
  StoreThread thread_;
  std::unique_ptr<OrderQueue> queue_ = create_direct_queue(thread_.executor(), store_);
  Publisher publisher_{*queue_};
};

TEST_F(DirectQueue, applies_on_the_thread_of_the_store) {
  const auto messages = some(3);
  expect_confirmed(publisher_.publish(messages), messages);
  EXPECT_THAT(store_.threads(), testing::ElementsAre(thread_.id()));
}

TEST_F(DirectQueue, what_is_published_while_the_store_works_is_applied_together) {
  store_.close();
  std::vector<Messages> sent{some(5)};
  publisher_.start(sent[0], soon());
  store_.await_blocked();
  for (std::uint32_t i = 0; i < 20; ++i) {
    sent.push_back(some(10, LaneId{1, i % 3}));
    publisher_.start(sent.back(), soon());
  }
  store_.open();
  const auto answers = publisher_.finish();
  ASSERT_EQ(answers.size(), sent.size());
  for (std::size_t i = 0; i < sent.size(); ++i) expect_confirmed(answers[i], sent[i]);
  EXPECT_THAT(sizes(store_.applies()), testing::ElementsAre(5u, 200u));
}

TEST_F(DirectQueue, one_transaction_has_at_most_4096_messages) {
  store_.close();
  std::vector<Messages> sent{some(1)};
  publisher_.start(sent[0], soon());
  store_.await_blocked();
  for (int i = 0; i < 10; ++i) {
    sent.push_back(some(1'000));
    publisher_.start(sent.back(), soon());
  }
  store_.open();
  const auto answers = publisher_.finish();
  for (std::size_t i = 0; i < sent.size(); ++i) expect_confirmed(answers[i], sent[i]);
  EXPECT_THAT(sizes(store_.applies()), testing::ElementsAre(1u, 4'000u, 4'000u, 2'000u));
}

TEST_F(DirectQueue, after_an_unknown_commit_the_same_messages_are_applied_until_it_is_known) {
  store_.script({Answer::apply_and_forget, Answer::apply_and_forget, Answer::confirm});
  const auto messages = some(7);
  expect_confirmed(publisher_.publish(messages), messages);
  const auto applies = store_.applies();
  EXPECT_EQ(applies.size(), 3u);
  EXPECT_THAT(applies, Each(messages));
  EXPECT_EQ(store_.rows(), messages);
}

TEST_F(DirectQueue, a_definite_no_after_a_doubtful_answer_leaves_the_doubt) {
  store_.script({Answer::apply_and_forget, Answer::unavailable, Answer::stale, Answer::confirm});
  const auto messages = some(2);
  expect_confirmed(publisher_.publish(messages), messages);
  EXPECT_EQ(store_.applies().size(), 4u);
}

TEST_F(DirectQueue, a_commit_that_stays_unknown_is_unknown_at_the_deadline) {
  store_.script(std::deque<Answer>(10'000, Answer::apply_and_forget));
  const auto begin = std::chrono::steady_clock::now();
  expect_unknown(publisher_.publish(some(4), Millis{250}), 4);
  const auto took = std::chrono::steady_clock::now() - begin;
  EXPECT_GE(took, Millis{250});
  EXPECT_LT(took, Millis{2'000});
  EXPECT_GE(store_.applies().size(), 2u);
  EXPECT_LT(store_.applies().size(), 20u) << "it must pause between its attempts";

  store_.script({});
  const auto messages = some(1);
  expect_confirmed(publisher_.publish(messages), messages);
}

TEST_F(DirectQueue, an_unavailable_store_is_an_error_at_once_and_only_then) {
  store_.script({Answer::unavailable});
  const auto messages = some(2);
  EXPECT_EQ(publisher_.publish(messages).error(), Errc::unavailable);
  EXPECT_EQ(store_.applies().size(), 1u);
  EXPECT_TRUE(store_.rows().empty());
  expect_confirmed(publisher_.publish(messages), messages);
}

TEST_F(DirectQueue, an_error_reaches_every_publish_that_was_merged) {
  store_.close();
  publisher_.start(some(1), soon());
  store_.await_blocked();
  store_.script({Answer::confirm, Answer::unavailable});
  for (int i = 0; i < 5; ++i) publisher_.start(some(2), soon());
  store_.open();
  const auto answers = publisher_.finish();
  EXPECT_EQ(error_of(answers[0]), "ok");
  for (std::size_t i = 1; i <= 5; ++i) EXPECT_EQ(answers[i].error(), Errc::unavailable);
}

TEST_F(DirectQueue, a_store_that_throws_or_answers_nonsense_is_asked_again) {
  store_.script({Answer::fail, Answer::wrong_count, Answer::confirm});
  const auto messages = some(3);
  expect_confirmed(publisher_.publish(messages), messages);
  EXPECT_THAT(store_.applies(), Each(messages));
}

TEST_F(DirectQueue, a_publish_that_never_began_is_unavailable_and_stays_undone) {
  store_.close();
  const auto first = some(1);
  publisher_.start(first, from_now(Millis{500}));
  store_.await_blocked();
  publisher_.start(some(3), from_now(Millis{50}));
  const auto answers = publisher_.finish();
  expect_unknown(answers[0], 1);
  EXPECT_EQ(answers[1].error(), Errc::unavailable);

  store_.open();
  const auto last = some(1);
  expect_confirmed(publisher_.publish(last), last);
  const Messages expected{first[0], last[0]};
  EXPECT_EQ(store_.rows(), expected);
}

TEST_F(DirectQueue, each_merged_publish_has_its_own_deadline) {
  store_.close();
  publisher_.start(some(1), soon());
  store_.await_blocked();
  const auto patient_messages = some(2);
  const auto patient = publisher_.start(patient_messages, soon());
  const auto hasty = publisher_.start(some(1), from_now(Millis{300}));
  std::deque<Answer> doubts(10'000, Answer::apply_and_forget);
  doubts.front() = Answer::confirm;
  store_.script(std::move(doubts));
  store_.open();
  // The patient one keeps their common batch going beyond the deadline of the hasty one.
  publisher_.await(hasty);
  store_.script({});
  const auto answers = publisher_.finish();
  expect_unknown(answers[hasty], 1);
  expect_confirmed(answers[patient], patient_messages);
  EXPECT_EQ(store_.applies().back().size(), 3u);
}

TEST_F(DirectQueue, refuses_what_exceeds_the_bound_of_waiting_messages) {
  store_.close();
  publisher_.start(some(1), soon());
  store_.await_blocked();
  const auto batch = some(1'024);
  for (int i = 0; i < 64; ++i) publisher_.start(batch, soon());
  const auto beyond = publisher_.start(some(1), soon());
  store_.open();
  const auto answers = publisher_.finish();
  for (std::size_t i = 1; i <= 64; ++i) expect_confirmed(answers[i], batch);
  EXPECT_EQ(answers[beyond].error(), Errc::overloaded);
  const auto messages = some(1);
  expect_confirmed(publisher_.publish(messages), messages);
}

TEST_F(DirectQueue, raises_a_fence_at_once_on_the_thread_of_the_store) {
  const Fence fence{kLane, 4};
  EXPECT_EQ(error_of(run_awaitable(queue_->fence(soon(), fence))), "ok");
  ASSERT_EQ(store_.fences().size(), 1u);
  EXPECT_EQ(store_.fences()[0].first, fence);
  EXPECT_THAT(store_.threads(), testing::ElementsAre(thread_.id()));
}

TEST_F(DirectQueue, a_fence_is_answered_as_the_store_answered) {
  EXPECT_EQ(run_awaitable(queue_->fence(soon(), {kLane, 0})).error(), Errc::invalid);
  EXPECT_EQ(run_awaitable(queue_->fence(soon(), {{-1, 0}, 1})).error(), Errc::unknown)
      << "a store that throws may have done it";
  EXPECT_TRUE(store_.fences().empty());
}

TEST_F(DirectQueue, a_fence_that_began_is_unknown_at_the_deadline_and_one_that_did_not_is_undone) {
  store_.close();
  const auto begin = std::chrono::steady_clock::now();
  const auto begun = run_awaitable(queue_->fence(from_now(Millis{100}), {kLane, 1}));
  EXPECT_EQ(begun.error(), Errc::unknown);
  const auto never = run_awaitable(queue_->fence(from_now(Millis{100}), {kLane, 2}));
  EXPECT_EQ(never.error(), Errc::unavailable);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, Millis{2'000});
  store_.open();
  EXPECT_EQ(error_of(run_awaitable(queue_->fence(soon(), {kLane, 3}))), "ok");
  ASSERT_EQ(store_.fences().size(), 2u);
  EXPECT_EQ(store_.fences()[0].first.epoch, 1u);
  EXPECT_EQ(store_.fences()[1].first.epoch, 3u);
}

TEST_F(DirectQueue, many_threads_publish_at_once) {
  constexpr std::size_t kThreads = 4;
  constexpr std::size_t kCalls = 100;
  std::vector<std::vector<Messages>> sent(kThreads);
  for (auto& calls : sent) {
    for (std::size_t i = 0; i < kCalls; ++i) calls.push_back(some(5));
  }
  std::vector<std::vector<Publisher::Answer>> answers(kThreads);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      Publisher publisher(*queue_);
      for (const auto& messages : sent[t]) publisher.start(messages, soon());
      answers[t] = publisher.finish();
    });
  }
  for (auto& thread : threads) thread.join();
  for (std::size_t t = 0; t < kThreads; ++t) {
    for (std::size_t i = 0; i < kCalls; ++i) expect_confirmed(answers[t][i], sent[t][i]);
  }
  EXPECT_EQ(store_.rows().size(), kThreads * kCalls * 5);
  EXPECT_LT(store_.applies().size(), kThreads * kCalls);
}

}  // namespace
}  // namespace sluice::test
