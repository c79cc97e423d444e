#include <cctype>
#include <gtest/gtest.h>
#include <set>
#include <string>

#include "sluice/base/hash.hpp"
#include "sluice/base/metrics.hpp"
#include "sluice/base/problem.hpp"
#include "sluice/base/random.hpp"
#include "sluice/base/result.hpp"
#include "sluice/base/time.hpp"

#include "support/event_loop.hpp"

namespace sluice {
namespace {

TEST(Problems, HaveUniqueStableNamesAndStatusesOfRefusals) {
  std::set<std::string_view> names;
  for (const auto& row : problems()) {
    EXPECT_TRUE(names.insert(row.name).second) << row.name << " stands there twice";
    EXPECT_EQ(&problem(row.code), &row);
    EXPECT_GE(row.status, 400U) << row.name;
    EXPECT_LE(row.status, 599U) << row.name;
    EXPECT_FALSE(row.title.empty()) << row.name;
    for (const char c : row.name) EXPECT_TRUE(std::islower(c) != 0 || c == '_') << row.name;
    const bool passing = row.status == 429 || row.status == 503;
    EXPECT_TRUE(row.retryable || !passing) << row.name;
  }
  EXPECT_EQ(problems().size(), static_cast<std::size_t>(Code::conflict) + 1);
}

TEST(Hash, DependsOnKeyTextAndPurpose) {
  const HashKey key{1};
  const HashKey other{2};
  EXPECT_EQ(keyed_hash(key, "a"), keyed_hash(key, "a"));
  EXPECT_NE(keyed_hash(key, "a"), keyed_hash(key, "b"));
  EXPECT_NE(keyed_hash(key, "a"), keyed_hash(other, "a"));
  EXPECT_NE(random_hash_key(), random_hash_key());
  EXPECT_EQ(derive_hash_key("secret", "one"), derive_hash_key("secret", "one"));
  EXPECT_NE(derive_hash_key("secret", "one"), derive_hash_key("secret", "two"));
  EXPECT_NE(derive_hash_key("ab", "c"), derive_hash_key("b", "ca"))
      << "the parts do not run together";
}

TEST(Hash, RandomHexHasTwoLowerCaseDigitsAByte) {
  const auto text = random_hex(16);
  EXPECT_EQ(text.size(), 32U);
  EXPECT_EQ(text.find_first_not_of("0123456789abcdef"), std::string::npos);
  EXPECT_NE(text, random_hex(16));
  EXPECT_EQ(random_hex(0), "");
}

TEST(Hash, SecretsAreEqualOnlyWhole) {
  EXPECT_TRUE(equal_secrets("key", "key"));
  EXPECT_TRUE(equal_secrets("", ""));
  EXPECT_FALSE(equal_secrets("key", "kez"));
  EXPECT_FALSE(equal_secrets("key", "key2"));
  EXPECT_FALSE(equal_secrets("", "k"));
}

TEST(Random, IsAnotherForEachThatIsMade) { EXPECT_NE(system_random()(), system_random()()); }

TEST(Errors, HaveMessagesAndOneCategory) {
  const boost::system::error_code unknown = Errc::unknown;
  EXPECT_EQ(unknown, Errc::unknown);
  EXPECT_NE(unknown, Errc::unavailable);
  EXPECT_STREQ(unknown.category().name(), "sluice");
  std::set<std::string> messages;
  for (int i = 1; i <= static_cast<int>(Errc::internal); ++i) {
    messages.insert(make_error_code(static_cast<Errc>(i)).message());
  }
  EXPECT_EQ(messages.size(), static_cast<std::size_t>(Errc::internal));
  EXPECT_EQ(sluice_category().message(99), "unknown error 99");
}

TEST(Metrics, AreTheSameHandleForTheSameNameAndLabels) {
  Metrics metrics;
  auto& one = metrics.counter("sluice_test_total", "For a test.", {{"kind", "a"}});
  auto& same = metrics.counter("sluice_test_total", "For a test.", {{"kind", "a"}});
  auto& other = metrics.counter("sluice_test_total", "For a test.", {{"kind", "b"}});
  EXPECT_EQ(&one, &same);
  EXPECT_NE(&one, &other);
  one.Increment(3);
  metrics.gauge("sluice_test_level", "For a test.").Set(2);
  metrics.histogram("sluice_test_ms", "For a test.", {1, 10}).Observe(5);
  const auto text = metrics.text();
  EXPECT_NE(text.find("sluice_test_total{kind=\"a\"} 3"), std::string::npos) << text;
  EXPECT_NE(text.find("sluice_test_level 2"), std::string::npos) << text;
  EXPECT_NE(text.find("sluice_test_ms_bucket{le=\"10\"} 1"), std::string::npos) << text;
}

TEST(SystemClock, SleepsUntilAMomentThatHasPassedWithoutWaiting) {
  const auto clock = system_clock();
  test::EventLoop loop;
  const auto before = clock->ticks();
  auto slept = loop.start(clock->sleep_until(before));
  loop.turn();
  EXPECT_TRUE(slept.done());
  EXPECT_GE(clock->ticks(), before);
  EXPECT_GT(clock->now(), TimePoint(std::chrono::hours(24 * 365 * 50)));
}

}  // namespace
}  // namespace sluice
