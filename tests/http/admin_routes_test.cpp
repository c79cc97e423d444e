#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <thread>

#include "http/listening_server.hpp"
#include "support/log_spy.hpp"
#include "support/run_awaitable.hpp"

namespace sluice::http {
namespace {

const std::string kKey = "0123456789abcdef";
const std::string kAuthorized = "Authorization: Bearer " + kKey + "\r\n";
const std::string kJsonType = "Content-Type: application/json\r\n";
const std::string kDraft =
    R"({"title":"T","stock":100,"starts_at":"2026-01-02T03:04:05Z","ends_at":1767409445000})";

const std::string kOrder = "/admin/sales/12/orders/0190a5b4-6c00-8001-8000-000000000001";
const std::string kAlice = R"({"user":"alice"})";

class FakeDesk final : public Operations {
 public:
  boost::asio::awaitable<Operated<Sale>> create(SaleDraft draft) override {
    thread = std::this_thread::get_id();
    Sale sale;
    sale.id = 12;
    sale.terms = std::move(draft);
    co_return sale;
  }
  boost::asio::awaitable<Operated<std::vector<Sale>>> list(SaleFilter which, SaleId before,
                                                           std::size_t max) override {
    EXPECT_EQ(which, SaleFilter::all);
    std::vector<Sale> sales;
    for (SaleId id = 2; id > 0 && sales.size() < max; --id) {
      if (id < before) sales.emplace_back().id = id;
    }
    co_return sales;
  }
  boost::asio::awaitable<Operated<Sale>> show(SaleId sale) override {
    if (sale != 12) co_return OperatorRefusal{Code::unknown_sale, ""};
    Sale found;
    found.id = sale;
    co_return found;
  }
  boost::asio::awaitable<Operated<Sale>> set_state(SaleId sale, SaleState state) override {
    if (state == SaleState::closed) {
      co_return OperatorRefusal{Code::invalid_state, "a draft cannot be closed"};
    }
    Sale moved;
    moved.id = sale;
    moved.state = state;
    co_return moved;
  }
  boost::asio::awaitable<Operated<SaleAudit>> audit(SaleId sale) override {
    thread = std::this_thread::get_id();
    if (sale != 12) co_return OperatorRefusal{Code::unknown_sale, ""};
    co_return audited;
  }
  boost::asio::awaitable<Operated<SaleAudit>> rebuild(SaleId sale, bool force) override {
    if (sale != 12) co_return OperatorRefusal{Code::invalid_state, "a draft has no lanes yet"};
    forced.push_back(force);
    co_return audited;
  }
  boost::asio::awaitable<Operated<ModeReport>> flow() override { co_return report; }
  boost::asio::awaitable<Operated<ModeReport>> hold(std::optional<OperatingMode> mode) override {
    if (embedded) co_return OperatorRefusal{Code::invalid_state, "one mode"};
    report.state.held = mode;
    co_return report;
  }

  std::thread::id thread;
  SaleAudit audited;
  std::vector<bool> forced;  ///< One for each rebuild.
  ModeReport report;
  bool embedded = false;
};

class FakeShop final : public Shop {
 public:
  boost::asio::awaitable<Operated<Order>> move(SaleId sale, OrderId order, UserId user,
                                               Move move) override {
    thread = std::this_thread::get_id();
    moves.push_back(std::string(name(move)) + " " + order.text() + " of " + user.text());
    if (sale != 12) co_return OperatorRefusal{Code::unknown_sale, ""};
    if (user.text() != "alice") co_return OperatorRefusal{Code::unknown_order, ""};
    if (final) co_return OperatorRefusal{Code::order_final, "the order is expired"};
    Order moved;
    moved.id = order;
    moved.lane.sale = sale;
    moved.user = user;
    moved.quantity = 3;
    moved.status = after(move);
    moved.unit_price_minor = 1999;
    moved.currency = "EUR";
    co_return moved;
  }

  std::thread::id thread;
  std::vector<std::string> moves;
  bool final = false;  ///< What every order is already.
};

/// A lane that sold 60 of 100 units, two of them undecided.
LaneAudit selling_lane() {
  LaneAudit lane;
  lane.figures.lane = {12, 3};
  lane.figures.head = {4, 5, 0, 4};
  lane.figures.initial = 100;
  lane.figures.stock = 40;
  lane.figures.live_units = 60;
  lane.figures.live_orders = 30;
  lane.figures.returning = 5;
  lane.figures.rejected_stock = 7;
  lane.figures.rejected_duplicate = 8;
  lane.stage = LaneStage::fencing;
  LaneView view;
  view.ready = true;
  view.epoch = 4;
  view.stock = 38;
  view.pending = 1;
  view.held = 2;
  lane.inventory = view;
  lane.copy = CopyProgress{20, 60};
  lane.drift = 0;
  return lane;
}

class AdminRoutesTest : public testing::Test {
 protected:
  AdminRoutesTest()
      : clock_(system_clock()),
        ready_(std::make_shared<ReadyState>(
            ReadyState{false, {ReadyCheck{"queue", "Kafka does not answer"}}})),
        control_thread_([this] { control_.run(); }) {}
  ~AdminRoutesTest() override {
    control_work_.reset();
    control_thread_.join();
  }

  Answer ask(const std::string& line, const std::string& fields = kAuthorized,
             const std::string& body = "") {
    auto bytes = line + " HTTP/1.1\r\nHost: a\r\n" + fields;
    if (!body.empty()) bytes += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    bytes += "\r\n" + body;
    RequestReader reader({});
    EXPECT_EQ(reader.look(bytes), RequestReader::Step::ready) << bytes;
    AdminPorts ports{desk_, control_.get_executor(), shop_, *clock_, ready_, metrics_, keys_};
    const auto routes = create_admin_routes(settings_, ports);
    auto reply = routes->route(reader.request(), {"127.0.0.1"});
    if (reply.later.valid()) return test::run_awaitable(std::move(reply.later));
    return std::move(reply.answer);
  }

  std::string code(const std::string& line, const std::string& fields = kAuthorized,
                   const std::string& body = "") {
    const auto answer = ask(line, fields, body);
    return answer.refusal ? std::string(problem(answer.refusal->code).name)
                          : std::to_string(answer.status);
  }

  std::shared_ptr<Clock> clock_;
  Readiness ready_;
  Metrics metrics_;
  FakeDesk desk_;
  FakeShop shop_;
  AdminSettings settings_;
  AdminKeys keys_ = {{"admin", std::nullopt, kKey}};
  boost::asio::io_context control_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> control_work_{
      control_.get_executor()};
  std::thread control_thread_;
};

TEST_F(AdminRoutesTest, EverythingButTheProbesNeedsTheKey) {
  for (const std::string line :
       {"GET /metrics", "GET /admin/sales", "POST /admin/sales", "GET /admin/sales/12",
        "POST /admin/sales/12/open", "GET /admin/sales/12/audit", "POST /admin/sales/12/rebuild",
        "POST /admin/sales/12/orders/x/pay", "GET /admin/mode", "POST /admin/mode", "GET /",
        "GET /nothing", "DELETE /admin/sales"}) {
    EXPECT_EQ(code(line, ""), "missing_token") << line;
    EXPECT_EQ(code(line, "Authorization: Basic " + kKey + "\r\n"), "missing_token") << line;
    EXPECT_EQ(code(line, "Authorization: Bearer 0123456789abcdeg\r\n"), "invalid_token") << line;
    EXPECT_EQ(code(line, "Authorization: Bearer 0123456789abcde\r\n"), "invalid_token") << line;
  }
  EXPECT_EQ(code("GET /healthz", ""), "200");
  EXPECT_EQ(code("GET /readyz", ""), "503");
}

TEST_F(AdminRoutesTest, MetricsMayBeOpened) {
  metrics_.counter("sluice_test_total", "For this test").Increment();
  const auto answer = ask("GET /metrics");
  EXPECT_EQ(answer.type, "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_NE(answer.body.find("sluice_test_total 1"), std::string::npos) << answer.body;
  settings_.metrics_open = true;
  EXPECT_EQ(code("GET /metrics", ""), "200");
  EXPECT_EQ(code("GET /admin/sales", ""), "missing_token");
}

TEST_F(AdminRoutesTest, ReadinessTellsOperatorsWhatIsWrong) {
  EXPECT_NE(ask("GET /readyz").body.find("Kafka does not answer"), std::string::npos);
}

TEST_F(AdminRoutesTest, SaleIsCreatedOnTheDesksThread) {
  const auto answer = ask("POST /admin/sales", kAuthorized + kJsonType, kDraft);
  EXPECT_EQ(answer.status, 201U);
  EXPECT_NE(answer.headers.find("Location: /admin/sales/12\r\n"), std::string::npos);
  const auto json = nlohmann::json::parse(answer.body);
  EXPECT_EQ(json["sale_id"], 12);
  EXPECT_EQ(json["state"], "draft");
  EXPECT_EQ(json["stock"], 100);
  EXPECT_EQ(json["starts_at"], "2026-01-02T03:04:05.000Z");
  EXPECT_EQ(desk_.thread, control_thread_.get_id());
}

TEST_F(AdminRoutesTest, SalesAreListedShownAndMoved) {
  EXPECT_EQ(nlohmann::json::parse(ask("GET /admin/sales").body)["sales"].size(), 2U);
  const auto first = nlohmann::json::parse(ask("GET /admin/sales?limit=1").body);
  EXPECT_EQ(first["sales"].size(), 1U);
  const std::string cursor = first["next_cursor"];
  const auto last = nlohmann::json::parse(ask("GET /admin/sales?cursor=" + cursor).body);
  EXPECT_EQ(last["sales"][0]["sale_id"], 1);
  EXPECT_FALSE(last.contains("next_cursor"));
  EXPECT_EQ(code("GET /admin/sales?cursor=1"), "invalid_parameter");
  EXPECT_EQ(nlohmann::json::parse(ask("GET /admin/sales/12").body)["sale_id"], 12);
  EXPECT_EQ(nlohmann::json::parse(ask("POST /admin/sales/12/open").body)["state"], "open");
  EXPECT_EQ(nlohmann::json::parse(ask("POST /admin/sales/12/pause").body)["state"], "paused");
  const auto refused = ask("POST /admin/sales/12/close");
  EXPECT_EQ(refused.refusal->code, Code::invalid_state);
  EXPECT_EQ(refused.body, "a draft cannot be closed");
}

TEST_F(AdminRoutesTest, BadRequestsGetTheirCode) {
  const auto post = kAuthorized + kJsonType;
  EXPECT_EQ(code("POST /admin/sales", post), "invalid_json");
  EXPECT_EQ(code("POST /admin/sales", kAuthorized, kDraft), "unsupported_media_type");
  EXPECT_EQ(code("POST /admin/sales", post, R"({"titel":"x"})"), "unknown_member");
  EXPECT_EQ(code("POST /admin/sales", post, R"({"title":"x"})"), "invalid_sale");
  EXPECT_EQ(code("PUT /admin/sales"), "method_not_allowed");
  EXPECT_EQ(code("DELETE /admin/sales/12"), "method_not_allowed");
  EXPECT_EQ(code("GET /admin/sales/12/open"), "method_not_allowed");
  EXPECT_EQ(code("POST /metrics"), "method_not_allowed");
  EXPECT_EQ(code("GET /admin/sales/x"), "unknown_sale");
  EXPECT_EQ(code("GET /admin/sales/13"), "unknown_sale");
  EXPECT_EQ(code("POST /admin/sales/0/open"), "unknown_sale");
  EXPECT_EQ(code("POST /admin/sales/12/destroy"), "not_found");
  EXPECT_EQ(code("POST /admin/sales/12/open/"), "not_found");
  EXPECT_EQ(code("GET /admin/sales?x=1"), "invalid_parameter");
}

TEST_F(AdminRoutesTest, AuditTellsEveryFigureOfEveryLane) {
  desk_.audited = {12, {selling_lane()}};
  const auto answer = ask("GET /admin/sales/12/audit");
  EXPECT_EQ(answer.status, 200U);
  EXPECT_EQ(desk_.thread, control_thread_.get_id());
  EXPECT_EQ(nlohmann::json::parse(answer.body), nlohmann::json::parse(R"({
    "sale_id": 12, "holds": true, "lanes": [{
      "lane": 3, "authority": "inventory", "stage": "fencing",
      "fence_epoch": 4, "newest_epoch": 5, "suspect_epoch": 4,
      "initial": 100, "stock": 40, "live_units": 60, "live_orders": 30, "returning": 5,
      "rejected_stock": 7, "rejected_duplicate": 8, "conserved": true,
      "inventory": {"ready": true, "epoch": 4, "stock": 38, "pending": 1, "held": 2},
      "copy": {"staged_units": 20, "units": 60},
      "drift": 0}]})"));
}

TEST_F(AdminRoutesTest, AuditSaysWhatDoesNotHoldAndWhatIsNotKnown) {
  auto lost = selling_lane();
  lost.figures.stock = 39;
  auto drifting = selling_lane();
  drifting.drift = -3;
  auto by_store = selling_lane();
  by_store.figures.head.by_store = 4;
  by_store.inventory.reset();
  by_store.drift.reset();
  desk_.audited = {12, {lost, drifting, by_store}};
  const auto json = nlohmann::json::parse(ask("GET /admin/sales/12/audit").body);
  EXPECT_EQ(json["holds"], false);
  EXPECT_EQ(json["lanes"][0]["conserved"], false);
  EXPECT_EQ(json["lanes"][1]["drift"], -3);
  EXPECT_EQ(json["lanes"][2]["authority"], "store");
  EXPECT_TRUE(json["lanes"][2]["inventory"].is_null());
  EXPECT_TRUE(json["lanes"][2]["drift"].is_null());
  EXPECT_EQ(json["lanes"][2]["conserved"], true);
}

TEST_F(AdminRoutesTest, RebuildIsAcceptedWithTheAudit) {
  desk_.audited = {12, {selling_lane()}};
  const auto answer = ask("POST /admin/sales/12/rebuild");
  EXPECT_EQ(answer.status, 202U);
  EXPECT_EQ(nlohmann::json::parse(answer.body)["lanes"][0]["stage"], "fencing");
  const auto post = kAuthorized + kJsonType;
  for (const std::string body : {"{}", R"({"force":false})", R"({"force":true})"}) {
    EXPECT_EQ(code("POST /admin/sales/12/rebuild", post, body), "202") << body;
  }
  EXPECT_EQ(desk_.forced, (std::vector<bool>{false, false, false, true}));
}

TEST_F(AdminRoutesTest, BadRebuildsAndAuditsGetTheirCode) {
  const auto post = kAuthorized + kJsonType;
  const std::pair<std::string, std::string> bodies[] = {
      {R"({"force":1})", "invalid_parameter"},
      {R"({"force":"true"})", "invalid_parameter"},
      {R"({"force":null})", "invalid_parameter"},
      {R"({"force":[true]})", "invalid_parameter"},
      {R"({"forced":true})", "unknown_member"},
      {R"({"force":true,"x":1})", "unknown_member"},
      {R"({"force":true,"force":false})", "duplicate_member"},
      {R"([true])", "invalid_json"},
      {"true", "invalid_json"},
      {R"({"force":True})", "invalid_json"},
  };
  for (const auto& [body, expected] : bodies) {
    EXPECT_EQ(code("POST /admin/sales/12/rebuild", post, body), expected) << body;
  }
  EXPECT_EQ(code("POST /admin/sales/12/rebuild", kAuthorized, "{}"), "unsupported_media_type");
  EXPECT_EQ(code("POST /admin/sales/13/rebuild"), "invalid_state");
  EXPECT_EQ(code("POST /admin/sales/x/rebuild"), "unknown_sale");
  EXPECT_EQ(code("POST /admin/sales/12/rebuild?force=true"), "invalid_parameter");
  EXPECT_EQ(code("GET /admin/sales/12/rebuild"), "method_not_allowed");
  EXPECT_EQ(code("POST /admin/sales/12/audit"), "method_not_allowed");
  EXPECT_EQ(code("GET /admin/sales/13/audit"), "unknown_sale");
  EXPECT_EQ(code("GET /admin/sales/-1/audit"), "unknown_sale");
  EXPECT_EQ(code("GET /admin/sales/12/audit/"), "not_found");
  EXPECT_TRUE(desk_.forced.empty());
}

TEST_F(AdminRoutesTest, OrdersArePaidAndCancelledForTheShop) {
  const auto post = kAuthorized + kJsonType;
  const auto paid = ask("POST " + kOrder + "/pay", post, kAlice);
  EXPECT_EQ(paid.status, 200U);
  EXPECT_EQ(nlohmann::json::parse(paid.body), nlohmann::json::parse(R"({
    "order_id": "0190a5b4-6c00-8001-8000-000000000001", "sale_id": 12, "user": "alice",
    "status": "paid", "quantity": 3, "amount_minor": 5997, "currency": "EUR"})"));
  EXPECT_EQ(shop_.thread, std::this_thread::get_id()) << "where the server lives";
  const auto cancelled = ask("POST " + kOrder + "/cancel", post, kAlice);
  EXPECT_EQ(nlohmann::json::parse(cancelled.body)["status"], "cancelled");
  const std::string id = "0190a5b4-6c00-8001-8000-000000000001";
  EXPECT_EQ(shop_.moves,
            (std::vector<std::string>{"pay " + id + " of alice", "cancel " + id + " of alice"}));
}

TEST_F(AdminRoutesTest, MovesThatAreRefusedSayWhy) {
  const auto post = kAuthorized + kJsonType;
  EXPECT_EQ(code("POST " + kOrder + "/pay", post, R"({"user":"eve"})"), "unknown_order");
  EXPECT_EQ(
      code("POST /admin/sales/13/orders/0190a5b4-6c00-8001-8000-000000000001/pay", post, kAlice),
      "unknown_sale");
  shop_.final = true;
  const auto refused = ask("POST " + kOrder + "/cancel", post, kAlice);
  EXPECT_EQ(refused.refusal->code, Code::order_final);
  EXPECT_EQ(refused.body, "the order is expired");
}

TEST_F(AdminRoutesTest, BadMovesGetTheirCode) {
  const auto post = kAuthorized + kJsonType;
  const std::pair<std::string, std::string> bodies[] = {
      {"{}", "invalid_parameter"},
      {R"({"user":""})", "invalid_parameter"},
      {R"({"user":"a b"})", "invalid_parameter"},
      {R"({"user":7})", "invalid_parameter"},
      {R"({"user":null})", "invalid_parameter"},
      {R"({"user":["alice"]})", "invalid_parameter"},
      {R"({"usr":"alice"})", "unknown_member"},
      {R"({"user":"alice","force":true})", "unknown_member"},
      {R"({"user":"alice","user":"eve"})", "duplicate_member"},
      {R"(["alice"])", "invalid_json"},
      {R"("alice")", "invalid_json"},
      {R"({"user":"alice")", "invalid_json"},
  };
  for (const auto& [body, expected] : bodies) {
    EXPECT_EQ(code("POST " + kOrder + "/pay", post, body), expected) << body;
  }
  EXPECT_EQ(code("POST " + kOrder + "/pay", post), "invalid_json");
  EXPECT_EQ(code("POST " + kOrder + "/pay", kAuthorized, kAlice), "unsupported_media_type");
  EXPECT_EQ(code("POST " + kOrder + "/pay?x=1", post, kAlice), "invalid_parameter");
  EXPECT_EQ(code("GET " + kOrder + "/pay"), "method_not_allowed");
  EXPECT_EQ(ask("GET " + kOrder + "/pay").headers, "Allow: POST\r\n");
  EXPECT_EQ(code("POST " + kOrder + "/expire", post, kAlice), "not_found");
  EXPECT_EQ(code("POST " + kOrder, post, kAlice), "not_found");
  EXPECT_EQ(code("POST " + kOrder + "/pay/", post, kAlice), "not_found");
  EXPECT_EQ(code("POST /admin/sales/12/orders/x/pay", post, kAlice), "unknown_order");
  EXPECT_EQ(code("POST /admin/sales/x/orders/x/pay", post, kAlice), "unknown_sale");
  EXPECT_TRUE(shop_.moves.empty());
}

TEST_F(AdminRoutesTest, ModeIsShown) {
  desk_.report.leads = true;
  EXPECT_EQ(nlohmann::json::parse(ask("GET /admin/mode").body), nlohmann::json::parse(R"({
    "mode": "normal", "held": "auto", "leads": true, "backlogged": false, "lag_messages": 0,
    "wait_ms": 0, "admitted_per_s": null, "store_lanes": 0})"));
  desk_.report = {OperatingMode::database, {}, false};
  desk_.report.state.store_lanes = {{1, 0}, {1, 1}};
  desk_.report.state.backlogged = true;
  desk_.report.state.behind = 12'000;
  desk_.report.state.wait = Millis{9'500};
  desk_.report.state.admitted_per_s = 1500.5;
  EXPECT_EQ(nlohmann::json::parse(ask("GET /admin/mode").body), nlohmann::json::parse(R"({
    "mode": "database", "held": "auto", "leads": false, "backlogged": true,
    "lag_messages": 12000, "wait_ms": 9500, "admitted_per_s": 1500.5, "store_lanes": 2})"));
}

TEST_F(AdminRoutesTest, ModeIsHeldUntilItIsAutomaticAgain) {
  const auto post = kAuthorized + kJsonType;
  for (const std::string mode : {"normal", "bypass", "database", "auto"}) {
    const auto answer = ask("POST /admin/mode", post, R"({"mode":")" + mode + R"("})");
    EXPECT_EQ(answer.status, 200U);
    EXPECT_EQ(nlohmann::json::parse(answer.body)["held"], mode);
  }
  EXPECT_FALSE(desk_.report.state.held);
}

TEST_F(AdminRoutesTest, BadModesAreRefusedByNameOfTheChoices) {
  const auto post = kAuthorized + kJsonType;
  for (const std::string body : {"{}", R"({"mode":"Auto"})", R"({"mode":""})", R"({"mode":null})",
                                 R"({"mode":1})", R"({"mode":["auto"]})", R"({"mode":"auto "})"}) {
    const auto answer = ask("POST /admin/mode", post, body);
    ASSERT_TRUE(answer.refusal) << body;
    EXPECT_EQ(answer.refusal->code, Code::invalid_parameter) << body;
    EXPECT_EQ(answer.body, "mode must be auto, normal, bypass or database");
  }
  EXPECT_EQ(code("POST /admin/mode", post, R"({"mod":"auto"})"), "unknown_member");
  EXPECT_EQ(code("POST /admin/mode", post, R"({"mode":"auto","mode":"auto"})"), "duplicate_member");
  EXPECT_EQ(code("POST /admin/mode", post), "invalid_json");
  EXPECT_EQ(code("POST /admin/mode", kAuthorized, R"({"mode":"auto"})"), "unsupported_media_type");
  EXPECT_EQ(code("PUT /admin/mode"), "method_not_allowed");
  EXPECT_EQ(ask("PUT /admin/mode").headers, "Allow: GET, HEAD, POST\r\n");
  EXPECT_EQ(code("GET /admin/mode?x=1"), "invalid_parameter");
  EXPECT_EQ(code("GET /admin/mode/"), "not_found");
}

TEST_F(AdminRoutesTest, TheEmbeddedServerHasOneMode) {
  desk_.embedded = true;
  EXPECT_EQ(code("GET /admin/mode"), "200");
  EXPECT_EQ(code("POST /admin/mode", kAuthorized + kJsonType, R"({"mode":"database"})"),
            "invalid_state");
}

TEST_F(AdminRoutesTest, OperationsAreBounded) {
  settings_.waiting_max = 0;
  EXPECT_EQ(code("GET /admin/sales"), "busy");
  EXPECT_EQ(code("GET /readyz"), "503");
}

TEST_F(AdminRoutesTest, TheKeyMayChange) {
  keys_[0].key = "fedcba9876543210";
  EXPECT_EQ(code("GET /admin/sales"), "invalid_token");
  EXPECT_EQ(code("GET /admin/sales", "Authorization: Bearer fedcba9876543210\r\n"), "200");
}

const std::vector<std::string> kToRead = {"GET /metrics", "GET /admin/mode", "GET /admin/sales",
                                          "HEAD /admin/sales/12", "GET /admin/sales/12/audit"};
const std::vector<std::string> kToOperate = {
    "POST /admin/mode",          "POST /admin/sales",          "POST /admin/sales/12/rebuild",
    "POST /admin/sales/12/open", "POST /admin/sales/12/pause", "POST /admin/sales/12/close",
};
const std::vector<std::string> kToPay = {"POST " + kOrder + "/pay", "POST " + kOrder + "/cancel"};

TEST_F(AdminRoutesTest, AKeyIsGoodForWhatItsRoleIsGoodFor) {
  keys_ = {{"grafana", AdminRole::read, std::string(16, 'r')},
           {"ops", AdminRole::operate, std::string(16, 'o')},
           {"shop", AdminRole::pay, std::string(16, 'p')}};
  const auto forbidden = [this](const AdminKey& key, const std::string& line) {
    return code(line, "Authorization: Bearer " + key.key + "\r\n") == "forbidden";
  };
  for (const auto& key : keys_) {
    EXPECT_EQ(code("GET /nothing", "Authorization: Bearer " + key.key + "\r\n"), "not_found");
    for (const auto& line : kToRead) EXPECT_EQ(forbidden(key, line), key.name == "shop") << line;
    for (const auto& line : kToOperate) EXPECT_EQ(forbidden(key, line), key.name != "ops") << line;
    for (const auto& line : kToPay) EXPECT_EQ(forbidden(key, line), key.name != "shop") << line;
  }
  const auto answer = ask(kToPay[0], "Authorization: Bearer " + keys_[1].key + "\r\n");
  EXPECT_EQ(answer.body, "it needs one with the role pay");
  EXPECT_TRUE(shop_.moves.empty());
}

TEST_F(AdminRoutesTest, WhoChangesSomethingIsNamedInTheLog) {
  keys_ = {{"grafana", AdminRole::read, std::string(16, 'r')},
           {"ops", AdminRole::operate, std::string(16, 'o')}};
  const test::LogSpy spy;
  for (const auto& key : keys_) {
    const auto fields = "Authorization: Bearer " + key.key + "\r\nX-Request-Id: r-1\r\n";
    ask("GET /admin/sales", fields);
    ask("POST /admin/sales/12/pause", fields);
  }
  EXPECT_EQ(spy.lines(),
            (std::vector<std::string>{
                "admin key grafana is not good for POST /admin/sales/12/pause (request r-1)",
                "admin key ops: POST /admin/sales/12/pause (request r-1)"}));
}

TEST_F(AdminRoutesTest, ServerNeedsAKeyOfSomeLength) {
  boost::asio::io_context context(1);
  settings_.http.port = 0;
  keys_.push_back({"short", std::nullopt, "short"});
  AdminPorts ports{desk_, control_.get_executor(), shop_, *clock_, ready_, metrics_, keys_};
  EXPECT_THROW(create_admin_server(context.get_executor(), settings_, ports),
               std::invalid_argument);
  keys_.clear();
  EXPECT_THROW(create_admin_server(context.get_executor(), settings_, ports),
               std::invalid_argument);
  keys_ = {{"admin", std::nullopt, kKey}};
  EXPECT_NE(create_admin_server(context.get_executor(), settings_, ports)->port(), 0);
}

}  // namespace
}  // namespace sluice::http
