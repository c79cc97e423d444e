#include <gtest/gtest.h>

#include "sluice/adapters/postgres/stores.hpp"

namespace sluice {
namespace {

TEST(PostgresUrl, WarnsOfAServerThatNobodyChecks) {
  for (const std::string parameters :
       {"", "?sslmode=disable", "?sslmode=prefer", "?sslmode=require", "?sslmode=verify-ca"}) {
    const auto warning =
        postgres_url_warning("postgresql://shop:hunter2@db.example/shop" + parameters);
    ASSERT_TRUE(warning) << parameters;
    EXPECT_NE(warning->find("db.example"), std::string::npos) << *warning;
    EXPECT_EQ(warning->find("hunter2"), std::string::npos) << *warning;
  }
  EXPECT_TRUE(postgres_url_warning("postgresql://127.0.0.1,10.0.0.1/shop"));
  EXPECT_TRUE(postgres_url_warning("postgresql://localhost/shop?hostaddr=10.0.0.1"));
  EXPECT_FALSE(postgres_url_warning("postgresql://db.example/shop?sslmode=verify-full"));
}

TEST(PostgresUrl, DoesNotWarnOfThisMachine) {
  for (const std::string url :
       {"postgresql://127.0.0.1/shop", "postgresql://[::1]/shop", "postgresql://localhost/shop",
        "postgresql:///shop?host=/run/postgresql", "postgresql:///shop",
        "postgresql://db.example/shop?hostaddr=127.0.0.1"}) {
    EXPECT_EQ(postgres_url_warning(url), std::nullopt) << url;
  }
}

}  // namespace
}  // namespace sluice
