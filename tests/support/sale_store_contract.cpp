#include "support/sale_store_contract.hpp"

#include <algorithm>
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

  std::vector<SaleId> list(std::size_t max, SaleId before = kSalesBegin,
                           SaleFilter which = SaleFilter::all) {
    return ids_of(run_awaitable(stores_.sales->list(soon(), which, before, max)).value());
  }

  std::uint64_t last_change() { return run_awaitable(stores_.sales->last_change(soon())).value(); }

  std::vector<Sale> changed(std::uint64_t after, std::size_t max = 10) {
    return run_awaitable(stores_.sales->changed(soon(), after, max)).value();
  }

  void finish(std::vector<SaleId> sales) {
    run_awaitable(stores_.sales->finish(soon(), std::move(sales))).value();
  }

  static std::vector<SaleId> ids_of(const std::vector<Sale>& sales) {
    std::vector<SaleId> ids;
    for (const auto& sale : sales) ids.push_back(sale.id);
    return ids;
  }

  /// An open sale whose orders must be paid, with one that is confirmed.
  OrderMessage unpaid_order() {
    auto draft = draft_of(10);
    draft.pay_within = std::chrono::hours(1);
    const auto sale = create(draft).id;
    set_state(sale, SaleState::open).value();
    const LaneId lane{sale, 0};
    renew(*stores_.orders, lane);
    auto message = message_of(lane, user_of(1));
    const std::vector<OrderMessage> messages{message};
    run_awaitable(stores_.orders->apply(soon(), messages, std::nullopt)).value();
    return message;
  }

  void move(const OrderMessage& message, Move move) {
    const std::vector<Transition> moves{{{message.id, message.lane.sale, message.user}, move}};
    run_awaitable(stores_.moves->move(soon(), moves)).value();
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

TEST_P(SaleStoreContract, sales_are_listed_newest_first_in_pages) {
  EXPECT_TRUE(list(10).empty());
  const auto first = create(draft_of(1)).id;
  const auto second = create(draft_of(1)).id;
  const auto third = create(draft_of(1)).id;
  EXPECT_EQ(list(10), (std::vector{third, second, first}));
  EXPECT_EQ(list(2), (std::vector{third, second}));
  EXPECT_EQ(list(2, second), std::vector{first});
  EXPECT_TRUE(list(2, first).empty());
  EXPECT_TRUE(list(0).empty());
}

TEST_P(SaleStoreContract, drafts_and_finished_sales_do_not_crowd_out_the_others) {
  const auto open = sale_in(SaleState::open);
  const auto paused = sale_in(SaleState::paused);
  const auto closed = sale_in(SaleState::closed);
  const auto over = sale_in(SaleState::closed);
  finish({over});
  for (int i = 0; i < 5; ++i) create(draft_of(1));
  EXPECT_EQ(list(3, kSalesBegin, SaleFilter::unfinished), (std::vector{closed, paused, open}));
  EXPECT_EQ(list(3, paused, SaleFilter::unfinished), std::vector{open});
  EXPECT_EQ(list(3, kSalesBegin, SaleFilter::finished), std::vector{over});
  EXPECT_TRUE(list(3, over, SaleFilter::finished).empty());
}

TEST_P(SaleStoreContract, changes_are_told_in_their_order_and_drafts_are_not) {
  const auto before = last_change();
  const auto first = sale_in(SaleState::open);
  const auto second = sale_in(SaleState::open);
  create(draft_of(1));
  set_state(first, SaleState::paused).value();
  const auto news = changed(before);
  ASSERT_EQ(ids_of(news), (std::vector{second, first}));
  EXPECT_EQ(news.back().state, SaleState::paused);
  EXPECT_LT(news.front().change, news.back().change);
  EXPECT_GE(last_change(), news.back().change);
  EXPECT_EQ(ids_of(changed(before, 1)), std::vector{second});
  EXPECT_EQ(ids_of(changed(news.front().change)), std::vector{first});
  EXPECT_TRUE(changed(last_change()).empty());
  set_state(first, SaleState::closed).value();
  finish({first});
  const auto closed = changed(news.back().change);
  ASSERT_EQ(ids_of(closed), std::vector{first});
  EXPECT_TRUE(closed.front().finished);
}

TEST_P(SaleStoreContract, only_a_closed_sale_is_finished_and_for_good) {
  const std::vector<SaleId> sales{sale_in(SaleState::draft), sale_in(SaleState::open),
                                  sale_in(SaleState::paused), sale_in(SaleState::closed)};
  finish(sales);
  for (const auto sale : sales) EXPECT_EQ(get(sale)->finished, sale == sales.back()) << sale;
  finish({sales.back(), 999'999});
  EXPECT_TRUE(get(sales.back())->finished);
  EXPECT_EQ(set_state(sales.back(), SaleState::open).error(), Errc::stale);
}

TEST_P(SaleStoreContract, a_sale_is_unfinished_while_an_order_may_be_paid_or_a_unit_returns) {
  const auto paid = unpaid_order();
  const auto cancelled = unpaid_order();
  const std::vector<SaleId> sales{paid.lane.sale, cancelled.lane.sale};
  for (const auto sale : sales) set_state(sale, SaleState::closed).value();
  finish(sales);
  EXPECT_EQ(list(10, kSalesBegin, SaleFilter::unfinished).size(), 2u) << "both are unpaid";
  move(paid, Move::pay);
  move(cancelled, Move::cancel);
  finish(sales);
  EXPECT_TRUE(get(paid.lane.sale)->finished);
  EXPECT_FALSE(get(cancelled.lane.sale)->finished) << "its unit waits for the inventory";
  const std::vector<OrderId> taken{cancelled.id};
  const Fence under{cancelled.lane, 1};
  run_awaitable(stores_.moves->relayed(soon(), under, taken)).value();
  finish(sales);
  EXPECT_TRUE(get(cancelled.lane.sale)->finished);
}

TEST_P(SaleStoreContract, several_are_found_at_once) {
  const auto first = create(draft_of(1)).id;
  const auto second = create(draft_of(1)).id;
  const auto find = [this](std::vector<SaleId> ids) {
    auto found = ids_of(run_awaitable(stores_.sales->find(soon(), std::move(ids))).value());
    std::ranges::sort(found);
    return found;
  };
  EXPECT_EQ(find({second, 999'999, first}), (std::vector{first, second}));
  EXPECT_TRUE(find({}).empty());
  std::vector<SaleId> many(kSalesPageMax + 1, first);
  EXPECT_EQ(run_awaitable(stores_.sales->find(soon(), many)).error(), Errc::overloaded);
  EXPECT_EQ(run_awaitable(stores_.sales->finish(soon(), many)).error(), Errc::overloaded);
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
