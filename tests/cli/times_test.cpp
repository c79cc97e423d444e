#include <gtest/gtest.h>

#include "cli/parts.hpp"
#include "http/time_text.hpp"

namespace sluice {
namespace {

const TimePoint kNow = *http::parse_rfc3339("2026-11-27T09:00:00Z");

std::string moment(std::string_view text) {
  const auto time = parse_moment(text, kNow);
  return time ? http::rfc3339(*time) : "";
}

TEST(ParseDuration, TakesEveryUnit) {
  EXPECT_EQ(parse_duration("250ms"), Millis(250));
  EXPECT_EQ(parse_duration("30s"), Millis(30'000));
  EXPECT_EQ(parse_duration("10m"), Millis(600'000));
  EXPECT_EQ(parse_duration("2h"), Millis(7'200'000));
  EXPECT_EQ(parse_duration("7d"), Millis(604'800'000));
  EXPECT_EQ(parse_duration("3653d"), Millis(std::int64_t{3653} * 86'400'000));
}

TEST(ParseDuration, RefusesWhateverElse) {
  for (const char* text : {"", "10", "m", "-1s", "+1s", "1.5h", "10 m", "10mm", "1w", "3654d",
                           "99999999999999999999s", "9223372036854775807d"}) {
    EXPECT_FALSE(parse_duration(text)) << text;
  }
}

TEST(ParseMoment, TakesNowOffsetsAndRfc3339) {
  EXPECT_EQ(moment("now"), "2026-11-27T09:00:00.000Z");
  EXPECT_EQ(moment("+10m"), "2026-11-27T09:10:00.000Z");
  EXPECT_EQ(moment("2026-12-01T10:30:00.5+01:00"), "2026-12-01T09:30:00.500Z");
}

TEST(ParseMoment, RefusesWhateverElse) {
  for (const char* text : {"", "tomorrow", "10m", "-10m", "+", "+10", "2026-12-01",
                           "2026-12-01T10:30:00", "2026-02-30T00:00:00Z", "Now"}) {
    EXPECT_EQ(moment(text), "") << text;
  }
}

TEST(TerminalText, KeepsLettersAndReplacesControls) {
  EXPECT_EQ(terminal_text("Türe \"7\""), "Türe \"7\"");
  EXPECT_EQ(terminal_text("a\x1b[2J\r\nb\x7f"), "a?[2J??b?");
  EXPECT_EQ(terminal_text("a\xc2\x9b"
                          "b"),
            "a?b");
}

TEST(TerminalText, CutsBetweenCharacters) {
  EXPECT_EQ(terminal_text("abcdefgh", 8), "abcde...");
  EXPECT_EQ(terminal_text("abc\xc3\xbc"
                          "defgh",
                          8),
            "abc\xc3\xbc...");
}

}  // namespace
}  // namespace sluice
