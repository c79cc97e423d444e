#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "sluice/gate/identity.hpp"

#include "cli/shell.hpp"
#include "gate/signed_tokens.hpp"
#include "support/temp_folder.hpp"

namespace sluice {
namespace {

using test::http_reply;
using test::kSecret;
using test::lines_of;
using test::LocalServer;
using test::ok;
using test::problem_reply;
using test::Shell;
using test::TempFolder;
using Lines = std::vector<std::string>;

const std::string kSale =
    R"({"sale_id":7,"state":"draft","title":"Schöne Schuhe","description":"",)"
    R"("unit_price_minor":9900,"currency":"EUR","stock":100,"limit_per_order":1,"lanes":1,)"
    R"("starts_at":"2026-11-27T09:00:00.000Z","ends_at":"2026-11-27T21:00:00.000Z"})";

const std::string kOrderId = "019b7e44-1f00-8001-8000-5a1c00c0ffee";

std::string in_state(const std::string& state) {
  auto sale = nlohmann::json::parse(kSale);
  sale["state"] = state;
  return sale.dump();
}

TEST(Cli, TheDemoIsRefusedOffLoopback) {
  Shell shell;
  for (const std::string address : {"0.0.0.0", "::", "192.0.2.1"}) {
    EXPECT_EQ(shell.run({"serve", "--demo", "--set", "http.address=" + address}), 2) << address;
    EXPECT_NE(shell.err.str().find("http.address = \"" + address + "\" (--set): --demo"),
              std::string::npos)
        << shell.err.str();
  }
  EXPECT_EQ(shell.serves, 0);
  EXPECT_EQ(shell.run({"serve", "--demo", "--set", "http.address=::1"}), 0);
  EXPECT_EQ(shell.run({"serve", "--set", "http.address=0.0.0.0"}), 0);
  EXPECT_EQ(shell.serves, 2);
}

TEST(Cli, ServeGetsSettingsAndOptions) {
  Shell shell;
  EXPECT_EQ(shell.run({"serve", "--demo", "--port", "9000", "--set", "http.threads=2", "--set",
                       "http.trusted_proxies=10.0.0.0/8,192.0.2.1", "--log-level", "debug",
                       "--data-dir", "/srv"}),
            0);
  EXPECT_EQ(shell.serves, 1);
  EXPECT_TRUE(shell.options.demo);
  EXPECT_EQ(shell.served.http.http.port, 9000);
  EXPECT_EQ(shell.served.http_threads, 2U);
  EXPECT_EQ(shell.served.http.http.trusted_proxies.size(), 2U);
  EXPECT_EQ(shell.served.log.level, "debug");
  EXPECT_EQ(shell.served.sqlite.path, "/srv/sluice.db");
  EXPECT_EQ(shell.err.str(), "");
}

TEST(Cli, SetDoesNotSwallowWhatFollows) {
  Shell shell;
  EXPECT_EQ(shell.run({"serve", "--set", "http.threads=2", "extra"}), 2);
  EXPECT_EQ(shell.err.str(), "sluice: unknown argument extra; see --help\n");
  EXPECT_EQ(shell.serves, 0);
}

TEST(Cli, FileVariableAndFlagMeet) {
  Shell shell;
  const TempFolder folder;
  const auto file =
      folder.write("s.toml", "[http]\nport = 1001\nthreads = 1\n[log]\nlevel='warn'\n");
  shell.world.environment["SLUICE_HTTP_THREADS"] = "2";
  EXPECT_EQ(shell.run({"serve", "--config", file, "--set", "log.level=error"}), 0);
  EXPECT_EQ(shell.served.http.http.port, 1001);
  EXPECT_EQ(shell.served.http_threads, 2U);
  EXPECT_EQ(shell.served.log.level, "error");
}

TEST(Cli, MigrateReturnsItsExitCode) {
  Shell shell;
  EXPECT_EQ(shell.run({"migrate", "--set", "postgres.lock_timeout_ms=100"}), 7);
  EXPECT_EQ(shell.migrations, 1);
  EXPECT_EQ(shell.served.postgres.lock_timeout, Millis(100));
}

TEST(Cli, UsageErrorsAreOneLineAndExitCodeTwo) {
  Shell shell;
  const std::pair<Lines, std::string> cases[] = {
      {{},
       "sluice needs a command: serve, migrate, sale, order, audit, rebuild, mode, "
       "token, check-config, health; see --help"},
      {{"srve"}, "unknown command srve; did you mean serve?"},
      {{"sale"}, "sale needs a command: create, list, show, open, pause, close; see --help"},
      {{"sale", "opn"}, "unknown command opn; did you mean open?"},
      {{"serve", "--prot", "1"}, "unknown argument --prot (did you mean --port?); see --help"},
      {{"serve", "--set", "x"}, "--set x: write --set section.name=value"},
      {{"serve", "--set", "http.prot=1"},
       "--set: unknown setting http.prot; did you mean http.port?"},
      {{"serve", "--port", "x"},
       "--port: http.port = \"x\": must be a whole number from 0 to 65535"},
      {{"serve", "--config", "/nonexistent/x"}, "/nonexistent/x: there is no such file"},
      {{"sale", "show", "x"}, "x is no sale's number"},
      {{"order"}, "order needs a command: pay, cancel; see --help"},
      {{"order", "expire"}, "unknown command expire; did you mean pay?"},
      {{"order", "pay", "7", "x", "--user", "alice"}, "x is no order's id"},
      {{"order", "pay", "7", kOrderId, "--user", "a b"},
       "a b is no user: 1 to 64 of A-Z a-z 0-9 . _ -"},
      {{"order", "cancel", "x", kOrderId, "--user", "alice"}, "x is no sale's number"},
      {{"audit", "0"}, "0 is no sale's number"},
      {{"rebuild", "-"}, "- is no sale's number"},
      {{"rebuild", "1", "--timeout", "11m"},
       "--timeout is a time such as 500ms or 10s, at most 10m"},
      {{"rebuild", "1", "--forced"},
       "unknown argument --forced (did you mean --force?); see --help"},
      {{"mode", "bypas"}, "bypas is no mode: auto, normal, bypass or database"},
      {{"mode", "auto", "normal"}, "unknown argument normal; see --help"},
      {{"sale", "list", "--admin-url", "https://x"}, "--admin-url is http://HOST[:PORT]"},
      {{"sale", "list", "--timeout", "1"}, "--timeout is a time such as 500ms or 10s, at most 10m"},
      {{"health", "--url", "x"}, "--url is http://HOST[:PORT]"},
      {{"token"}, "name a user, or give --count; see sluice token --help"},
      {{"token", "a b"}, "a b is no user: 1 to 64 of A-Z a-z 0-9 . _ -"},
      {{"token", "a", "--lifetime", "367d"},
       "--lifetime is a time such as 30s, 10m, 2h or 7d, at most 366d"},
      {{"token", "--count", "10000001"}, "--count is at most 10000000"},
  };
  for (const auto& [arguments, line] : cases) {
    EXPECT_EQ(shell.run(arguments), 2) << line;
    EXPECT_EQ(shell.err.str(), "sluice: " + line + "\n");
    EXPECT_EQ(shell.out.str(), "");
  }
  EXPECT_EQ(shell.serves, 0);
}

TEST(Cli, EveryCommandsHelpTeaches) {
  Shell shell;
  const std::vector<std::vector<std::string>> commands = {
      {"serve"},        {"migrate"},      {"sale"},           {"sale", "create"}, {"sale", "list"},
      {"sale", "show"}, {"sale", "open"}, {"sale", "pause"},  {"sale", "close"},  {"token"},
      {"check-config"}, {"health"},       {"audit"},          {"rebuild"},        {"mode"},
      {"order"},        {"order", "pay"}, {"order", "cancel"}};
  for (auto arguments : commands) {
    arguments.emplace_back("--help");
    EXPECT_EQ(shell.run(arguments), 0);
    EXPECT_NE(shell.out.str().find("Example"), std::string::npos) << arguments[0];
    EXPECT_NE(shell.out.str().find("Read on: "), std::string::npos) << arguments[0];
    EXPECT_EQ(shell.err.str(), "");
  }
  EXPECT_EQ(shell.run({"--help"}), 0);
  EXPECT_NE(shell.out.str().find("sluice serve --demo"), std::string::npos);
  EXPECT_EQ(shell.run({"--version"}), 0);
  EXPECT_EQ(shell.out.str(), "sluice " + std::string(kVersion) + "\n");
}

TEST(Cli, CheckConfigShowsValuesAndOriginsWithoutSecrets) {
  Shell shell;
  shell.world.environment["SLUICE_REDIS_URL"] = "redis://:hunter2@127.0.0.1";
  EXPECT_EQ(shell.run({"check-config", "--set", "http.port=9000"}), 0) << shell.err.str();
  const auto text = shell.out.str();
  EXPECT_NE(text.find("http.port = 9000 "), std::string::npos);
  EXPECT_NE(text.find("# --set\n"), std::string::npos);
  EXPECT_NE(text.find("# identity secret: SLUICE_IDENTITY_SECRET\n"), std::string::npos);
  EXPECT_EQ(text.find(kSecret), std::string::npos);
  EXPECT_EQ(text.find("hunter2"), std::string::npos);
  EXPECT_EQ(shell.run({"check-config", "--set", "http.port=8081"}), 2);
  EXPECT_EQ(shell.run({"check-config", "--defaults"}), 0);
  EXPECT_EQ(shell.out.str(), document_settings());
}

TEST(Cli, CheckConfigRefusesServicesModeWithoutSecrets) {
  Shell shell;
  shell.world.environment = {{"SLUICE_MODE", "services"},
                             {"SLUICE_REDIS_URL", "redis://127.0.0.1"},
                             {"SLUICE_KAFKA_BROKERS", "127.0.0.1:9092"},
                             {"SLUICE_POSTGRES_URL", "postgresql://sluice@127.0.0.1/sluice"}};
  EXPECT_EQ(shell.run({"check-config"}), 2);
  EXPECT_EQ(lines_of(shell.err.str()).size(), 3U);
  EXPECT_EQ(shell.out.str(), "");
}

TEST(Cli, TokensAreAcceptedByTheGate) {
  Shell shell;
  EXPECT_EQ(shell.run({"token", "alice", "--count", "2", "--prefix", "test-"}), 0);
  const auto tokens = lines_of(shell.out.str());
  ASSERT_EQ(tokens.size(), 3U);
  IdentitySettings settings;
  settings.keys = {{"", "HS256", kSecret}};
  Identity identity(settings);
  const auto now = system_clock()->now();
  const char* users[] = {"alice", "test-1", "test-2"};
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const auto user = identity.verify(tokens[i], now);
    ASSERT_TRUE(user) << tokens[i];
    EXPECT_EQ(user->text(), users[i]);
  }
  Identity later(settings);
  EXPECT_FALSE(later.verify(tokens[0], now + std::chrono::minutes(61)));
}

TEST(Cli, TokensGoToAPrivateFile) {
  Shell shell;
  const TempFolder folder;
  const auto file = folder.path("tokens");
  EXPECT_EQ(shell.run({"token", "--count", "1000", "--output", file}), 0) << shell.err.str();
  EXPECT_EQ(shell.out.str(), "");
  EXPECT_EQ(test::mode_of(file), 0600U);
  EXPECT_EQ(lines_of(test::read_all(file)).size(), 1000U);
  EXPECT_EQ(shell.run({"token", "a", "--output", folder.path("no/such")}), 1);
  EXPECT_EQ(shell.err.str(), "sluice: " + folder.path("no/such") +
                                 ": cannot be written: No such file or directory\n");
}

TEST(Cli, TokensNeedASharedSecret) {
  Shell shell;
  const TempFolder folder;
  const auto pem = folder.write("pem", test::kEcPublicKey);
  EXPECT_EQ(shell.run({"token", "a", "--set", "identity.algorithm=ES256", "--set",
                       "identity.public_key_file=" + pem}),
            2);
  EXPECT_EQ(lines_of(shell.err.str()).size(), 1U);
  EXPECT_NE(shell.err.str().find("(HS256) alone"), std::string::npos);
}

TEST(Cli, SaleCreateSendsTheTerms) {
  Shell shell;
  LocalServer server({http_reply("201 Created", kSale)});
  EXPECT_EQ(shell.ask(server, {"sale", "create", "--title", "Schöne Schuhe", "--stock", "100",
                               "--price-minor", "9900", "--starts", "2026-11-27T09:00:00Z",
                               "--ends", "2026-11-27T21:00:00Z", "--limit", "2", "--lanes", "4"}),
            0)
      << shell.err.str();
  EXPECT_NE(shell.out.str().find("Schöne Schuhe"), std::string::npos);
  EXPECT_NE(shell.out.str().find("open it with: sluice sale open 7"), std::string::npos);
  const auto& requests = server.requests();
  ASSERT_EQ(server.targets(), Lines{"POST /admin/sales"});
  EXPECT_EQ(requests[0]["Authorization"], "Bearer 0123456789abcdef");
  const nlohmann::json expected = {{"title", "Schöne Schuhe"},
                                   {"description", ""},
                                   {"unit_price_minor", 9900},
                                   {"currency", "EUR"},
                                   {"stock", 100},
                                   {"limit_per_order", 2},
                                   {"lanes", 4},
                                   {"pay_within_ms", 0},
                                   {"starts_at", "2026-11-27T09:00:00.000Z"},
                                   {"ends_at", "2026-11-27T21:00:00.000Z"}};
  EXPECT_EQ(nlohmann::json::parse(requests[0].body()), expected);
}

TEST(Cli, SaleCreateOpensAtOnceWhenAsked) {
  Shell shell;
  LocalServer server({http_reply("201 Created", kSale), ok(in_state("open"))});
  EXPECT_EQ(shell.ask(server, {"sale", "create", "--title", "t", "--stock", "1", "--ends", "+1h",
                               "--open", "--json"}),
            0)
      << shell.err.str();
  EXPECT_EQ(nlohmann::json::parse(shell.out.str())["state"], "open");
  EXPECT_EQ(server.requests()[1].target(), "/admin/sales/7/open");
}

TEST(Cli, SaleCreateSaysWhenOnlyTheOpeningFailed) {
  Shell shell;
  LocalServer server({http_reply("201 Created", kSale),
                      problem_reply("503 x", R"({"code":"not_ready","title":"Wait."})")});
  EXPECT_EQ(shell.ask(server, {"sale", "create", "--title", "t", "--stock", "1", "--ends", "+1h",
                               "--open"}),
            1);
  EXPECT_EQ(shell.err.str(),
            "sluice: sale 7 was created, but not opened: the server refused: HTTP "
            "503, not_ready: Wait.\n");
}

TEST(Cli, SaleCreateRefusesBadTermsBeforeItAsks) {
  Shell shell;
  const std::pair<Lines, std::string> cases[] = {
      {{"--stock", "0", "--ends", "+1h"}, "stock must be 1 to 1000000000"},
      {{"--stock", "1", "--ends", "soon"},
       "--ends soon: write 2026-11-27T09:00:00Z, now, or from now +10m"},
      {{"--stock", "1", "--ends", "now", "--starts", "+1h"}, "ends_at must be after starts_at"},
      {{"--stock", "1", "--ends", "+1h", "--pay-within", "15"},
       "--pay-within 15: write a time such as 90s, 15m or 2d"},
      {{"--stock", "1", "--ends", "+1h", "--pay-within", "999ms"},
       "pay_within_ms must be 0, or 1000 to 604800000"},
      {{"--stock", "1", "--ends", "+1h", "--description", "\xff"},
       "the title and the description must be UTF-8"},
  };
  for (const auto& [more, line] : cases) {
    std::vector<std::string> arguments = {"sale", "create",      "--title",
                                          "t",    "--admin-url", "http://127.0.0.1:1"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    EXPECT_EQ(shell.run(arguments), 2);
    EXPECT_EQ(shell.err.str(), "sluice: " + line + "\n");
  }
}

TEST(Cli, SaleCreateSaysHowLongAnOrderMayStayUnpaid) {
  Shell shell;
  auto sale = nlohmann::json::parse(kSale);
  sale["pay_within_ms"] = 900'000;
  LocalServer server({http_reply("201 Created", sale.dump()), ok(kSale)});
  EXPECT_EQ(shell.ask(server, {"sale", "create", "--title", "t", "--stock", "1", "--ends", "+1h",
                               "--pay-within", "15m"}),
            0)
      << shell.err.str();
  EXPECT_NE(shell.out.str().find("pay within       900000 ms\n"), std::string::npos);
  EXPECT_EQ(shell.ask(server, {"sale", "show", "7"}), 0);
  EXPECT_EQ(shell.out.str().find("pay within"), std::string::npos) << "final once confirmed";
  EXPECT_EQ(nlohmann::json::parse(server.requests()[0].body())["pay_within_ms"], 900'000);
}

TEST(Cli, OrderTransitionsAreSentToTheirAddress) {
  Shell shell;
  const auto reply = [](const std::string& status) {
    return ok(R"({"order_id":")" + kOrderId + R"(","status":")" + status + "\"}");
  };
  LocalServer server({reply("paid"), reply("cancelled"),
                      problem_reply("409 x", R"({"code":"order_final","title":"No."})")});
  for (const auto& [verb, state] : {std::pair("pay", "paid"), {"cancel", "cancelled"}}) {
    EXPECT_EQ(shell.ask(server, {"order", verb, "7", kOrderId, "--user", "alice"}), 0)
        << shell.err.str();
    EXPECT_EQ(shell.out.str(), "order " + kOrderId + " is " + std::string(state) + "\n");
  }
  EXPECT_EQ(shell.ask(server, {"order", "pay", "7", kOrderId, "--user", "bob"}), 1);
  EXPECT_EQ(shell.err.str(), "sluice: the server refused: HTTP 409, order_final: No.\n");
  const auto order = "POST /admin/sales/7/orders/" + kOrderId;
  ASSERT_EQ(server.targets(), (Lines{order + "/pay", order + "/cancel", order + "/pay"}));
  EXPECT_EQ(server.requests()[0].body(), R"({"user":"alice"})");
  EXPECT_EQ(server.requests()[0]["Content-Type"], "application/json");
}

TEST(Cli, SaleListIsATable) {
  Shell shell;
  LocalServer server({ok(R"({"sales":[)" + kSale + "]}"), ok(R"({"sales":[]})")});
  EXPECT_EQ(shell.ask(server, {"sale", "list"}), 0) << shell.err.str();
  EXPECT_EQ(
      lines_of(shell.out.str()),
      (Lines{"SALE  STATE  STOCK  PRICE (MINOR)  STARTS                    ENDS                    "
             "  TITLE",
             "7     draft  100    9900 EUR       2026-11-27T09:00:00.000Z  2026-11-27T21:00:00.000Z"
             "  Schöne Schuhe"}));
  EXPECT_EQ(shell.ask(server, {"sale", "list"}), 0);
  EXPECT_EQ(shell.out.str(), "There are no sales yet; see sluice sale create --help\n");
}

TEST(Cli, SaleMovesAreSentToTheirAddress) {
  Shell shell;
  LocalServer server(
      {ok(in_state("open")), ok(in_state("paused")), ok(in_state("closed")), ok(kSale)});
  for (const auto& [verb, state] :
       {std::pair("open", "open"), {"pause", "paused"}, {"close", "closed"}}) {
    EXPECT_EQ(shell.ask(server, {"sale", verb, "7"}), 0) << shell.err.str();
    EXPECT_EQ(shell.out.str(), "sale 7 is " + std::string(state) + "\n");
  }
  EXPECT_EQ(shell.ask(server, {"sale", "show", "7"}), 0);
  EXPECT_EQ(lines_of(shell.out.str())[0], "sale             7");
  EXPECT_EQ(server.targets(), (Lines{"POST /admin/sales/7/open", "POST /admin/sales/7/pause",
                                     "POST /admin/sales/7/close", "GET /admin/sales/7"}));
}

TEST(Cli, SaleFindsTheServerByTheSettings) {
  Shell shell;
  LocalServer server({ok(kSale)});
  EXPECT_EQ(shell.run({"sale", "show", "7", "--set", "admin.port=" + server.port()}), 0)
      << shell.err.str();
}

TEST(Cli, RefusalsAndSilenceOfTheServerAreOneLineAndExitCodeOne) {
  Shell shell;
  LocalServer server(
      {problem_reply("409 Conflict", R"({"code":"invalid_state","title":"No."})"), ok("[]"), ""});
  EXPECT_EQ(shell.ask(server, {"sale", "open", "7"}), 1);
  EXPECT_EQ(shell.err.str(), "sluice: the server refused: HTTP 409, invalid_state: No.\n");
  EXPECT_EQ(shell.ask(server, {"sale", "list"}), 1);
  EXPECT_EQ(shell.err.str(), "sluice: the server's reply is no JSON object\n");
  EXPECT_EQ(shell.ask(server, {"sale", "list", "--timeout", "50ms"}), 1);
  EXPECT_EQ(shell.err.str(), "sluice: " + server.url() + " gave no answer within 50 ms\n");
}

TEST(Cli, HealthTellsByItsExitCode) {
  Shell shell;
  LocalServer server(
      {ok(R"({"ready":true,"draining":false,"checks":[]})"),
       http_reply("503 x", R"({"ready":false,"draining":true,"checks":[)"
                           R"({"name":"store","ok":false},{"name":"x","ok":true}]})")});
  EXPECT_EQ(shell.run({"health", "--url", server.url()}), 0);
  EXPECT_EQ(shell.out.str(), "ready\n");
  EXPECT_EQ(shell.run({"health", "--url", server.url()}), 1);
  EXPECT_EQ(shell.err.str(), "sluice: not ready (HTTP 503); it is about to stop; store\n");
}

TEST(Cli, HealthAsksOperatorsForTheReasons) {
  Shell shell;
  LocalServer buyers({http_reply("503 x", R"({"checks":[{"name":"store","ok":false}]})")});
  LocalServer operators({http_reply(
      "503 x", R"({"checks":[{"name":"store","ok":false,"problem":"start Postgres"}]})")});
  EXPECT_EQ(shell.run({"health", "--set", "http.port=" + buyers.port(), "--set",
                       "admin.port=" + operators.port()}),
            1);
  EXPECT_EQ(shell.err.str(), "sluice: not ready (HTTP 503); store: start Postgres\n");
}

}  // namespace
}  // namespace sluice
