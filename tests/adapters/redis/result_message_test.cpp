#include "adapters/redis/result_message.hpp"

#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "support/store_values.hpp"

namespace sluice::redis {
namespace {

Outcome some(OrderStatus status, RejectReason reason = RejectReason::none) {
  return {test::message_of({1, 0}, test::user_of(1)).id, status, reason};
}

TEST(ResultMessage, ComesBackAsItWas) {
  const std::vector<Outcome> outcomes = {some(OrderStatus::confirmed),
                                         some(OrderStatus::rejected, RejectReason::fenced),
                                         some(OrderStatus::paid)};
  EXPECT_EQ(parse_outcomes(to_json(outcomes)), outcomes);
  EXPECT_EQ(parse_outcomes(to_json({})), std::vector<Outcome>{});
}

TEST(ResultMessage, IsCompactAndVersioned) {
  const std::vector<Outcome> outcomes = {some(OrderStatus::confirmed),
                                         some(OrderStatus::rejected, RejectReason::stock)};
  EXPECT_EQ(to_json(outcomes), "{\"v\":1,\"outcomes\":[[\"" + outcomes[0].id.text() +
                                   "\",\"confirmed\"],[\"" + outcomes[1].id.text() +
                                   "\",\"rejected\",\"stock\"]]}");
}

TEST(ResultMessage, RefusesEverythingElse) {
  const auto id = some(OrderStatus::confirmed).id.text();
  const auto with = [&](const std::string& entry) {
    return "{\"v\":1,\"outcomes\":[" + entry + "]}";
  };
  for (const std::string& text :
       std::vector<std::string>{"",
                                "[]",
                                "{}",
                                "1",
                                "{\"v\":1}",
                                "{\"outcomes\":[]}",
                                "{\"v\":2,\"outcomes\":[]}",
                                "{\"v\":\"1\",\"outcomes\":[]}",
                                "{\"v\":1,\"outcomes\":{}}",
                                "{\"v\":1,\"outcomes\":[],\"x\":1}",
                                with("1"),
                                with("[]"),
                                with("[\"" + id + "\"]"),
                                with("[\"" + id + "\",1]"),
                                with("[\"" + id + "\",\"confirmed\",1]"),
                                with("[\"" + id + "\",\"confirmed\",\"stock\",\"x\"]"),
                                with("[\"" + id + "\",\"rejected\",\"because\"]"),
                                with("[\"x\",\"confirmed\"]"),
                                with("{}") + " ",
                                with("[\"" + id + "\",\"confirmed\"]") + "x"}) {
    EXPECT_FALSE(parse_outcomes(text)) << text;
  }
}

TEST(ResultMessage, RefusesMoreThanAMessageHolds) {
  const std::vector<Outcome> full(kOutcomesMax,
                                  some(OrderStatus::rejected, RejectReason::duplicate));
  EXPECT_EQ(parse_outcomes(to_json(full)), full);
  const std::vector<Outcome> over(kOutcomesMax + 1, some(OrderStatus::paid));
  EXPECT_FALSE(parse_outcomes(to_json(over)));
  EXPECT_FALSE(parse_outcomes(std::string(100'000, ' ') + to_json({})));
}

}  // namespace
}  // namespace sluice::redis
