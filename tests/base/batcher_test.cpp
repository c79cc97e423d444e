#include "sluice/base/batcher.hpp"

#include <gtest/gtest.h>
#include <memory>
#include <optional>
#include <stdexcept>
#include <vector>

#include "support/event_loop.hpp"
#include "support/fake_step.hpp"

namespace sluice {
namespace {

namespace asio = boost::asio;

constexpr int kFallback = -1;

using Numbers = Batcher<int, int>;

/// A batcher of numbers that answers each with its double, as the test directs `step`.
class BatcherTest : public testing::Test {
 protected:
  void make(Numbers::Limits limits = {}, bool releases = false) {
    release_early_ = releases;
    auto work = [this](Numbers::Batch& batch) { return work_on(batch); };
    batcher_.emplace(loop_.executor(), limits, kFallback, std::move(work));
  }

  asio::awaitable<void> work_on(Numbers::Batch& batch) {
    std::vector<int> requests;
    for (const auto& item : batch.items) requests.push_back(item.request);
    batches_.push_back(requests);
    if (release_early_) batch.release();
    const auto fault = co_await step_.enter();
    if (fault && fault->error == Errc::internal) throw std::runtime_error("no");
    if (fault && fault->error == Errc::invalid) throw 42;
    for (auto& item : batch.items) {
      if (item.request != unanswered_) item.answer(item.request * 2);
    }
  }

  test::EventLoop loop_;
  test::FakeStep step_;
  std::optional<Numbers> batcher_;
  std::vector<std::vector<int>> batches_;
  bool release_early_ = false;
  int unanswered_ = -7;
};

using Batches = std::vector<std::vector<int>>;

TEST_F(BatcherTest, SendsAtOnceWhenIdle) {
  make();
  auto one = loop_.start(batcher_->submit(4));
  loop_.turn();
  EXPECT_EQ(one.value(), 8);
  EXPECT_EQ(batches_, (Batches{{4}}));
}

TEST_F(BatcherTest, JoinsWhatArrivesInOneTurn) {
  make();
  auto one = loop_.start(batcher_->submit(1));
  auto two = loop_.start(batcher_->submit(2));
  auto three = loop_.start(batcher_->submit(3));
  loop_.turn();
  EXPECT_EQ(batches_, (Batches{{1, 2, 3}}));
  EXPECT_EQ(one.value(), 2);
  EXPECT_EQ(two.value(), 4);
  EXPECT_EQ(three.value(), 6);
}

TEST_F(BatcherTest, CollectsWhileABatchRunsAndSendsWhenItEnds) {
  make();
  step_.hold();
  auto first = loop_.start(batcher_->submit(1));
  loop_.turn();
  auto second = loop_.start(batcher_->submit(2));
  loop_.turn();
  auto third = loop_.start(batcher_->submit(3));
  loop_.turn();
  EXPECT_EQ(batches_, (Batches{{1}})) << "one batch at a time without release";
  step_.let_go();
  loop_.turn();
  EXPECT_EQ(batches_, (Batches{{1}, {2, 3}}));
  EXPECT_EQ(third.value(), 6);
}

TEST_F(BatcherTest, ReleaseLetsTheNextBatchStart) {
  make({}, true);
  step_.hold();
  auto first = loop_.start(batcher_->submit(1));
  loop_.turn();
  auto second = loop_.start(batcher_->submit(2));
  loop_.turn();
  EXPECT_EQ(batches_, (Batches{{1}, {2}}));
  EXPECT_FALSE(first.done());
  step_.let_go();
  loop_.turn();
  EXPECT_EQ(first.value(), 2);
  EXPECT_EQ(second.value(), 4);
}

TEST_F(BatcherTest, KeepsToInFlightMax) {
  Numbers::Limits limits;
  limits.in_flight_max = 2;
  make(limits, true);
  step_.hold();
  std::vector<test::Running<int>> running;
  for (int i = 0; i < 4; ++i) {
    running.push_back(loop_.start(batcher_->submit(i)));
    loop_.turn();
  }
  EXPECT_EQ(batches_, (Batches{{0}, {1}})) << "the third batch has to wait";
  step_.let_go();
  loop_.turn();
  EXPECT_EQ(batches_, (Batches{{0}, {1}, {2, 3}}));
  for (int i = 0; i < 4; ++i) EXPECT_EQ(running[static_cast<std::size_t>(i)].value(), 2 * i);
}

TEST_F(BatcherTest, KeepsToBatchMaxInOrder) {
  Numbers::Limits limits;
  limits.batch_max = 2;
  make(limits);
  std::vector<test::Running<int>> running;
  for (int i = 0; i < 5; ++i) running.push_back(loop_.start(batcher_->submit(i)));
  loop_.turn();
  EXPECT_EQ(batches_, (Batches{{0, 1}, {2, 3}, {4}}));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(running[static_cast<std::size_t>(i)].value(), 2 * i);
}

TEST_F(BatcherTest, IsFullAtWaitingMax) {
  Numbers::Limits limits;
  limits.waiting_max = 2;
  make(limits);
  step_.hold();
  auto taken = loop_.start(batcher_->submit(0));
  loop_.turn();
  auto one = loop_.start(batcher_->submit(1));
  loop_.turn();
  EXPECT_FALSE(batcher_->full());
  auto two = loop_.start(batcher_->submit(2));
  loop_.turn();
  EXPECT_TRUE(batcher_->full());
  step_.let_go();
  loop_.turn();
  EXPECT_FALSE(batcher_->full());
  EXPECT_EQ(two.value(), 4);
}

TEST_F(BatcherTest, ItemsLeftUnansweredGetTheFallback) {
  make();
  unanswered_ = 2;
  auto one = loop_.start(batcher_->submit(1));
  auto two = loop_.start(batcher_->submit(2));
  loop_.turn();
  EXPECT_EQ(one.value(), 2);
  EXPECT_EQ(two.value(), kFallback);
}

TEST_F(BatcherTest, WorkThatThrowsGivesTheFallbackAndTheNextBatchWorks) {
  make();
  step_.fail(Errc::internal);
  auto one = loop_.start(batcher_->submit(1));
  loop_.turn();
  EXPECT_EQ(one.value(), kFallback);
  auto two = loop_.start(batcher_->submit(2));
  loop_.turn();
  EXPECT_EQ(two.value(), 4);
}

TEST_F(BatcherTest, WorkThatThrowsWhatIsNoExceptionIsNoDifferent) {
  make();
  step_.fail(Errc::invalid);
  auto one = loop_.start(batcher_->submit(1));
  loop_.turn();
  ASSERT_TRUE(one.done());
  EXPECT_EQ(one.value(), kFallback);
  auto two = loop_.start(batcher_->submit(2));
  loop_.turn();
  ASSERT_TRUE(two.done());
  EXPECT_EQ(two.value(), 4);
}

/// Sets a flag when the coroutine that owns it ends, one way or the other.
struct Ended {
  bool* flag;
  explicit Ended(bool* f) : flag(f) {}
  Ended(const Ended&) = delete;
  ~Ended() { *flag = true; }
};

asio::awaitable<int> submit_and_tell(Numbers& batcher, int number, bool* ended) {
  const Ended guard(ended);
  co_return co_await batcher.submit(number);
}

TEST_F(BatcherTest, DestroyingItEndsWhoWaits) {
  make();
  step_.hold();
  bool ended = false;
  auto first = loop_.start(batcher_->submit(1));
  loop_.turn();
  auto second = loop_.start(submit_and_tell(*batcher_, 2, &ended));
  loop_.turn();
  EXPECT_FALSE(ended);
  batcher_.reset();
  loop_.turn();
  EXPECT_TRUE(ended);
  EXPECT_FALSE(second.done());
  step_.let_go();
  loop_.turn();
  EXPECT_EQ(first.value(), 2) << "a batch that was begun is finished";
}

}  // namespace
}  // namespace sluice
