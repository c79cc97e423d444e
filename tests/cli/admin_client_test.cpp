#include <gtest/gtest.h>

#include "cli/admin.hpp"
#include "cli/local_server.hpp"

namespace sluice {
namespace {

using test::http_reply;
using test::LocalServer;

constexpr Millis kPatience{10'000};

AdminClient client_of(const LocalServer& server, Millis timeout = kPatience) {
  return {{"127.0.0.1", server.port()}, "the-key", timeout};
}

template <class Step>
std::string error_of(Step step) {
  try {
    step();
  } catch (const ClientError& error) {
    return error.what();
  }
  return {};
}

TEST(ParseUrl, TakesHttpWithHostAndPort) {
  const auto plain = parse_url("http://example.org:8081/");
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->host, "example.org");
  EXPECT_EQ(plain->port, "8081");
  EXPECT_EQ(parse_url("http://127.0.0.1")->port, "80");
  EXPECT_EQ(parse_url("http://[::1]:1")->host, "::1");
  EXPECT_EQ(parse_url("http://[::1]:1")->port, "1");
}

TEST(ParseUrl, RefusesWhateverElse) {
  for (const char* url :
       {"", "example.org", "https://example.org", "http://", "http://:1", "http://a:0",
        "http://a:65536", "http://a:x", "http://a/path", "http://a?q", "http://u:p@a",
        "http://[::1", "http://[a]", "http://a:", "http://a b", "http://::1:80"}) {
    EXPECT_FALSE(parse_url(url)) << url;
  }
}

TEST(EndpointOf, TurnsAnyAddressIntoLoopback) {
  EXPECT_EQ(endpoint_of("0.0.0.0", 1).host, "127.0.0.1");
  EXPECT_EQ(endpoint_of("::", 1).host, "::1");
  EXPECT_EQ(endpoint_of("192.0.2.1", 8081).host, "192.0.2.1");
  EXPECT_EQ(endpoint_of("192.0.2.1", 8081).port, "8081");
}

TEST(AdminClient, SendsKeyAndBodyAndReturnsTheReply) {
  LocalServer server({http_reply("201 Created", R"({"sale_id":7})"), http_reply("200 OK", "{}")});
  const auto client = client_of(server);
  const auto reply = client.ask("POST", "/admin/sales", R"({"title":"t"})");
  EXPECT_EQ(reply.status, 201U);
  EXPECT_EQ(reply.body, R"({"sale_id":7})");
  EXPECT_EQ(client.ask("GET", "/admin/sales/7").status, 200U);

  const auto& requests = server.requests();
  ASSERT_EQ(server.targets(),
            (std::vector<std::string>{"POST /admin/sales", "GET /admin/sales/7"}));
  EXPECT_EQ(requests[0].body(), R"({"title":"t"})");
  EXPECT_EQ(requests[0]["Authorization"], "Bearer the-key");
  EXPECT_EQ(requests[0]["Content-Type"], "application/json");
  EXPECT_EQ(requests[0]["Host"], "127.0.0.1:" + server.port());
}

TEST(AdminClient, GivesUpAtItsDeadline) {
  LocalServer server({""});
  EXPECT_EQ(error_of([&] { client_of(server, Millis(50)).ask("GET", "/"); }),
            server.url() + " gave no answer within 50 ms");
}

TEST(AdminClient, GivesUpOnAReplyThatNeverEnds) {
  LocalServer server({"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc"});
  EXPECT_EQ(error_of([&] { client_of(server).ask("GET", "/"); }),
            server.url() + ": partial message");
}

TEST(AdminClient, RefusesAReplyThatIsTooLarge) {
  LocalServer server({"HTTP/1.1 200 OK\r\nContent-Length: 8388609\r\n\r\n"});
  EXPECT_EQ(error_of([&] { client_of(server).ask("GET", "/"); }),
            server.url() + ": body limit exceeded");
}

TEST(AdminClient, RefusesWhatIsNoHttp) {
  LocalServer server({"SSH-2.0-OpenSSH_9.2\r\n\r\n"});
  EXPECT_NE(error_of([&] { client_of(server).ask("GET", "/"); }), "");
}

TEST(AdminClient, SaysWhenNobodyListens) {
  std::string port;
  {
    const LocalServer gone({});
    port = gone.port();
  }
  const AdminClient client{{"127.0.0.1", port}, "", kPatience};
  EXPECT_EQ(error_of([&] { client.ask("GET", "/"); }),
            "http://127.0.0.1:" + port + ": Connection refused");
}

TEST(AdminClient, FollowsNoRedirect) {
  LocalServer server(
      {"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: "
       "0\r\n\r\n"});
  EXPECT_EQ(client_of(server).ask("GET", "/").status, 302U);
}

TEST(DescribeRefusal, NamesCodeTitleAndDetail) {
  EXPECT_EQ(describe_refusal({409, R"({"code":"invalid_state","title":"No.","detail":"closed"})"}),
            "HTTP 409, invalid_state: No. closed");
  EXPECT_EQ(describe_refusal({422, R"({"code":"invalid_sale","detail":"stock"})"}),
            "HTTP 422, invalid_sale: stock");
}

TEST(DescribeRefusal, BearsAnyBody) {
  EXPECT_EQ(describe_refusal({502, "<html>"}), "HTTP 502");
  EXPECT_EQ(describe_refusal({500, R"(["x"])"}), "HTTP 500");
  EXPECT_EQ(describe_refusal({500, R"({"code":7})"}), "HTTP 500");
  EXPECT_EQ(describe_refusal({500, R"({"title":"\u001b[2Jx\ny"})"}), "HTTP 500: ?[2Jx?y");
}

}  // namespace
}  // namespace sluice
