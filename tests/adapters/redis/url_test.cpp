#include "adapters/redis/url.hpp"

#include <gtest/gtest.h>

#include "sluice/adapters/redis/redis.hpp"

namespace sluice::redis {
namespace {

TEST(RedisUrl, GivesTheParts) {
  const auto parsed = parse_url("redis://shop:s%3Ac%40%2f@redis.example:7000/12");
  EXPECT_EQ(parsed.host, "redis.example");
  EXPECT_EQ(parsed.port, "7000");
  EXPECT_EQ(parsed.user, "shop");
  EXPECT_EQ(parsed.password, "s:c@/");
  EXPECT_EQ(parsed.db, 12);
}

TEST(RedisUrl, HasDefaults) {
  for (const auto* const url : {"redis://localhost", "redis://localhost/"}) {
    const auto parsed = parse_url(url);
    EXPECT_EQ(parsed.host, "localhost");
    EXPECT_EQ(parsed.port, "6379");
    EXPECT_EQ(parsed.user, "");
    EXPECT_EQ(parsed.password, "");
    EXPECT_EQ(parsed.db, 0);
  }
}

TEST(RedisUrl, TakesAPasswordAlone) {
  const auto parsed = parse_url("redis://:secret@127.0.0.1");
  EXPECT_EQ(parsed.user, "");
  EXPECT_EQ(parsed.password, "secret");
}

TEST(RedisUrl, TakesIpv6InBrackets) {
  const auto parsed = parse_url("redis://[::1]:6380");
  EXPECT_EQ(parsed.host, "::1");
  EXPECT_EQ(parsed.port, "6380");
}

TEST(RedisUrl, SaysWhetherTlsIsMeant) {
  EXPECT_FALSE(parse_url("redis://host").tls);
  const auto parsed = parse_url("rediss://:secret@redis.example:7000/1");
  EXPECT_TRUE(parsed.tls);
  EXPECT_EQ(parsed.host, "redis.example");
  EXPECT_EQ(parsed.port, "7000");
}

TEST(RedisUrl, RefusesEverythingElse) {
  for (const std::string url : {"",
                                "redis",
                                "redis:/host",
                                "rediss:/host",
                                "rediss://",
                                "redisss://host",
                                "REDISS://host",
                                "http://host",
                                "redis://",
                                "redis://:6379",
                                "redis://host:",
                                "redis://host:0",
                                "redis://host:65536",
                                "redis://host:6379x",
                                "redis://host:+1",
                                "redis://host/x",
                                "redis://host/-1",
                                "redis://host/1/2",
                                "redis://host/1000001",
                                "redis://user@host",
                                "redis://user:@host",
                                "redis://a:%@host",
                                "redis://a:%4@host",
                                "redis://a:%zz@host",
                                "redis://[::1",
                                "redis://[]",
                                "redis://::1",
                                "redis://ho st",
                                "redis://host?x=1",
                                "redis://host\r\n"}) {
    EXPECT_TRUE(check_redis_url(url)) << url;
  }
  EXPECT_TRUE(check_redis_url("redis://" + std::string(2000, 'a')));
}

TEST(RedisUrl, NeverRepeatsThePassword) {
  for (const std::string url :
       {"redis://a:hunter2@", "redis://a:hunter2@host:x", "redis://a:hunter2%@host",
        "redis://a:hunter2@host/x", "rediss://a:hunter2@host/x"}) {
    const auto problem = check_redis_url(url);
    ASSERT_TRUE(problem) << url;
    EXPECT_EQ(problem->find("hunter2"), std::string::npos);
  }
}

}  // namespace
}  // namespace sluice::redis
