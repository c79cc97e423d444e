#include "sluice/base/snapshot.hpp"

#include <gtest/gtest.h>
#include <memory>
#include <thread>

#include "sluice/base/readiness.hpp"

namespace sluice {
namespace {

TEST(Snapshot, AReaderSeesTheLatestValue) {
  Snapshot<int> source(std::make_shared<int>(1));
  Snapshot<int>::Reader reader(source);
  EXPECT_EQ(reader.get(), 1);
  EXPECT_EQ(&reader.get(), &reader.get()) << "unchanged: the same object";
  source.publish(std::make_shared<int>(2));
  EXPECT_EQ(reader.get(), 2);
  EXPECT_EQ(*source.get(), 2);
}

TEST(Snapshot, WhatIsHeldOutlivesItsReplacement) {
  Snapshot<int> source(std::make_shared<int>(1));
  Snapshot<int>::Reader reader(source);
  const auto held = reader.hold();
  source.publish(std::make_shared<int>(2));
  EXPECT_EQ(reader.get(), 2);
  EXPECT_EQ(*held, 1);
}

TEST(Snapshot, ReadersOnOtherThreadsNeverGoBack) {
  constexpr int kLast = 5000;
  Snapshot<int> source(std::make_shared<int>(0));
  std::thread writer([&] {
    for (int i = 1; i <= kLast; ++i) source.publish(std::make_shared<int>(i));
  });
  Snapshot<int>::Reader reader(source);
  int previous = 0;
  bool forward = true;
  while (previous < kLast) {
    const int now = reader.get();
    forward &= now >= previous;
    previous = now;
  }
  writer.join();
  EXPECT_TRUE(forward);
}

TEST(Readiness, NeedsEveryCheckAndAtLeastOne) {
  ReadyState state;
  EXPECT_FALSE(state.ready()) << "nothing was checked yet";
  state.checks.push_back({"store", ""});
  EXPECT_TRUE(state.ready());
  state.checks.push_back({"queue", "does not answer"});
  EXPECT_FALSE(state.ready());
  state.checks.back().problem.clear();
  state.draining = true;
  EXPECT_FALSE(state.ready());
}

}  // namespace
}  // namespace sluice
