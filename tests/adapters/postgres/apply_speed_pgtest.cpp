#include <chrono>
#include <gtest/gtest.h>
#include <iostream>

#include "adapters/postgres/postgres_world.hpp"
#include "support/run_awaitable.hpp"
#include "support/store_values.hpp"

namespace sluice::test {
namespace {

/// A measurement, not a check: run it by name with --gtest_also_run_disabled_tests.
TEST(PostgresApply, DISABLED_speed_of_one_connection) {
  constexpr std::size_t kRows = 200'000;
  PostgresWorld world;
  auto stores = world.open();
  const auto sale = run_awaitable(stores.sales->create(soon(), draft_of(1'000'000'000))).value();
  unsigned user = 0;
  for (const std::size_t size : {1u, 50u, 500u, 2000u}) {
    const auto batches = std::min<std::size_t>(kRows / size, 2000);
    auto spent = std::chrono::steady_clock::duration::zero();
    for (std::size_t i = 0; i < batches; ++i) {
      std::vector<OrderMessage> messages;
      for (std::size_t j = 0; j < size; ++j) {
        messages.push_back(message_of({sale.id, 0}, user_of(user++)));
      }
      const auto began = std::chrono::steady_clock::now();
      const auto outcomes = run_awaitable(stores.orders->apply(soon(), messages, std::nullopt));
      spent += std::chrono::steady_clock::now() - began;
      ASSERT_EQ(error_of(outcomes), "ok");
    }
    const auto seconds = std::chrono::duration<double>(spent).count();
    std::cout << size << " per batch: " << static_cast<double>(batches * size) / seconds
              << " rows/s\n";
  }
}

}  // namespace
}  // namespace sluice::test
