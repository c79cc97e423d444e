#include "sluice/base/failpoint.hpp"

#include <csignal>
#include <cstdlib>
#include <gtest/gtest.h>

namespace sluice {
namespace {

#ifdef SLUICE_FAILPOINTS

// The environment is read once, so one test sets it for all actions; death tests run in a child.
TEST(Failpoint, ActsAtThePassageItNames) {
  ASSERT_EQ(::setenv("SLUICE_FAILPOINT", "third=error@3,first=error,nothing,end=kill@2", 1), 0);
  EXPECT_FALSE(failpoint("unknown"));
  EXPECT_TRUE(failpoint("first"));
  EXPECT_FALSE(failpoint("first")) << "once";
  EXPECT_FALSE(failpoint("third"));
  EXPECT_FALSE(failpoint("third"));
  EXPECT_TRUE(failpoint("third"));
  EXPECT_FALSE(failpoint("third"));
  EXPECT_FALSE(failpoint("nothing"));
  EXPECT_FALSE(failpoint("end"));
  EXPECT_EXIT(failpoint("end"), testing::KilledBySignal(SIGKILL), "");
}

#else

TEST(Failpoint, IsCompiledToNothing) { static_assert(!failpoint("anything")); }

#endif

}  // namespace
}  // namespace sluice
