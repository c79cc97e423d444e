#include "support/control_store_contract.hpp"

#include <chrono>
#include <gtest/gtest.h>
#include <thread>

#include "support/contract_registry.hpp"
#include "support/run_awaitable.hpp"
#include "support/store_values.hpp"

namespace sluice::test {
namespace {

using Steady = std::chrono::steady_clock;

constexpr Millis kLong{60'000};

ContractRegistry& registry() {
  static ContractRegistry contracts;
  return contracts;
}

Result<Lease> try_acquire(ControlStore& store, const std::string& name, const std::string& holder,
                          Millis ttl) {
  return run_awaitable(store.acquire(soon(), name, holder, ttl));
}

class ControlStoreContract : public testing::TestWithParam<StoreContract> {
 protected:
  ControlStoreContract() : world_(GetParam().make()), stores_(world_->open()) {}

  Lease acquire(const std::string& name, const std::string& holder, Millis ttl = kLong) {
    return try_acquire(*stores_.control, name, holder, ttl).value();
  }

  void release(const std::string& name, const std::string& holder) {
    run_awaitable(stores_.control->release(soon(), name, holder)).value();
  }

  std::string wish(const std::string& name) {
    return run_awaitable(stores_.control->requested(soon(), name)).value();
  }

  Result<void> request(const std::string& name, const std::string& value) {
    return run_awaitable(stores_.control->request(soon(), name, value));
  }

  std::unique_ptr<StoreWorld> world_;
  StoreSet stores_;
};

TEST_P(ControlStoreContract, a_free_lease_is_taken_and_others_are_refused) {
  const auto mine = acquire("leader", "a");
  EXPECT_TRUE(mine.held);
  EXPECT_GE(mine.term, 1u);
  const auto yours = acquire("leader", "b");
  EXPECT_FALSE(yours.held);
  EXPECT_EQ(yours.term, mine.term);
}

TEST_P(ControlStoreContract, the_holder_extends_its_lease_within_its_term) {
  const auto first = acquire("leader", "a", Millis{1});
  const auto again = acquire("leader", "a", kLong);
  EXPECT_TRUE(again.held);
  EXPECT_EQ(again.term, first.term);
  EXPECT_FALSE(acquire("leader", "b").held);
}

TEST_P(ControlStoreContract, a_lease_past_its_time_goes_to_who_asks_under_a_later_term) {
  constexpr Millis kShort{60};
  const auto began = Steady::now();
  const auto mine = acquire("leader", "a", kShort);
  auto yours = acquire("leader", "b");
  while (!yours.held && Steady::now() < began + std::chrono::seconds(10)) {
    std::this_thread::sleep_for(Millis{2});
    yours = acquire("leader", "b");
  }
  EXPECT_TRUE(yours.held);
  EXPECT_GE(Steady::now() - began, kShort - Millis{5}) << "it was taken before its time";
  EXPECT_GT(yours.term, mine.term);
  EXPECT_FALSE(acquire("leader", "a").held);
}

TEST_P(ControlStoreContract, a_released_lease_is_free_at_once_and_terms_go_on) {
  const auto mine = acquire("leader", "a");
  release("leader", "a");
  const auto yours = acquire("leader", "b");
  EXPECT_TRUE(yours.held);
  EXPECT_GT(yours.term, mine.term);
}

TEST_P(ControlStoreContract, only_the_holder_releases) {
  acquire("leader", "a");
  release("leader", "b");
  release("nobody", "b");
  EXPECT_FALSE(acquire("leader", "b").held);
  EXPECT_TRUE(acquire("leader", "a").held);
}

TEST_P(ControlStoreContract, leases_of_different_names_are_independent) {
  EXPECT_TRUE(acquire("leader", "a").held);
  EXPECT_TRUE(acquire("relay", "b").held);
  release("relay", "b");
  EXPECT_FALSE(acquire("leader", "b").held);
}

TEST_P(ControlStoreContract, a_lease_without_a_name_a_holder_or_a_time_is_invalid) {
  auto& store = *stores_.control;
  EXPECT_EQ(try_acquire(store, "", "a", kLong).error(), Errc::invalid);
  EXPECT_EQ(try_acquire(store, "leader", "", kLong).error(), Errc::invalid);
  EXPECT_EQ(try_acquire(store, "leader", "a", Millis{0}).error(), Errc::invalid);
  EXPECT_TRUE(acquire("leader", "b").held);
}

TEST_P(ControlStoreContract, of_racing_instances_one_holds_the_lease) {
  if (!world_->concurrent()) GTEST_SKIP() << "this adapter has one instance at a time";
  for (int round = 0; round < 20; ++round) {
    const auto lease = "round" + std::to_string(round);
    Result<Lease> theirs = Lease{};
    std::thread rival([&] {
      auto stores = world_->open();
      theirs = try_acquire(*stores.control, lease, "b", kLong);
    });
    const auto mine = try_acquire(*stores_.control, lease, "a", kLong);
    rival.join();
    ASSERT_EQ(error_of(mine), "ok");
    ASSERT_EQ(error_of(theirs), "ok");
    EXPECT_NE(mine->held, theirs->held);
    EXPECT_EQ(mine->term, theirs->term);
  }
}

TEST_P(ControlStoreContract, a_wish_is_empty_until_it_is_set_and_then_the_last_one) {
  EXPECT_EQ(wish("mode"), "");
  EXPECT_EQ(error_of(request("mode", "database")), "ok");
  EXPECT_EQ(wish("mode"), "database");
  EXPECT_EQ(error_of(request("mode", "bypass")), "ok");
  EXPECT_EQ(wish("mode"), "bypass");
  EXPECT_EQ(wish("rate"), "") << "another name";
  EXPECT_EQ(error_of(request("mode", "")), "ok");
  EXPECT_EQ(wish("mode"), "");
}

TEST_P(ControlStoreContract, a_wish_reaches_all_and_survives_reopening) {
  EXPECT_EQ(error_of(request("mode", "database")), "ok");
  if (world_->concurrent()) {
    auto other = world_->open();
    EXPECT_EQ(run_awaitable(other.control->requested(soon(), "mode")).value(), "database");
  }
  stores_ = StoreSet{};
  stores_ = world_->open();
  EXPECT_EQ(wish("mode"), "database");
}

TEST_P(ControlStoreContract, a_wish_has_a_name_and_at_most_128_bytes_of_each) {
  const std::string most(128, 'x');
  EXPECT_EQ(error_of(request(most, most)), "ok");
  EXPECT_EQ(wish(most), most);
  EXPECT_EQ(request("", "database").error(), Errc::invalid);
  EXPECT_EQ(request(most + "x", "database").error(), Errc::invalid);
  EXPECT_EQ(request("mode", most + "x").error(), Errc::invalid);
  EXPECT_EQ(wish("mode"), "");
}

// Programs that link the suites without a port to hold to them run none.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(ControlStoreContract);
INSTANTIATE_TEST_SUITE_P(Contract, ControlStoreContract, testing::ValuesIn(registry().contracts()),
                         contract_name);

}  // namespace

bool register_control_store_contract(StoreContract contract) {
  return registry().add(std::move(contract));
}

}  // namespace sluice::test
