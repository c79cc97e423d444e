#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "fake_api.hpp"
#include "http/listening_server.hpp"
#include "http/sale_pages.hpp"
#include "http/time_text.hpp"
#include "sluice_web.hpp"
#include "support/run_awaitable.hpp"

namespace sluice::http {
namespace {

constexpr const char* kId = "0190a5b4-6c00-8001-8000-000000000001";

class PublicRoutesTest : public testing::Test {
 protected:
  PublicRoutesTest() : clock_(system_clock()) {
    api_.purchase.order.id = *OrderId::parse(kId);
    api_.purchase.order.quantity = 2;
    api_.order.order = api_.purchase.order;
  }

  Answer ask(const std::string& line, const std::string& fields = "",
             const std::string& body = "") {
    auto bytes = line + " HTTP/1.1\r\nHost: a\r\n" + fields;
    if (!body.empty()) bytes += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    bytes += "\r\n" + body;
    RequestReader reader({});
    EXPECT_EQ(reader.look(bytes), RequestReader::Step::ready) << bytes;
    const auto routes = create_public_routes(settings_, api_.ports(*clock_, metrics_, demo_));
    auto reply = routes->route(reader.request(), {"1.2.3.4"});
    // The request's bytes are gone when a use case runs.
    std::fill(bytes.begin(), bytes.end(), '#');
    if (reply.later.valid()) return test::run_awaitable(std::move(reply.later));
    return std::move(reply.answer);
  }

  std::string code(const std::string& line, const std::string& fields = "",
                   const std::string& body = "") {
    const auto answer = ask(line, fields, body);
    return answer.refusal ? std::string(problem(answer.refusal->code).name)
                          : std::to_string(answer.status);
  }

  static std::string etag_of(const Answer& answer) {
    const auto from = answer.headers.find("ETag: ") + 6;
    return answer.headers.substr(from, answer.headers.find('\r', from) - from);
  }

  std::string buy(const std::string& body, const std::string& type = "application/json") {
    return code("POST /v1/sales/7/orders",
                "Authorization: Bearer token-ann\r\nContent-Type: " + type + "\r\n", body);
  }

  FakeApi api_;
  std::shared_ptr<Clock> clock_;
  Metrics metrics_;
  PublicSettings settings_;
  std::function<std::string(const UserId&)> demo_;
};

const std::string kOwner = "Authorization: Bearer token-owner\r\n";

TEST_F(PublicRoutesTest, QueuedPurchaseIs202WithAllTheClientNeeds) {
  api_.purchase.kind = PurchaseAnswer::Kind::queued;
  const auto answer = ask("POST /v1/sales/7/orders", kOwner);
  EXPECT_EQ(answer.status, 202U);
  EXPECT_NE(answer.headers.find(std::string("Location: /v1/sales/7/orders/") + kId + "\r\n"),
            std::string::npos);
  const auto json = nlohmann::json::parse(answer.body);
  EXPECT_EQ(json["order_id"], kId);
  EXPECT_EQ(json["sale_id"], 7);
  EXPECT_EQ(json["status"], "queued");
  EXPECT_EQ(json["quantity"], 2);
  EXPECT_EQ(json["backlogged"], false);
  EXPECT_EQ(json["poll_after_ms"], 300);
  EXPECT_EQ(json["decide_by"].get<std::string>().size(), 24U);
  EXPECT_EQ(api_.bought, std::vector<std::string>{"owner 1 of 7"});
}

TEST_F(PublicRoutesTest, BackloggedPurchaseIsPolledLater) {
  api_.purchase.kind = PurchaseAnswer::Kind::queued;
  api_.purchase.backlogged = true;
  const std::pair<Millis, int> table[] = {
      {Millis{0}, 2000},        {Millis{8'000}, 2000},     {Millis{8'004}, 2001},
      {Millis{100'000}, 25000}, {Millis{120'000}, 30'000}, {Millis{600'000}, 30'000},
  };
  for (const auto& [wait, poll_after_ms] : table) {
    api_.purchase.wait = wait;
    const auto json = nlohmann::json::parse(ask("POST /v1/sales/7/orders", kOwner).body);
    EXPECT_EQ(json["backlogged"], true);
    EXPECT_EQ(json["poll_after_ms"], poll_after_ms) << wait.count();
  }
  settings_.poll_after_backlogged = Millis{60'000};
  const auto json = nlohmann::json::parse(ask("POST /v1/sales/7/orders", kOwner).body);
  EXPECT_EQ(json["poll_after_ms"], 60'000) << "a setting above the bound outweighs it";
}

TEST_F(PublicRoutesTest, DecisionIsPromisedNoSoonerThanTheEstimate) {
  api_.purchase.kind = PurchaseAnswer::Kind::queued;
  const auto created_at = api_.purchase.order.id.created_at();
  const auto decide_by = [this] {
    const auto json = nlohmann::json::parse(ask("POST /v1/sales/7/orders", kOwner).body);
    return *parse_rfc3339(json["decide_by"].get<std::string>());
  };
  EXPECT_EQ(decide_by(), created_at + Millis{30'000});
  api_.purchase.wait = Millis{45'001};
  EXPECT_EQ(decide_by(), created_at + Millis{75'001});
}

TEST_F(PublicRoutesTest, ConfirmedIs201AndExistingIs200) {
  api_.purchase.kind = PurchaseAnswer::Kind::confirmed;
  api_.purchase.order.status = OrderStatus::confirmed;
  auto answer = ask("POST /v1/sales/7/orders", kOwner);
  EXPECT_EQ(answer.status, 201U);
  EXPECT_FALSE(nlohmann::json::parse(answer.body).contains("poll_after_ms"));
  api_.purchase.kind = PurchaseAnswer::Kind::existing;
  answer = ask("POST /v1/sales/7/orders", kOwner);
  EXPECT_EQ(answer.status, 200U);
  EXPECT_FALSE(nlohmann::json::parse(answer.body).contains("decide_by"));

  api_.purchase.order.status = OrderStatus::queued;
  api_.purchase.wait = Millis{60'000};
  answer = ask("POST /v1/sales/7/orders", kOwner);
  EXPECT_EQ(nlohmann::json::parse(answer.body)["poll_after_ms"], 300);
}

TEST_F(PublicRoutesTest, RefusedPurchaseKeepsItsHint) {
  api_.purchase.refusal = Refusal{Code::sold_out_for_now, Millis{900}};
  const auto answer = ask("POST /v1/sales/7/orders", kOwner);
  EXPECT_EQ(answer.refusal->code, Code::sold_out_for_now);
  EXPECT_EQ(answer.refusal->retry_after, Millis{900});
}

TEST_F(PublicRoutesTest, BodiesOfPurchases) {
  api_.purchase.kind = PurchaseAnswer::Kind::queued;
  const std::vector<std::pair<std::string, std::string>> table = {
      {"", "202"},
      {"{}", "202"},
      {R"({"quantity":1})", "202"},
      {R"( { "quantity" : 3 } )", "202"},
      {R"({"\u0071uantity":2})", "202"},
      {R"({"quantity":4})", "quantity_over_limit"},
      {R"({"quantity":99999999999999999999999})", "quantity_over_limit"},
      {R"({"quantity":0})", "invalid_quantity"},
      {R"({"quantity":-1})", "invalid_quantity"},
      {R"({"quantity":-99999999999999999999})", "invalid_quantity"},
      {R"({"quantity":1.0})", "invalid_quantity"},
      {R"({"quantity":1e0})", "invalid_quantity"},
      {R"({"quantity":"1"})", "invalid_quantity"},
      {R"({"quantity":null})", "invalid_quantity"},
      {R"({"quantity":true})", "invalid_quantity"},
      {R"({"quantity":[1]})", "invalid_quantity"},
      {R"({"quantity":{"quantity":1}})", "invalid_quantity"},
      {R"({"quantity":1,"quantity":1})", "duplicate_member"},
      {R"({"quantity":1,"\u0071uantity":2})", "duplicate_member"},
      {R"({"qty":1})", "unknown_member"},
      {R"({"quantity":1,"user":"x"})", "unknown_member"},
      {R"({"Quantity":1})", "unknown_member"},
      {R"({"quantity":01})", "invalid_json"},
      {R"({"quantity":1)", "invalid_json"},
      {R"({"quantity":0)", "invalid_json"},
      {R"([{"quantity":1}])", "invalid_json"},
      {"1", "invalid_json"},
      {" ", "invalid_json"},
      {"{\"quantity\":1}\xff", "invalid_json"},
  };
  for (const auto& [body, expected] : table) EXPECT_EQ(buy(body), expected) << body;
  EXPECT_EQ(buy("{}", "text/plain"), "unsupported_media_type");
  EXPECT_EQ(buy("{}", "application/json; charset=utf-8"), "202");
  EXPECT_EQ(code("POST /v1/sales/7/orders", kOwner, "{}"), "unsupported_media_type");
}

TEST_F(PublicRoutesTest, TheGateAsksInOrderOfCost) {
  const std::string bad_body = "{";
  const std::string json = "Content-Type: application/json\r\n";
  const std::string path = "POST /v1/sales/99/orders";
  api_.ip_refusal = Refusal{Code::rate_limited, Millis{100}};
  EXPECT_EQ(code(path, json, bad_body), "rate_limited");
  EXPECT_EQ(api_.identified, 0);
  api_.ip_refusal.reset();
  EXPECT_EQ(code(path, json, bad_body), "missing_token");
  EXPECT_EQ(code(path, json + "Authorization: Basic eDp5\r\n", bad_body), "missing_token");
  EXPECT_EQ(code(path, json + "Authorization: Bearer nonsense\r\n", bad_body), "invalid_token");
  EXPECT_EQ(code(path, json + "Authorization: Bearer expired\r\n", bad_body), "expired_token");
  api_.user_refusal = Refusal{Code::rate_limited, Millis{100}};
  EXPECT_EQ(code(path, json + kOwner, bad_body), "rate_limited");
  api_.user_refusal.reset();
  EXPECT_EQ(code(path, json + kOwner, bad_body), "unknown_sale");
  EXPECT_EQ(code("POST /v1/sales/7/orders", json + kOwner, bad_body), "invalid_json");
  EXPECT_TRUE(api_.bought.empty());
  EXPECT_EQ(api_.ips.front(), "1.2.3.4");
}

TEST_F(PublicRoutesTest, SchemeOfTheTokenIsReadInAnyCase) {
  EXPECT_EQ(code("GET /v1/sales/7/orders/mine", "Authorization: bEARER   token-owner\r\n"), "200");
}

TEST_F(PublicRoutesTest, OrderTellsItsOwnerEverything) {
  auto json = nlohmann::json::parse(ask(std::string("GET /v1/sales/7/orders/") + kId, kOwner).body);
  EXPECT_EQ(json["order_id"], kId);
  EXPECT_EQ(json["status"], "queued");
  EXPECT_EQ(json["quantity"], 2);
  EXPECT_EQ(json["amount_minor"], 3998);
  EXPECT_EQ(json["currency"], "EUR");
  EXPECT_EQ(json["poll_after_ms"], 300);
  EXPECT_FALSE(json.contains("reason"));

  api_.order.order.status = OrderStatus::rejected;
  api_.order.reason = RejectReason::stock;
  json = nlohmann::json::parse(ask("GET /v1/sales/7/orders/mine", kOwner).body);
  EXPECT_EQ(json["status"], "rejected");
  EXPECT_EQ(json["reason"], "stock");
  EXPECT_FALSE(json.contains("poll_after_ms"));
}

TEST_F(PublicRoutesTest, OrderTellsUntilWhenToPay) {
  const auto path = std::string("GET /v1/sales/7/orders/") + kId;
  api_.order.order.status = OrderStatus::confirmed;
  EXPECT_FALSE(nlohmann::json::parse(ask(path, kOwner).body).contains("pay_by"));
  api_.order.pay_by = TimePoint(Millis(1767348000500));
  const auto json = nlohmann::json::parse(ask(path, kOwner).body);
  EXPECT_EQ(json["pay_by"], "2026-01-02T10:00:00.500Z");
}

TEST_F(PublicRoutesTest, AnOwnerCancelsAndIsShownTheOrder) {
  const auto path = std::string("POST /v1/sales/7/orders/") + kId + "/cancel";
  const auto answer = ask(path, kOwner);
  EXPECT_EQ(answer.status, 200U);
  EXPECT_EQ(nlohmann::json::parse(answer.body), nlohmann::json::parse(R"({
    "order_id": "0190a5b4-6c00-8001-8000-000000000001", "sale_id": 7, "status": "cancelled",
    "quantity": 2, "amount_minor": 3998, "currency": "EUR"})"));
  EXPECT_EQ(api_.cancelled, std::vector<std::string>{std::string("owner ") + kId + " of 7"});

  const auto json = kOwner + "Content-Type: application/json\r\n";
  EXPECT_EQ(code(path, json, "{}"), "200");
  EXPECT_EQ(code(path, "Authorization: Bearer token-eve\r\n"), "unknown_order");
}

TEST_F(PublicRoutesTest, ARefusedCancellationKeepsItsHint) {
  const auto path = std::string("POST /v1/sales/7/orders/") + kId + "/cancel";
  api_.cancel_refusal = Refusal{Code::order_undecided, Millis{500}};
  auto answer = ask(path, kOwner);
  EXPECT_EQ(answer.refusal->code, Code::order_undecided);
  EXPECT_EQ(answer.refusal->retry_after, Millis{500});
  api_.cancel_refusal = Refusal{Code::outcome_unknown, Millis{500}};
  answer = ask(path, kOwner);
  EXPECT_EQ(answer.refusal->code, Code::outcome_unknown);
  EXPECT_EQ(answer.body, "The order may have been cancelled; ask again.");
}

TEST_F(PublicRoutesTest, BadCancellationsDoNothing) {
  const auto path = std::string("POST /v1/sales/7/orders/") + kId + "/cancel";
  const auto json = kOwner + "Content-Type: application/json\r\n";
  EXPECT_EQ(code(path), "missing_token");
  EXPECT_EQ(code(path, "Authorization: Bearer nonsense\r\n"), "invalid_token");
  EXPECT_EQ(code(path + "?x=1", kOwner), "invalid_parameter");
  EXPECT_EQ(code(path, kOwner, "{}"), "unsupported_media_type");
  EXPECT_EQ(code(path, json, R"({"user":"eve"})"), "unknown_member");
  EXPECT_EQ(code(path, json, R"({"a":1,"a":1})"), "duplicate_member");
  EXPECT_EQ(code(path, json, "[]"), "invalid_json");
  EXPECT_EQ(code(path, json, "{"), "invalid_json");
  EXPECT_EQ(code(path + "/", kOwner), "not_found");
  EXPECT_EQ(code(std::string("POST /v1/sales/7/orders/") + kId + "/pay", kOwner), "not_found");
  EXPECT_EQ(code("POST /v1/sales/7/orders/mine/cancel", kOwner), "unknown_order");
  EXPECT_EQ(code("POST /v1/sales/7/orders//cancel", kOwner), "unknown_order");
  EXPECT_EQ(code(std::string("POST /v1/sales/8/orders/") + kId + "/cancel", kOwner),
            "unknown_sale");
  api_.user_refusal = Refusal{Code::rate_limited, Millis{100}};
  EXPECT_EQ(code(path, kOwner), "rate_limited");
  api_.ip_refusal = Refusal{Code::rate_limited, Millis{100}};
  EXPECT_EQ(code(path, kOwner), "rate_limited");
  EXPECT_TRUE(api_.cancelled.empty());
}

TEST_F(PublicRoutesTest, OrdersOfOthersAndMadeUpIdsDoNotExist) {
  const auto path = std::string("GET /v1/sales/7/orders/") + kId;
  EXPECT_EQ(code(path, "Authorization: Bearer token-eve\r\n"), "unknown_order");
  for (const std::string id : {"x", "", "MINE", "0190A5B4-6C00-8001-8000-000000000001"}) {
    EXPECT_EQ(code("GET /v1/sales/7/orders/" + id, kOwner), "unknown_order") << id;
  }
}

TEST_F(PublicRoutesTest, WaitIsBoundedAndStrict) {
  const auto wait = [this](const std::string& query) {
    return code(std::string("GET /v1/sales/7/orders/") + kId + query, kOwner);
  };
  EXPECT_EQ(wait("?wait=30000"), "200");
  EXPECT_EQ(api_.patience_asked, Millis{30000});
  EXPECT_EQ(wait("?wait=0"), "200");
  EXPECT_EQ(api_.patience_asked, Millis{0});
  EXPECT_EQ(wait("?"), "200");
  for (const std::string query :
       {"?wait=30001", "?wait=-1", "?wait=-0", "?wait=", "?wait", "?wait=1.5", "?wait=1s",
        "?wait=+1", "?wait=1&wait=1", "?wait=1&x=2", "?x=1", "?&", "?wait=99999999999999999999",
        "?Wait=1", "?wait=%31"}) {
    EXPECT_EQ(wait(query), "invalid_parameter") << query;
  }
}

TEST_F(PublicRoutesTest, MethodsAndPathsThatAreNotThere) {
  struct Row {
    std::string line;
    std::string expected;
    std::string allow;
  };
  const auto order = std::string("/v1/sales/7/orders/") + kId;
  const std::vector<Row> rows = {
      {"GET /v1/sales/7/orders", "method_not_allowed", "POST"},
      {"OPTIONS /v1/sales/7/orders", "method_not_allowed", "POST"},
      {"DELETE " + order, "method_not_allowed", "GET, HEAD"},
      {"GET " + order + "/cancel", "method_not_allowed", "POST"},
      {"DELETE " + order + "/cancel", "method_not_allowed", "POST"},
      {"POST /v1/sales", "method_not_allowed", "GET, HEAD"},
      {"PUT /v1/sales/7", "method_not_allowed", "GET, HEAD"},
      {"POST /v1/sales/7/orders/mine", "method_not_allowed", "GET, HEAD"},
      {"POST /healthz", "method_not_allowed", "GET, HEAD"},
      {"TRACE /readyz", "method_not_allowed", "GET, HEAD"},
      {"GET /v1", "not_found", ""},
      {"GET /v1/sales/7/", "not_found", ""},
      {"GET /v1/sales/7/orders/", "missing_token", ""},
      {"GET " + order + "/x", "not_found", ""},
      {"GET /v1/sales/7/other", "not_found", ""},
      {"GET /%76%31/sales", "not_found", ""},
      {"GET //v1/sales", "not_found", ""},
      {"GET /v1/../healthz", "not_found", ""},
      {"GET /admin/sales", "not_found", ""},
      {"GET /metrics", "not_found", ""},
      {"POST /demo/token", "not_found", ""},
      {"GET /v1/sales/0", "unknown_sale", ""},
      {"GET /v1/sales/07", "unknown_sale", ""},
      {"GET /v1/sales/8", "unknown_sale", ""},
      {"GET /v1/sales/%37", "unknown_sale", ""},
      {"GET /v1/sales/", "unknown_sale", ""},
      {"GET /v1/sales/99999999999999999999", "unknown_sale", ""},
      {"GET /v1/sales?x=1", "invalid_parameter", ""},
      {"GET /v1/sales/7?x=1", "invalid_parameter", ""},
      {"POST /v1/sales/7/orders?x=1", "invalid_parameter", ""},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(code(row.line), row.expected) << row.line;
    if (row.allow.empty()) continue;
    EXPECT_EQ(ask(row.line).headers, "Allow: " + row.allow + "\r\n") << row.line;
  }
}

TEST_F(PublicRoutesTest, SalesAreShownToEverybody) {
  const auto list = ask("GET /v1/sales");
  EXPECT_EQ(list.status, 200U);
  EXPECT_NE(list.headers.find("max-age=1"), std::string::npos);
  EXPECT_NE(list.headers.find("Server-Time-Ms: "), std::string::npos);
  const auto json = nlohmann::json::parse(*list.shared_body);
  EXPECT_EQ(json["sales"].size(), 1U);
  EXPECT_EQ(json["sales"][0]["phase"], "open");
  EXPECT_FALSE(json.contains("next_cursor"));
  EXPECT_EQ(nlohmann::json::parse(*ask("GET /v1/sales/7").shared_body)["title"], "Seven");
}

TEST_F(PublicRoutesTest, TheClientWhoHasTheSalesIsTold304) {
  for (const std::string line : {"GET /v1/sales", "GET /v1/sales/7"}) {
    const auto etag = etag_of(ask(line));
    const auto again = ask(line, "If-None-Match: " + etag + "\r\n");
    EXPECT_EQ(again.status, 304U) << line;
    EXPECT_FALSE(again.shared_body) << line;
    EXPECT_EQ(etag_of(again), etag) << line;
    api_.sell(SaleState::paused);
    EXPECT_EQ(ask(line, "If-None-Match: " + etag + "\r\n").status, 200U) << line;
    api_.sell(SaleState::open);
  }
}

TEST_F(PublicRoutesTest, PagesHaveEachSaleOnceAlsoWhenOneIsAdded) {
  auto snapshot = std::make_shared<SaleSnapshot>();
  snapshot->loaded = true;
  for (SaleId id = 1; id <= 120; ++id) {
    snapshot->sales[id] = FakeApi::sale_of(id, SaleState::open);
  }
  api_.book.publish(snapshot);
  std::vector<SaleId> seen;
  std::string cursor;
  for (int pages = 1;; ++pages) {
    ASSERT_LE(pages, 3);
    const auto page = ask("GET /v1/sales" + (cursor.empty() ? cursor : "?cursor=" + cursor));
    const auto json = nlohmann::json::parse(*page.shared_body);
    for (const auto& sale : json["sales"]) seen.push_back(sale["sale_id"]);
    if (!json.contains("next_cursor")) break;
    cursor = json["next_cursor"];
    auto more = std::make_shared<SaleSnapshot>(*api_.book.get());
    more->sales[120 + pages] = FakeApi::sale_of(120 + pages, SaleState::open);
    api_.book.publish(more);
  }
  ASSERT_EQ(seen.size(), 120U);
  for (std::size_t i = 0; i < seen.size(); ++i) {
    EXPECT_EQ(seen[i], static_cast<SaleId>(120 - i));
  }
}

TEST_F(PublicRoutesTest, WhatIsNoPageIsRefused) {
  EXPECT_EQ(code("GET /v1/sales?limit=1"), "200");
  EXPECT_EQ(code("GET /v1/sales?limit=200&cursor=n00000000000000ff"), "200");
  EXPECT_EQ(code("GET /v1/sales?cursor=n7fffffffffffffff&limit=2"), "200");
  for (const std::string query :
       {"limit=0", "limit=201", "limit=", "limit=-1", "limit=1.0", "limit=99999999999999999999",
        "limit=1&limit=1", "cursor=", "cursor=7", "cursor=x0000000000000007",
        "cursor=n000000000000007", "cursor=n00000000000000FF", "cursor=n-00000000000001",
        "cursor=nffffffffffffffff", "cursor=n0000000000000007&cursor=n0000000000000007", "&",
        "x"}) {
    EXPECT_EQ(code("GET /v1/sales?" + query), "invalid_parameter") << query;
  }
}

TEST_F(PublicRoutesTest, ASaleThatTheNodeDoesNotHoldIsLookedUp) {
  api_.old_sales[5] = FakeApi::sale_of(5, SaleState::closed);
  api_.purchase.kind = PurchaseAnswer::Kind::existing;
  EXPECT_EQ(nlohmann::json::parse(*ask("GET /v1/sales/5").shared_body)["phase"], "closed");
  EXPECT_EQ(code(std::string("GET /v1/sales/5/orders/") + kId, kOwner), "200");
  EXPECT_EQ(code("GET /v1/sales/5/orders/mine", kOwner), "200");
  EXPECT_EQ(code("POST /v1/sales/5/orders", kOwner + "Content-Type: application/json\r\n",
                 R"({"quantity":2})"),
            "200");
  EXPECT_EQ(api_.looked_up, std::vector<std::string>(4, "1.2.3.4 5"));
  EXPECT_EQ(api_.bought, std::vector<std::string>{"owner 2 of 5"}) << "its body was kept";
  EXPECT_EQ(code("GET /v1/sales/5/orders/mine"), "missing_token");
  EXPECT_EQ(code("GET /v1/sales/6"), "unknown_sale");
  EXPECT_EQ(code("GET /v1/sales/6/orders/mine", kOwner), "unknown_sale");
  api_.look_up_refusal = Refusal{Code::busy, Millis{500}};
  EXPECT_EQ(code("GET /v1/sales/6"), "busy") << "it may exist";
  api_.looked_up.clear();
  EXPECT_EQ(code("GET /v1/sales/7"), "200");
  EXPECT_EQ(code("GET /v1/sales/x"), "unknown_sale");
  EXPECT_TRUE(api_.looked_up.empty());
}

TEST_F(PublicRoutesTest, SalesThatBecomeKnownWhileOneAsksDenyNone) {
  api_.book.publish(std::make_shared<SaleSnapshot>());
  api_.on_identify = [this] { api_.sell(SaleState::open); };
  EXPECT_EQ(code("GET /v1/sales/7/orders/mine", kOwner), "not_ready");
  EXPECT_EQ(code("GET /v1/sales/7/orders/mine", kOwner), "200");
  EXPECT_TRUE(api_.looked_up.empty());
}

TEST(SalePagesTest, APageIsWrittenOnceUntilTheSalesOrAPhaseChange) {
  SalePages pages;
  auto snapshot = std::make_shared<SaleSnapshot>();
  snapshot->loaded = true;
  for (SaleId id = 1; id <= 1000; ++id) {
    auto& sale = snapshot->sales[id] = FakeApi::sale_of(id, SaleState::open);
    sale.terms.ends_at = TimePoint(Millis(id == 1000 ? 5000 : 9000));
  }
  const auto first = pages.list(snapshot, {}, TimePoint(Millis(1000)));
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(pages.list(snapshot, {}, TimePoint(Millis(1000 + i))), first);
  }
  EXPECT_EQ(pages.rendered(), 1U);
  const auto ended = pages.list(snapshot, {}, TimePoint(Millis(5000)));
  EXPECT_NE(ended->etag, first->etag) << "one has ended";
  EXPECT_EQ(pages.rendered(), 2U);
  EXPECT_EQ(pages.list(snapshot, {}, TimePoint(Millis(1000)))->etag, first->etag)
      << "the clock was set back";
  pages.list(std::make_shared<SaleSnapshot>(*snapshot), {}, TimePoint(Millis(1000)));
  EXPECT_EQ(pages.rendered(), 4U);
}

TEST_F(PublicRoutesTest, ProbesAnswerEvenWhenTheGateIsShut) {
  api_.ip_refusal = Refusal{Code::rate_limited, Millis{100}};
  EXPECT_EQ(ask("GET /healthz").status, 200U);
  EXPECT_EQ(ask("GET /readyz").status, 200U);
  EXPECT_EQ(code("GET /v1/sales"), "rate_limited");
}

TEST_F(PublicRoutesTest, ReadinessNamesWhatFailsButNotHow) {
  auto state = *api_.ready.get();
  state.checks.push_back(ReadyCheck{"queue", "kafka:9092 refused the connection"});
  api_.ready.publish(std::make_shared<ReadyState>(state));
  const auto answer = ask("GET /readyz");
  EXPECT_EQ(answer.status, 503U);
  EXPECT_EQ(answer.body, R"({"ready":false,"draining":false,"checks":[{"name":"store","ok":true},)"
                         R"({"name":"queue","ok":false}]})");
}

TEST_F(PublicRoutesTest, DemoTokenExistsOnlyWhenGiven) {
  const std::string json = "Content-Type: application/json\r\n";
  EXPECT_EQ(code("POST /demo/token", json, R"({"user":"ann"})"), "not_found");
  demo_ = [](const UserId& user) { return "token-" + user.text(); };
  EXPECT_EQ(ask("POST /demo/token", json, R"({"user":"ann"})").body, R"({"token":"token-ann"})");
  EXPECT_EQ(code("POST /demo/token", json, R"({"user":"a b"})"), "invalid_parameter");
  EXPECT_EQ(code("POST /demo/token", json, R"({"user":1})"), "invalid_parameter");
  EXPECT_EQ(code("POST /demo/token", json, "{}"), "invalid_parameter");
  EXPECT_EQ(code("POST /demo/token", json, R"({"usr":"ann"})"), "unknown_member");
  EXPECT_EQ(code("POST /demo/token", "", R"({"user":"ann"})"), "unsupported_media_type");
  EXPECT_EQ(code("GET /demo/token"), "method_not_allowed");
}

TEST_F(PublicRoutesTest, FilesHaveATypeATagAndSecurityHeaders) {
  const auto index = ask("GET /");
  EXPECT_EQ(index.static_body, sluice_web::file("index.html"));
  EXPECT_FALSE(index.static_body.empty());
  EXPECT_EQ(index.type, "text/html; charset=utf-8");
  for (const auto* header :
       {"Content-Security-Policy: default-src 'self'", "X-Frame-Options: DENY"}) {
    EXPECT_NE(index.headers.find(header), std::string::npos) << header;
  }
  const auto etag = etag_of(index);
  const auto again = ask("GET /index.html?v=2", "If-None-Match: " + etag + "\r\n");
  EXPECT_EQ(again.status, 304U);
  EXPECT_TRUE(again.static_body.empty() && again.type.empty());
  EXPECT_EQ(ask("GET /", "If-None-Match: \"other\"\r\n").status, 200U);
  EXPECT_EQ(code("POST /"), "method_not_allowed");
  EXPECT_EQ(code("GET /nothing.js"), "not_found");
}

}  // namespace
}  // namespace sluice::http
