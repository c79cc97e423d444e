#include <algorithm>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cli/shell.hpp"

namespace sluice {
namespace {

using test::http_reply;
using test::lines_of;
using test::LocalServer;
using test::ok;
using test::problem_reply;
using test::Shell;
using Lines = std::vector<std::string>;

std::string lane(int number, const std::string& stage, int fence, int newest) {
  const nlohmann::ordered_json json = {
      {"lane", number},       {"stage", stage},
      {"fence_epoch", fence}, {"newest_epoch", newest},
      {"conserved", true},    {"inventory", {{"ready", true}, {"stock", 38}}},
      {"drift", nullptr},
  };
  return json.dump();
}

std::string audit(const std::string& lanes, bool holds = true) {
  return R"({"sale_id":7,"holds":)" + std::string(holds ? "true" : "false") + R"(,"lanes":[)" +
         lanes + "]}";
}

std::string accepted(const std::string& body) { return http_reply("202 Accepted", body); }

TEST(CliAudit, IsALineForEachLaneAndAVerdict) {
  Shell shell;
  LocalServer server({ok(audit(lane(0, "ready", 1, 1) + "," + lane(1, "fencing", 1, 2)))});
  EXPECT_EQ(shell.ask(server, {"audit", "7"}), 0) << shell.err.str();
  EXPECT_EQ(lines_of(shell.out.str()),
            (Lines{"lane=0 stage=ready fence_epoch=1 newest_epoch=1 conserved=true "
                   "inventory.ready=true inventory.stock=38 drift=null",
                   "lane=1 stage=fencing fence_epoch=1 newest_epoch=2 conserved=true "
                   "inventory.ready=true inventory.stock=38 drift=null",
                   "sale=7 holds=true"}));
  ASSERT_EQ(server.targets(), Lines{"GET /admin/sales/7/audit"});
  EXPECT_EQ(server.requests()[0]["Authorization"], "Bearer 0123456789abcdef");
}

TEST(CliAudit, AViolationIsExitCodeOne) {
  Shell shell;
  const auto body = audit(lane(0, "ready", 1, 1), false);
  LocalServer server({ok(body), ok(body)});
  EXPECT_EQ(shell.ask(server, {"audit", "7"}), 1);
  EXPECT_EQ(lines_of(shell.out.str()).back(), "sale=7 holds=false");
  EXPECT_EQ(shell.err.str(), "");
  EXPECT_EQ(shell.ask(server, {"audit", "7", "--json"}), 1);
  EXPECT_EQ(nlohmann::json::parse(shell.out.str()), nlohmann::json::parse(body));
}

TEST(CliAudit, NoAuditIsNoVerdict) {
  Shell shell;
  LocalServer server({problem_reply("404 x", R"({"code":"unknown_sale","title":"No."})"),
                      ok(R"({"holds":true})"),
                      ok(R"({"holds":"\u001b","lanes":[1,{"a\u001b":1}]})")});
  EXPECT_EQ(shell.ask(server, {"audit", "7"}), 1);
  EXPECT_EQ(shell.err.str(), "sluice: the server refused: HTTP 404, unknown_sale: No.\n");
  EXPECT_EQ(shell.ask(server, {"audit", "7"}), 1);
  EXPECT_EQ(shell.err.str(), "sluice: the server's reply is no audit\n");
  EXPECT_EQ(shell.ask(server, {"audit", "7"}), 1);
  EXPECT_EQ(shell.out.str().find('\x1b'), std::string::npos) << "it goes to a terminal";
}

TEST(CliRebuild, EachStageIsToldUntilAllLanesAreReady) {
  Shell shell;
  LocalServer server({
      accepted(audit(lane(0, "asked", 1, 1) + "," + lane(1, "asked", 1, 1))),
      ok(audit(lane(0, "fencing", 1, 2) + "," + lane(1, "asked", 1, 1))),
      problem_reply("503 x", R"({"code":"busy","title":"Later."})"),
      ok(audit(lane(0, "opening", 2, 2) + "," + lane(1, "asked", 1, 1))),
      ok(audit(lane(0, "ready", 2, 2) + "," + lane(1, "ready", 2, 2))),
  });
  EXPECT_EQ(shell.ask(server, {"rebuild", "7"}), 0) << shell.err.str();
  EXPECT_EQ(
      lines_of(shell.out.str()),
      (Lines{"lane 0: asked, epoch 1", "lane 1: asked, epoch 1", "lane 0: fencing, epoch 1, then 2",
             "lane 0: opening, epoch 2", "lane 0: ready, epoch 2", "lane 1: ready, epoch 2",
             "sale 7: every lane is ready"}));
  Lines targets(5, "GET /admin/sales/7/audit");
  targets[0] = "POST /admin/sales/7/rebuild";
  ASSERT_EQ(server.targets(), targets);
  EXPECT_EQ(server.requests()[0].body(), "");
}

TEST(CliRebuild, JsonIsTheLastAuditAlone) {
  Shell shell;
  const auto done = audit(lane(0, "ready", 2, 2));
  LocalServer server({accepted(audit(lane(0, "asked", 1, 1))), ok(done)});
  EXPECT_EQ(shell.ask(server, {"rebuild", "7", "--json"}), 0);
  EXPECT_EQ(nlohmann::json::parse(shell.out.str()), nlohmann::json::parse(done));
}

TEST(CliRebuild, LanesThatAreLateAreNamed) {
  Shell shell;
  const auto body = audit(lane(0, "ready", 2, 2) + "," + lane(1, "fencing", 1, 2) + "," +
                          lane(2, "opening", 2, 2));
  LocalServer server({accepted(body), ok(body), ok(body)});
  EXPECT_EQ(shell.ask(server, {"rebuild", "7", "--timeout", "150ms"}), 1);
  EXPECT_EQ(shell.err.str(),
            "sluice: sale 7 is not ready after 150ms: lane 1, 2; the servers go on; see sluice "
            "audit 7\n");
}

TEST(CliRebuild, ForceIsAskedAgainOnceAllLanesWaitForTheLog) {
  Shell shell;
  std::vector<std::string> replies = {accepted(audit(lane(0, "asked", 1, 1)))};
  for (int i = 0; i < 20; ++i) replies.push_back(accepted(audit(lane(0, "fencing", 1, 2))));
  LocalServer server(std::move(replies));
  EXPECT_EQ(shell.ask(server, {"rebuild", "7", "--force", "--timeout", "2s"}), 1);
  const auto targets = server.targets();
  ASSERT_GT(targets.size(), 5U);
  EXPECT_EQ(server.requests()[0].body(), R"({"force":true})");
  EXPECT_EQ(targets[1], "GET /admin/sales/7/audit");
  EXPECT_EQ(targets[2], "GET /admin/sales/7/audit") << "the old inventory is given its time";
  EXPECT_EQ(std::ranges::count(targets, std::string("POST /admin/sales/7/rebuild")), 2);
}

TEST(CliRebuild, ADraftIsRefused) {
  Shell shell;
  LocalServer server({problem_reply(
      "409 x", R"({"code":"invalid_state","title":"No.","detail":"a draft has no lanes yet"})")});
  EXPECT_EQ(shell.ask(server, {"rebuild", "7"}), 1);
  EXPECT_EQ(shell.err.str(),
            "sluice: the server refused: HTTP 409, invalid_state: No. a draft has no lanes yet\n");
}

TEST(CliMode, IsShownAndHeld) {
  Shell shell;
  const std::string report =
      R"({"mode":"bypass","held":"bypass","leads":true,"backlogged":false,"lag_messages":12,)"
      R"("wait_ms":30,"admitted_per_s":1500.5,"store_lanes":0})";
  LocalServer server({ok(report), ok(report), ok(report)});
  EXPECT_EQ(shell.ask(server, {"mode"}), 0) << shell.err.str();
  EXPECT_EQ(lines_of(shell.out.str()),
            (Lines{"mode             bypass", "held             bypass", "leads            true",
                   "backlogged       false", "backlog          12 messages",
                   "wait             30 ms", "admitted per s   1500.5", "store lanes      0"}));
  EXPECT_EQ(shell.ask(server, {"mode", "bypass", "--json"}), 0);
  EXPECT_EQ(nlohmann::json::parse(shell.out.str()), nlohmann::json::parse(report));
  EXPECT_EQ(shell.ask(server, {"mode", "auto"}), 0);
  const auto& requests = server.requests();
  ASSERT_EQ(server.targets(), (Lines{"GET /admin/mode", "POST /admin/mode", "POST /admin/mode"}));
  EXPECT_EQ(requests[1].body(), R"({"mode":"bypass"})");
  EXPECT_EQ(requests[1]["Content-Type"], "application/json");
  EXPECT_EQ(requests[2].body(), R"({"mode":"auto"})");
}

}  // namespace
}  // namespace sluice
