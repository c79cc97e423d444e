#include "sluice/base/mailbox.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <gtest/gtest.h>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "support/event_loop.hpp"

namespace sluice {
namespace {

TEST(Mailbox, DeliversABurstInOneWakeUpAndInOrder) {
  test::EventLoop loop;
  std::vector<std::vector<int>> received;
  Mailbox<int> box(loop.executor(), [&](std::vector<int> values) { received.push_back(values); });
  for (int i = 0; i < 3; ++i) box.put(i);
  loop.context().restart();
  EXPECT_EQ(loop.context().poll(), 1U) << "one handler for the burst";
  EXPECT_EQ(received, (std::vector<std::vector<int>>{{0, 1, 2}}));
  box.put(3);
  loop.turn();
  EXPECT_EQ(received.size(), 2U);
}

TEST(Mailbox, WhatIsPutWhileReceivingComesInTheNextTurn) {
  test::EventLoop loop;
  std::vector<std::size_t> sizes;
  std::optional<Mailbox<int>> box;
  box.emplace(loop.executor(), [&](std::vector<int> values) {
    sizes.push_back(values.size());
    if (sizes.size() == 1) {
      box->put(7);
      box->put(8);
    }
  });
  box->put(1);
  loop.turn();
  EXPECT_EQ(sizes, (std::vector<std::size_t>{1, 2}));
}

TEST(Mailbox, LosesNothingFromManyThreads) {
  constexpr int kThreads = 4;
  constexpr int kEach = 2000;
  boost::asio::io_context context(1);
  std::vector<int> last(kThreads, -1);
  int count = 0;
  bool ordered = true;
  auto guard = boost::asio::make_work_guard(context);
  Mailbox<std::pair<int, int>> box(context.get_executor(), [&](auto values) {
    for (const auto& [thread, number] : values) {
      auto& previous = last[static_cast<std::size_t>(thread)];
      ordered &= number == previous + 1;
      previous = number;
      if (++count == kThreads * kEach) guard.reset();
    }
  });
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&box, t] {
      for (int i = 0; i < kEach; ++i) box.put({t, i});
    });
  }
  context.run();
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(count, kThreads * kEach);
  EXPECT_TRUE(ordered) << "each thread's values keep their order";
}

TEST(Mailbox, NothingIsReceivedAfterClose) {
  test::EventLoop loop;
  int received = 0;
  Mailbox<int> box(loop.executor(), [&](const std::vector<int>&) { ++received; });
  box.put(1);
  box.close();
  box.put(2);
  loop.turn();
  EXPECT_EQ(received, 0);
}

TEST(Mailbox, MayBeDestroyedWithAWakeUpUnderWay) {
  test::EventLoop loop;
  int received = 0;
  {
    Mailbox<int> box(loop.executor(), [&](const std::vector<int>&) { ++received; });
    box.put(1);
  }
  loop.turn();
  EXPECT_EQ(received, 0);
}

/// A value whose end puts another one, as a coroutine does that is destroyed with its completion.
struct PutsWhenDestroyed {
  Mailbox<std::shared_ptr<PutsWhenDestroyed>>* box;
  ~PutsWhenDestroyed() { box->put(nullptr); }
};

TEST(Mailbox, CloseMayDestroyValuesThatUseTheMailbox) {
  test::EventLoop loop;
  using Box = Mailbox<std::shared_ptr<PutsWhenDestroyed>>;
  Box box(loop.executor(), [](const auto&) {});
  auto value = std::make_shared<PutsWhenDestroyed>();
  value->box = &box;
  box.put(std::move(value));
  box.close();
  loop.turn();
}

}  // namespace
}  // namespace sluice
