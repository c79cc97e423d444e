#include "sluice/base/text.hpp"

#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace sluice {
namespace {

TEST(Trimmed, LosesBlanksAtItsEndsOnly) {
  EXPECT_EQ(trimmed(" \ta b\t "), "a b");
  EXPECT_EQ(trimmed("a\n"), "a\n");
  EXPECT_EQ(trimmed("a \r\n", " \t\r\n"), "a");
  EXPECT_EQ(trimmed(" \t"), "");
  EXPECT_EQ(trimmed(""), "");
}

TEST(EditDistance, CountsInsertedRemovedAndReplacedBytes) {
  EXPECT_EQ(edit_distance("port", "port"), 0U);
  EXPECT_EQ(edit_distance("prt", "port"), 1U);
  EXPECT_EQ(edit_distance("ports", "port"), 1U);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
  EXPECT_EQ(edit_distance("", "port"), 4U);
  EXPECT_EQ(edit_distance("port", ""), 4U);
}

TEST(Nearest, PrefersTheSmallestDistanceAndForgivesTheSection) {
  const std::vector<std::string> names = {"mode", "http.port", "http.threads", "admin.address"};
  EXPECT_EQ(nearest("http.prt", names), "http.port");
  EXPECT_EQ(nearest("port", names), "http.port");
  EXPECT_EQ(nearest("server.threads", names), "http.threads");
  EXPECT_EQ(nearest("x", {}), "");
}

}  // namespace
}  // namespace sluice
