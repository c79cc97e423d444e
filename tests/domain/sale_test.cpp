#include "sluice/domain/sale.hpp"

#include <functional>
#include <gtest/gtest.h>
#include <set>
#include <string>
#include <vector>

#include "support/store_values.hpp"

namespace sluice {
namespace {

using Edit = std::function<void(SaleDraft&)>;

std::optional<std::string> checked(const Edit& edit) {
  auto draft = test::draft_of(100);
  edit(draft);
  return check(draft);
}

TEST(SaleDraft, AcceptsItsLimits) {
  const std::vector<Edit> edits = {
      [](auto&) {},
      [](auto& d) { d.title = "x"; },
      [](auto& d) { d.title = std::string(200, 'x'); },
      [](auto& d) { d.description = std::string(2000, 'x'); },
      [](auto& d) { d.description.clear(); },
      [](auto& d) { d.unit_price_minor = 0; },
      [](auto& d) { d.unit_price_minor = 1'000'000'000'000; },
      [](auto& d) { d.stock = 1; },
      [](auto& d) { d.stock = 1'000'000'000; },
      [](auto& d) { d.limit_per_order = 1; },
      [](auto& d) { d.limit_per_order = 1000; },
      [](auto& d) { d.lanes = 100; },
      [](auto& d) { d.stock = 256, d.lanes = 256; },
      [](auto& d) { d.starts_at = TimePoint{}; },
      [](auto& d) { d.ends_at = TimePoint(Millis{253'402'300'799'999}); },
      [](auto& d) { d.ends_at = d.starts_at + Millis{1}; },
  };
  for (std::size_t i = 0; i < edits.size(); ++i) {
    EXPECT_EQ(checked(edits[i]), std::nullopt) << "edit " << i;
  }
}

TEST(SaleDraft, RefusesWhatIsBeyondThemAndNamesTheMember) {
  const auto expect_refused = [](const std::string& member, const Edit& edit) {
    const auto problem = checked(edit).value_or("accepted");
    EXPECT_NE(problem.find(member), std::string::npos) << member << ": " << problem;
  };
  expect_refused("title", [](auto& d) { d.title.clear(); });
  expect_refused("title", [](auto& d) { d.title = std::string(201, 'x'); });
  expect_refused("description", [](auto& d) { d.description = std::string(2001, 'x'); });
  expect_refused("unit_price_minor", [](auto& d) { d.unit_price_minor = -1; });
  expect_refused("unit_price_minor", [](auto& d) { d.unit_price_minor = 1'000'000'000'001; });
  expect_refused("currency", [](auto& d) { d.currency = "eur"; });
  expect_refused("currency", [](auto& d) { d.currency = "EU"; });
  expect_refused("currency", [](auto& d) { d.currency = "EURO"; });
  expect_refused("currency", [](auto& d) { d.currency = "E1R"; });
  expect_refused("currency", [](auto& d) { d.currency.clear(); });
  expect_refused("stock", [](auto& d) { d.stock = 0; });
  expect_refused("stock", [](auto& d) { d.stock = -5; });
  expect_refused("stock", [](auto& d) { d.stock = 1'000'000'001; });
  expect_refused("limit_per_order", [](auto& d) { d.limit_per_order = 0; });
  expect_refused("limit_per_order", [](auto& d) { d.limit_per_order = 1001; });
  expect_refused("lanes", [](auto& d) { d.lanes = 0; });
  expect_refused("lanes", [](auto& d) { d.lanes = 257, d.stock = 1000; });
  expect_refused("lanes", [](auto& d) { d.lanes = 101; });
  expect_refused("starts_at", [](auto& d) { d.starts_at = TimePoint(Millis{-1}); });
  expect_refused("ends_at", [](auto& d) { d.ends_at = TimePoint(Millis{253'402'300'800'000}); });
  expect_refused("ends_at", [](auto& d) { d.ends_at = d.starts_at; });
  expect_refused("ends_at", [](auto& d) { d.ends_at = d.starts_at - Millis{1}; });
}

TEST(SaleState, MovesOnlyForward) {
  using enum SaleState;
  const std::set<std::pair<SaleState, SaleState>> allowed = {
      {draft, draft}, {draft, open},    {open, open},     {open, paused},  {open, closed},
      {paused, open}, {paused, paused}, {paused, closed}, {closed, closed}};
  for (const auto from : {draft, open, paused, closed}) {
    for (const auto to : {draft, open, paused, closed}) {
      EXPECT_EQ(may_become(from, to), allowed.contains({from, to})) << name(from) << name(to);
    }
    EXPECT_EQ(parse_name<SaleState>(name(from)), from);
  }
  EXPECT_FALSE(parse_name<SaleState>("Open"));
  EXPECT_FALSE(parse_name<SaleState>(""));
}

TEST(SalePhase, ChangesExactlyAtTheEdges) {
  Sale sale;
  sale.terms = test::draft_of(1);
  sale.state = SaleState::open;
  const auto start = sale.terms.starts_at;
  const auto end = sale.terms.ends_at;
  EXPECT_EQ(phase(sale, start - Millis{1}), WindowPhase::not_started);
  EXPECT_EQ(phase(sale, start), WindowPhase::open);
  EXPECT_EQ(phase(sale, end - Millis{1}), WindowPhase::open);
  EXPECT_EQ(phase(sale, end), WindowPhase::ended);

  sale.state = SaleState::paused;
  EXPECT_EQ(phase(sale, start - Millis{1}), WindowPhase::not_started);
  EXPECT_EQ(phase(sale, start), WindowPhase::paused);
  EXPECT_EQ(phase(sale, end), WindowPhase::ended);

  for (const auto at : {start - Millis{1}, start, end}) {
    sale.state = SaleState::closed;
    EXPECT_EQ(phase(sale, at), WindowPhase::closed);
    sale.state = SaleState::draft;
    EXPECT_EQ(phase(sale, at), WindowPhase::not_started);
  }
}

TEST(SaleWindow, IsThatOfTheSale) {
  Sale sale;
  sale.terms = test::draft_of(1);
  sale.state = SaleState::paused;
  const auto window = window_of(sale);
  EXPECT_EQ(window.state, SaleState::paused);
  EXPECT_EQ(window.starts_at, sale.terms.starts_at);
  EXPECT_EQ(window.ends_at, sale.terms.ends_at);
}

TEST(LaneStock, SharesEveryUnitAsEvenlyAsItGoes) {
  for (const std::uint32_t lanes : {1U, 2U, 3U, 7U, 255U, 256U}) {
    for (const std::int64_t stock : {INT64_C(0), INT64_C(1), INT64_C(255), INT64_C(256),
                                     INT64_C(1000), INT64_C(1'000'000'000)}) {
      std::int64_t sum = 0;
      auto previous = lane_stock(stock, lanes, 0);
      EXPECT_LE(previous - lane_stock(stock, lanes, lanes - 1), 1);
      for (std::uint32_t i = 0; i < lanes; ++i) {
        const auto part = lane_stock(stock, lanes, i);
        EXPECT_LE(part, previous) << "the first lanes have more";
        previous = part;
        sum += part;
      }
      EXPECT_EQ(sum, stock) << stock << " over " << lanes;
    }
  }
}

}  // namespace
}  // namespace sluice
