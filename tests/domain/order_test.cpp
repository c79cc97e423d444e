#include "sluice/domain/order.hpp"

#include <gtest/gtest.h>
#include <set>
#include <string>

namespace sluice {
namespace {

OrderMessage sample() {
  const OrderIdSeal seal("a secret for tests");
  OrderMessage message;
  message.user = *UserId::parse("alice");
  message.lane = {42, 7};
  message.epoch = 3;
  message.quantity = 2;
  message.reserved_at = TimePoint(Millis{1'800'000'000'123});
  message.id = seal.issue(message.lane, message.epoch, message.user, message.reserved_at, 5);
  return message;
}

/// The sample's JSON with `from` replaced by `to`; `from` must be there.
std::string with(std::string_view from, std::string_view to) {
  auto json = to_json(sample());
  const auto at = json.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  if (at != std::string::npos) json.replace(at, from.size(), to);
  return json;
}

TEST(OrderNames, RoundTripAndAreUnique) {
  std::set<std::string_view> names;
  for (int i = 0; i <= static_cast<int>(OrderStatus::expired); ++i) {
    const auto status = static_cast<OrderStatus>(i);
    EXPECT_EQ(parse_name<OrderStatus>(name(status)), status);
    EXPECT_TRUE(names.insert(name(status)).second);
  }
  for (int i = 0; i <= static_cast<int>(RejectReason::invalid); ++i) {
    const auto reason = static_cast<RejectReason>(i);
    EXPECT_EQ(parse_name<RejectReason>(name(reason)), reason);
  }
  for (const auto* text : {"", "Queued", "queued ", "6", "none"}) {
    EXPECT_FALSE(parse_name<OrderStatus>(text)) << text;
  }
  EXPECT_FALSE(parse_name<RejectReason>("fence"));
}

TEST(OrderStatus, LiveIsWhatHoldsThePlace) {
  EXPECT_TRUE(is_live(OrderStatus::queued));
  EXPECT_TRUE(is_live(OrderStatus::confirmed));
  EXPECT_TRUE(is_live(OrderStatus::paid));
  EXPECT_FALSE(is_live(OrderStatus::rejected));
  EXPECT_FALSE(is_live(OrderStatus::cancelled));
  EXPECT_FALSE(is_live(OrderStatus::expired));
}

TEST(OrderMessageJson, HasTheDocumentedForm) {
  const auto message = sample();
  EXPECT_EQ(to_json(message), R"({"v":1,"order_id":")" + message.id.text() +
                                  R"(","sale_id":42,"lane":7,"epoch":3,"user":"alice",)"
                                  R"("quantity":2,"reserved_at_ms":1800000000123})");
}

TEST(OrderMessageJson, RoundTrips) {
  EXPECT_EQ(parse_order_message(to_json(sample())), sample());
  const OrderIdSeal seal("a secret for tests");
  auto message = sample();
  message.user = *UserId::parse(std::string(64, 'Z'));
  message.lane = {INT64_MAX, kLanesMax - 1};
  message.epoch = kEpochMax;
  message.quantity = INT32_MAX;
  message.reserved_at = TimePoint(Millis{INT64_MAX >> 16});
  message.id = seal.issue(message.lane, message.epoch, message.user, message.reserved_at, 0);
  EXPECT_EQ(parse_order_message(to_json(message)), message);
}

TEST(OrderMessageJson, OrderOfMembersSpacesAndUnknownMembersDoNotMatter) {
  EXPECT_EQ(parse_order_message(with(R"({"v":1,)", "{ ")), std::nullopt) << "v is needed";
  EXPECT_EQ(parse_order_message(with(R"({"v":1,)", "\n{ \"v\" : 1 ,")), sample());
  EXPECT_EQ(parse_order_message(with("}", R"(,"note":{"a":[1,{"v":2}]}})")), sample());
  auto moved = with(R"("v":1,)", "");
  moved.insert(moved.size() - 1, R"(,"v":1)");
  EXPECT_EQ(parse_order_message(moved), sample());
}

struct Hostile {
  const char* what;
  std::string json;
};

// A name that stands there twice is refused: two readers could read two different messages.
TEST(OrderMessageJson, RefusesHostileInput) {
  const std::string good = to_json(sample());
  const std::string id = sample().id.text();
  const Hostile table[] = {
      {"nothing", ""},
      {"no object", "[]"},
      {"null", "null"},
      {"a string", "\"" + id + "\""},
      {"half", good.substr(0, good.size() / 2)},
      {"no end", good.substr(0, good.size() - 1)},
      {"trailing bytes", good + "x"},
      {"a second message", good + good},
      {"a NUL and more", good + std::string("\0garbage", 8)},
      {"a NUL at the end", good + std::string("\0", 1)},
      {"a comment", "/**/" + good},
      {"another version", with(R"("v":1)", R"("v":2)")},
      {"version as text", with(R"("v":1)", R"("v":"1")")},
      {"version as float", with(R"("v":1)", R"("v":1.0)")},
      {"version twice", with(R"("v":1)", R"("v":1,"v":1)")},
      {"sale twice", with(R"("lane":7)", R"("lane":7,"sale_id":43)")},
      {"user twice", with(R"("lane":7)", R"("lane":7,"user":"mallory")")},
      {"user twice, escaped", with(R"("lane":7)", R"("lane":7,"\u0075ser":"mallory")")},
      {"quantity twice", with(R"("lane":7)", R"("quantity":1000,"lane":7)")},
      {"an unknown member twice", with(R"("lane":7)", R"("lane":7,"x":1,"x":2)")},
      {"no user", with(R"("user":"alice",)", "")},
      {"no id", with(R"("order_id":")" + id + R"(",)", "")},
      {"no time", with(R"(,"reserved_at_ms":1800000000123)", "")},
      {"upper-case id", with(id, std::string(36, 'A'))},
      {"id as number", with("\"" + id + "\"", "12345")},
      {"user as number", with(R"("alice")", "1")},
      {"user as null", with(R"("alice")", "null")},
      {"user as array", with(R"("alice")", R"(["alice"])")},
      {"empty user", with(R"("alice")", R"("")")},
      {"user too long", with("alice", std::string(65, 'a'))},
      {"user with a space", with("alice", "al ice")},
      {"user with a NUL", with("alice", "al\\u0000ice")},
      {"user not UTF-8", with("alice", "al\xff\xfeice")},
      {"other text not UTF-8", with(R"("lane":7)", "\"lane\":7,\"x\":\"\xc3\x28\"")},
      {"lone surrogate", with(R"("lane":7)", R"("lane":7,"x":"\ud800")")},
      {"sale 0", with(R"("sale_id":42)", R"("sale_id":0)")},
      {"sale negative", with(R"("sale_id":42)", R"("sale_id":-42)")},
      {"sale as float", with(R"("sale_id":42)", R"("sale_id":42.0)")},
      {"sale as exponent", with(R"("sale_id":42)", R"("sale_id":42e0)")},
      {"sale as text", with(R"("sale_id":42)", R"("sale_id":"42")")},
      {"sale as bool", with(R"("sale_id":42)", R"("sale_id":true)")},
      {"sale of 2^63", with(R"("sale_id":42)", R"("sale_id":9223372036854775808)")},
      {"sale of 2^64 + 42", with(R"("sale_id":42)", R"("sale_id":18446744073709551658)")},
      {"sale beyond all", with(R"("sale_id":42)", R"("sale_id":1e400)")},
      {"sale with a zero", with(R"("sale_id":42)", R"("sale_id":042)")},
      {"sale with a plus", with(R"("sale_id":42)", R"("sale_id":+42)")},
      {"lane negative", with(R"("lane":7)", R"("lane":-1)")},
      {"lane 256", with(R"("lane":7)", R"("lane":256)")},
      {"lane of 2^32 + 7", with(R"("lane":7)", R"("lane":4294967303)")},
      {"epoch 0", with(R"("epoch":3)", R"("epoch":0)")},
      {"epoch 65536", with(R"("epoch":3)", R"("epoch":65536)")},
      {"quantity 0", with(R"("quantity":2)", R"("quantity":0)")},
      {"quantity negative", with(R"("quantity":2)", R"("quantity":-1)")},
      {"quantity of 2^32 + 2", with(R"("quantity":2)", R"("quantity":4294967298)")},
      {"quantity of 2^31", with(R"("quantity":2)", R"("quantity":2147483648)")},
      {"time negative", with("1800000000123", "-1")},
      {"time beyond all", with("1800000000123", "9223372036854775807")},
      {"deep arrays", std::string(200'000, '[')},
      {"deep closed arrays", std::string(100'000, '[') + std::string(100'000, ']')},
  };
  for (const auto& [what, json] : table) {
    EXPECT_FALSE(parse_order_message(json)) << what << ": " << json.substr(0, 300);
  }
}

// The id says for itself to which lane and epoch it belongs; a message that contradicts it was made
// by hand.
TEST(OrderMessageJson, RefusesAnIdOfAnotherLaneOrALaterEpoch) {
  EXPECT_TRUE(parse_order_message(to_json(sample())));
  EXPECT_FALSE(parse_order_message(with(R"("lane":7)", R"("lane":6)")));
  EXPECT_FALSE(parse_order_message(with(R"("epoch":3)", R"("epoch":2)")));
  EXPECT_TRUE(parse_order_message(with(R"("epoch":3)", R"("epoch":4)"))) << "it was late";
  const OrderIdSeal seal("a secret for tests");
  for (const auto& [lane, epoch] :
       {std::pair{LaneId{42, 8}, Epoch{3}}, {LaneId{42, 7}, Epoch{9}}}) {
    auto message = sample();
    message.id = seal.issue(lane, epoch, message.user, message.reserved_at, 5);
    EXPECT_FALSE(parse_order_message(to_json(message)));
  }
}

TEST(OrderMessageJson, DeepUnknownMembersDoNoHarm) {
  const auto deep = std::string(100'000, '[') + std::string(100'000, ']');
  EXPECT_EQ(parse_order_message(with("}", ",\"x\":" + deep + "}")), sample());
}

TEST(FenceJson, HasTheDocumentedFormAndRoundTrips) {
  const Fence fence{{42, 7}, 3};
  EXPECT_EQ(to_json(fence), R"({"v":1,"fence":3,"sale_id":42,"lane":7})");
  EXPECT_EQ(parse_fence(to_json(fence)), fence);
  const Fence highest{{INT64_MAX, kLanesMax - 1}, kEpochMax};
  EXPECT_EQ(parse_fence(to_json(highest)), highest);
  EXPECT_EQ(parse_fence("\n{ \"lane\" : 7, \"note\": [1], \"sale_id\":42,\"fence\":3, \"v\":1 }"),
            fence);
}

TEST(FenceJson, RefusesHostileInput) {
  const auto fence = [](const std::string& members) { return "{" + members + "}"; };
  const Hostile table[] = {
      {"nothing", ""},
      {"no object", "3"},
      {"no version", fence(R"("fence":3,"sale_id":42,"lane":7)")},
      {"another version", fence(R"("v":2,"fence":3,"sale_id":42,"lane":7)")},
      {"no epoch", fence(R"("v":1,"sale_id":42,"lane":7)")},
      {"no sale", fence(R"("v":1,"fence":3,"lane":7)")},
      {"no lane", fence(R"("v":1,"fence":3,"sale_id":42)")},
      {"epoch 0", fence(R"("v":1,"fence":0,"sale_id":42,"lane":7)")},
      {"epoch negative", fence(R"("v":1,"fence":-3,"sale_id":42,"lane":7)")},
      {"epoch 65536", fence(R"("v":1,"fence":65536,"sale_id":42,"lane":7)")},
      {"epoch of 2^32 + 3", fence(R"("v":1,"fence":4294967299,"sale_id":42,"lane":7)")},
      {"epoch as text", fence(R"("v":1,"fence":"3","sale_id":42,"lane":7)")},
      {"epoch as float", fence(R"("v":1,"fence":3.0,"sale_id":42,"lane":7)")},
      {"epoch as bool", fence(R"("v":1,"fence":true,"sale_id":42,"lane":7)")},
      {"epoch twice", fence(R"("v":1,"fence":3,"fence":4,"sale_id":42,"lane":7)")},
      {"sale 0", fence(R"("v":1,"fence":3,"sale_id":0,"lane":7)")},
      {"sale of 2^63", fence(R"("v":1,"fence":3,"sale_id":9223372036854775808,"lane":7)")},
      {"lane negative", fence(R"("v":1,"fence":3,"sale_id":42,"lane":-1)")},
      {"lane 256", fence(R"("v":1,"fence":3,"sale_id":42,"lane":256)")},
      {"trailing bytes", to_json(Fence{{42, 7}, 3}) + "x"},
      {"half", R"({"v":1,"fence":3,"sale_id":42)"},
      {"not UTF-8", fence("\"v\":1,\"fence\":3,\"sale_id\":42,\"lane\":7,\"x\":\"\xff\"")},
      {"deep arrays", std::string(200'000, '[')},
  };
  for (const auto& [what, json] : table) {
    EXPECT_FALSE(parse_fence(json)) << what << ": " << json.substr(0, 300);
  }
}

TEST(FenceJson, IsNoOrderMessageNorTheOtherWayRound) {
  EXPECT_FALSE(parse_order_message(to_json(Fence{{42, 7}, 3})));
  EXPECT_FALSE(parse_fence(to_json(sample())));
}

}  // namespace
}  // namespace sluice
