#include "sluice/base/published.hpp"

#include <gtest/gtest.h>
#include <memory>
#include <thread>

#include "sluice/base/readiness.hpp"

namespace sluice {
namespace {

TEST(Published, AReaderSeesTheLatestValue) {
  Published<int> source(std::make_shared<int>(1));
  Published<int>::Reader reader(source);
  EXPECT_EQ(reader.get(), 1);
  EXPECT_EQ(&reader.get(), &reader.get()) << "unchanged: the same object";
  source.publish(std::make_shared<int>(2));
  EXPECT_EQ(reader.get(), 2);
  EXPECT_EQ(*source.get(), 2);
}

TEST(Published, WhatIsHeldOutlivesItsReplacement) {
  Published<int> source(std::make_shared<int>(1));
  Published<int>::Reader reader(source);
  const auto held = reader.hold();
  source.publish(std::make_shared<int>(2));
  EXPECT_EQ(reader.get(), 2);
  EXPECT_EQ(*held, 1);
}

TEST(Published, ReadersOnOtherThreadsNeverGoBack) {
  constexpr int kLast = 5000;
  Published<int> source(std::make_shared<int>(0));
  std::thread writer([&] {
    for (int i = 1; i <= kLast; ++i) source.publish(std::make_shared<int>(i));
  });
  Published<int>::Reader reader(source);
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
