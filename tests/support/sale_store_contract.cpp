#include "support/sale_store_contract.hpp"

#include <gtest/gtest.h>

#include "support/contract_registry.hpp"
#include "support/run_awaitable.hpp"
#include "support/store_values.hpp"

namespace sluice::test {
namespace {

constexpr SaleState kStates[] = {SaleState::draft, SaleState::open, SaleState::paused,
                                 SaleState::closed};

ContractRegistry& registry() {
  static ContractRegistry contracts;
  return contracts;
}

void expect_same_terms(const SaleDraft& actual, const SaleDraft& expected) {
  EXPECT_EQ(actual.title, expected.title);
  EXPECT_EQ(actual.description, expected.description);
  EXPECT_EQ(actual.unit_price_minor, expected.unit_price_minor);
  EXPECT_EQ(actual.currency, expected.currency);
  EXPECT_EQ(actual.stock, expected.stock);
  EXPECT_EQ(actual.limit_per_order, expected.limit_per_order);
  EXPECT_EQ(actual.lanes, expected.lanes);
  EXPECT_EQ(actual.starts_at, expected.starts_at);
  EXPECT_EQ(actual.ends_at, expected.ends_at);
  EXPECT_EQ(actual.pay_within, expected.pay_within);
}

class SaleStoreContract : public testing::TestWithParam<StoreContract> {
 protected:
  SaleStoreContract() : world_(GetParam().make()), stores_(world_->open()) {}

  Sale create(const SaleDraft& draft) {
    return run_awaitable(stores_.sales->create(soon(), draft)).value();
  }

  std::optional<Sale> get(SaleId sale) {
    return run_awaitable(stores_.sales->get(soon(), sale)).value();
  }

  std::vector<Sale> list(std::size_t max) {
    return run_awaitable(stores_.sales->list(soon(), max)).value();
  }

  Result<Sale> set_state(SaleId sale, SaleState state) {
    return run_awaitable(stores_.sales->set_state(soon(), sale, state));
  }

  /// A new sale brought to `state` by allowed moves.
  SaleId sale_in(SaleState state) {
    const auto sale = create(draft_of(1)).id;
    if (state != SaleState::draft) set_state(sale, SaleState::open).value();
    if (state != SaleState::draft && state != SaleState::open) set_state(sale, state).value();
    return sale;
  }

  std::unique_ptr<StoreWorld> world_;
  StoreSet stores_;
};

TEST_P(SaleStoreContract, a_created_sale_is_a_draft_with_the_given_terms) {
  auto draft = draft_of(1'000'000'000, 256, 1000);
  draft.title = "Lämpchen 灯 💡 'quoted' \"twice\" \\ %s";
  draft.description = std::string(2000, 'x');
  draft.unit_price_minor = 1'000'000'000'000;
  draft.currency = "JPY";
  draft.pay_within = Millis(604'800'000);
  const auto sale = create(draft);
  EXPECT_GE(sale.id, 1);
  EXPECT_EQ(sale.state, SaleState::draft);
  expect_same_terms(sale.terms, draft);
  const auto stored = get(sale.id);
  ASSERT_TRUE(stored.has_value());
  EXPECT_EQ(stored->id, sale.id);
  EXPECT_EQ(stored->state, SaleState::draft);
  expect_same_terms(stored->terms, draft);
}

TEST_P(SaleStoreContract, a_gift_without_a_description_is_a_sale) {
  auto draft = draft_of(1);
  draft.description.clear();
  draft.unit_price_minor = 0;
  expect_same_terms(get(create(draft).id)->terms, draft);
}

TEST_P(SaleStoreContract, the_stock_is_spread_over_the_lanes) {
  const auto sale = create(draft_of(11, 3));
  for (std::uint32_t index = 0; index < 3; ++index) {
    const LaneId lane{sale.id, index};
    const auto image = run_awaitable(whole_image(*stores_.orders, soon(), lane)).value();
    EXPECT_EQ(image.stock, lane_stock(11, 3, index)) << index;
  }
  const LaneId beyond{sale.id, 3};
  EXPECT_EQ(run_awaitable(whole_image(*stores_.orders, soon(), beyond)).error(), Errc::not_found);
}

TEST_P(SaleStoreContract, sales_are_listed_newest_first_and_no_more_than_asked_for) {
  EXPECT_TRUE(list(10).empty());
  const auto first = create(draft_of(1)).id;
  const auto second = create(draft_of(1)).id;
  const auto third = create(draft_of(1)).id;
  const auto all = list(10);
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].id, third);
  EXPECT_EQ(all[1].id, second);
  EXPECT_EQ(all[2].id, first);
  const auto some = list(2);
  ASSERT_EQ(some.size(), 2u);
  EXPECT_EQ(some[1].id, second);
  EXPECT_TRUE(list(0).empty());
}

TEST_P(SaleStoreContract, an_unknown_sale_is_empty) { EXPECT_FALSE(get(999'999).has_value()); }

TEST_P(SaleStoreContract, the_state_moves_only_as_the_domain_allows) {
  for (const auto from : kStates) {
    for (const auto to : kStates) {
      SCOPED_TRACE(std::string(name(from)) + " to " + std::string(name(to)));
      const auto sale = sale_in(from);
      const auto moved = set_state(sale, to);
      if (from == to || may_become(from, to)) {
        ASSERT_EQ(error_of(moved), "ok");
        EXPECT_EQ(moved->id, sale);
        EXPECT_EQ(moved->state, to);
        EXPECT_EQ(moved->terms.title, "Lamp");
        EXPECT_EQ(get(sale)->state, to);
      } else {
        EXPECT_EQ(moved.error(), Errc::stale);
        EXPECT_EQ(get(sale)->state, from);
      }
    }
  }
}

TEST_P(SaleStoreContract, only_a_change_of_state_raises_the_revision) {
  const auto sale = sale_in(SaleState::draft);
  EXPECT_EQ(get(sale)->revision, 0u);
  EXPECT_EQ(set_state(sale, SaleState::open)->revision, 1u);
  EXPECT_EQ(set_state(sale, SaleState::open)->revision, 1u);
  EXPECT_EQ(set_state(sale, SaleState::paused)->revision, 2u);
  EXPECT_EQ(get(sale)->revision, 2u);
}

TEST_P(SaleStoreContract, the_state_of_an_unknown_sale_is_not_found) {
  EXPECT_EQ(set_state(999'999, SaleState::open).error(), Errc::not_found);
}

TEST_P(SaleStoreContract, sales_survive_reopening) {
  const auto sale = sale_in(SaleState::paused);
  stores_ = StoreSet{};
  stores_ = world_->open();
  ASSERT_TRUE(get(sale).has_value());
  EXPECT_EQ(get(sale)->state, SaleState::paused);
  EXPECT_GT(create(draft_of(1)).id, sale);
}

// Programs that link the suites without a port to hold to them run none.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(SaleStoreContract);
INSTANTIATE_TEST_SUITE_P(Contract, SaleStoreContract, testing::ValuesIn(registry().contracts()),
                         contract_name);

}  // namespace

bool register_sale_store_contract(StoreContract contract) {
  return registry().add(std::move(contract));
}

}  // namespace sluice::test
