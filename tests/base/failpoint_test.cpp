#include "sluice/base/failpoint.hpp"

#include <csignal>
#include <cstdlib>
#include <gtest/gtest.h>

namespace sluice {
namespace {

#ifdef SLUICE_FAILPOINTS

// The environment is read once, so one test sets it for all actions; death tests run in a child.
TEST(Failpoint, ActsAtThePassageItNames) {
  ASSERT_EQ(::setenv("SLUICE_FAILPOINT",
                     "third=error@3,first=lost,nothing,end=kill@2,always=duplicate@2+,odd=fly", 1),
            0);
  EXPECT_EQ(failpoint("unknown"), Fault::none);
  EXPECT_EQ(failpoint("first"), Fault::lost);
  EXPECT_EQ(failpoint("first"), Fault::none) << "once";
  EXPECT_EQ(failpoint("third"), Fault::none);
  EXPECT_EQ(failpoint("third"), Fault::none);
  EXPECT_EQ(failpoint("third"), Fault::error);
  EXPECT_EQ(failpoint("third"), Fault::none);
  EXPECT_EQ(failpoint("nothing"), Fault::none);
  EXPECT_EQ(failpoint("odd"), Fault::none);
  EXPECT_EQ(failpoint("always"), Fault::none);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(failpoint("always"), Fault::duplicate);
  EXPECT_EQ(failpoint("end"), Fault::none);
  EXPECT_EXIT(failpoint("end"), testing::KilledBySignal(SIGKILL), "");
}

#else

TEST(Failpoint, IsCompiledToNothing) { static_assert(failpoint("anything") == Fault::none); }

#endif

}  // namespace
}  // namespace sluice
