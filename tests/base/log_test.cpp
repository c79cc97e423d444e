#include "sluice/base/log.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <spdlog/sinks/sink.h>
#include <sstream>
#include <string>
#include <vector>

namespace sluice {
namespace {

TEST(Printable, LeavesPlainTextAlone) {
  EXPECT_EQ(printable("plain text-1.2_3"), "plain text-1.2_3");
  EXPECT_EQ(printable(""), "");
}

TEST(Printable, EscapesWhatCouldForgeALine) {
  EXPECT_EQ(printable("a\nb\r\x1b[0m"), "a\\x0ab\\x0d\\x1b[0m");
  EXPECT_EQ(printable("\"\\"), "\\x22\\x5c");
  EXPECT_EQ(printable("\x7f\x80\xff"), "\\x7f\\x80\\xff");
  EXPECT_EQ(printable(std::string_view("\0", 1)), "\\x00");
}

TEST(Printable, CutsLongTextAndSaysSo) {
  EXPECT_EQ(printable("abcdef", 3), "abc...");
  EXPECT_EQ(printable("abc", 3), "abc");
  EXPECT_EQ(printable(std::string(1000, '\n')).size(), 128U * 4 + 3);
}

/// What the process's log writes to standard error while `write` runs.
template <class Write>
std::vector<std::string> lines_of(Write write) {
  testing::internal::CaptureStderr();
  write();
  log().flush();
  std::istringstream text(testing::internal::GetCapturedStderr());
  std::vector<std::string> lines;
  for (std::string line; std::getline(text, line);) lines.push_back(line);
  return lines;
}

// One test: the format of the process's log cannot be set back.
TEST(Log, WritesTextAndThenOneJsonObjectALineWhateverTheMessageHolds) {
  configure_log({});
  const auto plain = lines_of([] {
    log().info("hello {}", 1);
    log().debug("not at this level");
  });
  ASSERT_EQ(plain.size(), 1U);
  EXPECT_NE(plain[0].find("info hello 1"), std::string::npos) << plain[0];

  LogSettings settings;
  settings.level = "debug";
  settings.format = "json";
  configure_log(settings);
  const std::vector<std::string> messages = {"plain",
                                             "with \"quotes\" and \\",
                                             "two\nlines\r\n",
                                             "control \x01\x1f",
                                             "caf\xc3\xa9",
                                             "broken \xff\xfe utf-8",
                                             std::string("nul \0 inside", 12),
                                             "100% {} %v %*"};
  const auto lines = lines_of([&] {
    for (const auto& message : messages) log().debug("{}", message);
  });
  ASSERT_EQ(lines.size(), messages.size());
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const auto object = nlohmann::json::parse(lines[i], nullptr, false);
    ASSERT_TRUE(object.is_object()) << lines[i];
    EXPECT_EQ(object["level"], "debug");
    EXPECT_TRUE(object["thread"].is_number()) << lines[i];
    EXPECT_TRUE(object["time"].is_string()) << lines[i];
    if (messages[i].find('\xff') != std::string::npos) continue;
    EXPECT_EQ(object["message"], messages[i]);
  }
}

}  // namespace
}  // namespace sluice
