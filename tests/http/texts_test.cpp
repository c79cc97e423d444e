#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "http/answer.hpp"
#include "http/client_address.hpp"
#include "http/connection_limits.hpp"
#include "http/json_body.hpp"
#include "http/operator_json.hpp"
#include "http/sale_json.hpp"
#include "http/static_files.hpp"
#include "http/time_text.hpp"

namespace sluice::http {
namespace {

TEST(Rfc3339, WritesMillisecondsInUtc) {
  EXPECT_EQ(rfc3339(TimePoint(Millis(0))), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(rfc3339(TimePoint(Millis(1767323045678))), "2026-01-02T03:04:05.678Z");
}

TEST(Rfc3339, ReadsOffsetsAndFractions) {
  const TimePoint expected(Millis(1767323045678));
  for (const auto* text : {"2026-01-02T03:04:05.678Z", "2026-01-02t03:04:05.6789z",
                           "2026-01-02T05:04:05.678+02:00", "2026-01-01T21:34:05.678-05:30"}) {
    EXPECT_EQ(parse_rfc3339(text), expected) << text;
  }
  EXPECT_EQ(parse_rfc3339("2024-02-29T00:00:00Z"), TimePoint(Millis(1709164800000)));
}

TEST(Rfc3339, RefusesEverythingElse) {
  for (const auto* text :
       {"", "2026-01-02", "2026-01-02T03:04Z", "2026-01-02T03:04:05", "2026-01-02 03:04:05Z",
        "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-02T24:00:00Z",
        "2026-01-02T03:60:05Z", "2026-01-02T03:04:60Z", "2026-01-02T03:04:05.Z",
        "2026-01-02T03:04:05+2:00", "2026-01-02T03:04:05+0200", "2026-01-02T03:04:05Zx",
        "1969-12-31T23:59:59Z", "+026-01-02T03:04:05Z", "2026-01-02T03:04:05+24:00"}) {
    EXPECT_FALSE(parse_rfc3339(text)) << text;
  }
}

TEST(HttpDate, IsTheFixedFormOfRfc9110) {
  EXPECT_EQ(http_date(std::chrono::sys_seconds(std::chrono::seconds(784111777))),
            "Sun, 06 Nov 1994 08:49:37 GMT");
}

Request json_request(std::string_view body, std::string_view type = kJson) {
  Request request;
  request.content_type = type;
  request.body = body;
  return request;
}

Parsed<JsonMembers> parse(std::string_view body) {
  return read_members(json_request(body), {"a", "b", "c", "e"});
}

Code code_of(std::string_view body) {
  const auto parsed = parse(body);
  return parsed ? Code::internal_error : parsed.error().refusal->code;
}

TEST(JsonObject, GivesItsMembers) {
  const auto members = parse(R"( {"b": -3, "\u0061": "x\n", "c": {"d": [1]}, "e": 2.0} )");
  ASSERT_TRUE(members);
  ASSERT_EQ(members->size(), 4U);
  EXPECT_EQ(*get_member<std::int64_t>(*members, "b"), -3);
  EXPECT_EQ(*get_member<std::string>(*members, "a"), "x\n");
  EXPECT_TRUE(get_member<OtherJson>(*members, "c"));
  EXPECT_TRUE(get_member<OtherJson>(*members, "e"));
}

TEST(JsonObject, CapsIntegersThatDoNotFit) {
  const auto members = parse(
      R"({"a":18446744073709551615,"b":99999999999999999999999,"c":-99999999999999999999999})");
  ASSERT_TRUE(members);
  EXPECT_EQ(*get_member<std::int64_t>(*members, "a"), INT64_MAX);
  EXPECT_EQ(*get_member<std::int64_t>(*members, "b"), INT64_MAX);
  EXPECT_EQ(*get_member<std::int64_t>(*members, "c"), INT64_MIN);
}

TEST(JsonObject, RefusesWhatIsNotOneObject) {
  for (const std::string body : {"",
                                 " ",
                                 "null",
                                 "1",
                                 "[]",
                                 "[{}]",
                                 "\"x\"",
                                 "{",
                                 "{}{}",
                                 "{} x",
                                 "{\"a\":}",
                                 "{\"a\":1,}",
                                 "{'a':1}",
                                 "{a:1}",
                                 "{\"a\":01}",
                                 "{\"a\":+1}",
                                 "{\"a\":NaN}",
                                 "// x\n{}",
                                 "{\"a\":\"\x01\"}",
                                 "\xef\xbb\xbf{}",
                                 "{\"a\":\"\xff\"}",
                                 "{\"\xc3\":1}",
                                 "{\"a\":\"\\ud800\"}",
                                 "{\"a\":tru}"}) {
    EXPECT_EQ(code_of(body), Code::invalid_json) << body;
  }
}

TEST(JsonObject, RefusesANameThatStandsTwiceHoweverItIsSpelled) {
  EXPECT_EQ(code_of(R"({"a":1,"a":1})"), Code::duplicate_member);
  EXPECT_EQ(code_of(R"({"a":1,"\u0061":2})"), Code::duplicate_member);
}

TEST(JsonObject, RefusesDeepNesting) {
  EXPECT_EQ(code_of("{\"a\":" + std::string(7, '[') + std::string(7, ']') + "}"),
            Code::internal_error);
  EXPECT_EQ(code_of("{\"a\":" + std::string(8, '[') + std::string(8, ']') + "}"),
            Code::invalid_json);
  EXPECT_EQ(code_of("{\"a\":" + std::string(2000, '[')), Code::invalid_json);
}

TEST(UnknownMember, NamesTheNearestKnownOne) {
  const auto refusal = [](const std::string& name) {
    const auto body = "{\"" + name + "\":1}";
    return read_members(json_request(body), {"title", "quantity"}).error();
  };
  const auto answer = refusal("quantty");
  EXPECT_EQ(answer.refusal->code, Code::unknown_member);
  EXPECT_NE(answer.body.find("did you mean \"quantity\""), std::string::npos) << answer.body;
  EXPECT_EQ(refusal("zzzzzzzzz").body.find("mean"), std::string::npos);
  EXPECT_LT(refusal(std::string(4000, 'q')).body.size(), 200U);
}

TEST(MediaType, IsJsonWithNoOtherCharset) {
  for (const auto* type : {"application/json", "Application/JSON", "application/json;charset=utf-8",
                           "application/json ; Charset=\"UTF-8\"", "application/json; x=y"}) {
    EXPECT_TRUE(read_members(json_request("{}", type), {})) << type;
  }
  for (const auto* type : {"", "text/json", "application/jsonx", "application/json, text/plain",
                           "application/json; charset=latin1", "application/problem+json"}) {
    const auto refused = read_members(json_request("{}", type), {}).error();
    EXPECT_EQ(refused.refusal->code, Code::unsupported_media_type) << type;
  }
}

std::string written(const Answer& answer, Persistence persistence = Persistence::keep,
                    bool head = false, std::string_view request_id = {}) {
  AnswerWriter writer;
  std::string out;
  writer.write(out, answer, TimePoint(Millis(784111777000)), persistence, head, request_id);
  return out;
}

TEST(AnswerWriter, WritesARefusalAsProblemJson) {
  const auto out = written(refused(Refusal{Code::rate_limited, Millis(1001)}));
  EXPECT_TRUE(out.starts_with("HTTP/1.1 429 Too Many Requests\r\n")) << out;
  EXPECT_NE(out.find("\r\nRetry-After: 2\r\n"), std::string::npos) << out;
  EXPECT_NE(out.find("\r\nContent-Type: application/problem+json\r\n"), std::string::npos);
  EXPECT_NE(out.find("\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"), std::string::npos);
  EXPECT_EQ(out.find("Server:"), std::string::npos);
  const auto body = out.substr(out.find("\r\n\r\n") + 4);
  EXPECT_NE(out.find("\r\nContent-Length: " + std::to_string(body.size()) + "\r\n"),
            std::string::npos);
  const auto json = nlohmann::json::parse(body);
  EXPECT_EQ(json["type"], "urn:sluice:problem:rate_limited");
  EXPECT_EQ(json["status"], 429);
  EXPECT_EQ(json["code"], "rate_limited");
  EXPECT_EQ(json["retry_after_ms"], 1001);
  EXPECT_TRUE(json["title"].is_string());
}

TEST(AnswerWriter, WritesEveryCodeWithItsLengthAndNoHintUnlessGiven) {
  for (const auto& p : problems()) {
    const auto out = written(refused(p.code), Persistence::close);
    const auto body = out.substr(out.find("\r\n\r\n") + 4);
    const auto json = nlohmann::json::parse(body);
    EXPECT_EQ(json["code"], p.name);
    EXPECT_EQ(json["status"], p.status);
    EXPECT_EQ(json["title"], p.title);
    EXPECT_FALSE(json.contains("retry_after_ms"));
    EXPECT_EQ(out.find("Retry-After"), std::string::npos);
    EXPECT_EQ(out.find(" Unknown\r\n"), std::string::npos) << out;
    EXPECT_NE(out.find("\r\nConnection: close\r\n"), std::string::npos);
    EXPECT_NE(out.find("\r\nContent-Length: " + std::to_string(body.size()) + "\r\n"),
              std::string::npos);
    EXPECT_EQ(out.find("WWW-Authenticate: Bearer") != std::string::npos, p.status == 401);
  }
}

TEST(AnswerWriter, ForbidsToGuessTheTypeOfEveryAnswerOnce) {
  Answer not_modified;
  not_modified.status = 304;
  Answer file;
  file.headers = "Cache-Control: no-cache\r\n";
  file.static_body = "x";
  std::vector<Answer> answers{not_modified, file, json_answer(200, "{}"),
                              method_not_allowed("GET")};
  for (const auto& p : problems()) answers.push_back(refused(p.code));
  const std::string line = "\r\nX-Content-Type-Options: nosniff\r\n";
  for (const auto& answer : answers) {
    const auto out = written(answer);
    EXPECT_LT(out.find(line), out.find("\r\n\r\n")) << out;
    EXPECT_EQ(out.find(line), out.rfind(line)) << out;
  }
}

TEST(AnswerWriter, AsksForHttpsAloneWhenToldTo) {
  const std::string line = "\r\nStrict-Transport-Security: max-age=60\r\n";
  AnswerWriter writer(std::chrono::seconds{60});
  for (const auto& answer : {json_answer(200, "{}"), refused(Code::not_found)}) {
    std::string out;
    writer.write(out, answer, TimePoint{}, Persistence::keep, false);
    EXPECT_LT(out.find(line), out.find("\r\n\r\n")) << out;
    EXPECT_EQ(written(answer).find("Strict-Transport"), std::string::npos);
  }
}

TEST(AnswerWriter, TellsTheRequestsIdWhereItKnowsOne) {
  const auto refusal = refused(Code::invalid_sale, "why");
  const std::string line = "\r\nX-Request-Id: A1.b_c-2\r\n";
  for (const auto& answer : {refusal, json_answer(200, "{}")}) {
    const auto out = written(answer, Persistence::keep, false, "A1.b_c-2");
    const auto body = out.substr(out.find("\r\n\r\n") + 4);
    EXPECT_LT(out.find(line), out.find("\r\n\r\n")) << out;
    EXPECT_NE(out.find("\r\nContent-Length: " + std::to_string(body.size()) + "\r\n"),
              std::string::npos)
        << out;
    EXPECT_EQ(written(answer).find("X-Request-Id"), std::string::npos);
    const auto json = nlohmann::json::parse(body);
    EXPECT_EQ(json.value("instance", "none"),
              answer.refusal ? "urn:sluice:request:A1.b_c-2" : "none");
  }
  EXPECT_EQ(written(refusal).find("instance"), std::string::npos);
}

TEST(AnswerWriter, EscapesWhatADetailQuotes) {
  const auto out = written(refused(Code::invalid_sale, "say \"x\"\n\xff"));
  const auto json = nlohmann::json::parse(out.substr(out.find("\r\n\r\n") + 4));
  EXPECT_EQ(json["detail"], "say \"x\"\n\xef\xbf\xbd");
}

TEST(AnswerWriter, HeadKeepsTheLengthAndDropsTheBody) {
  const auto out = written(json_answer(200, "{\"a\":1}"), Persistence::keep_aloud, true);
  EXPECT_TRUE(out.ends_with("\r\n\r\n"));
  EXPECT_NE(out.find("Content-Length: 7\r\n"), std::string::npos);
  EXPECT_NE(out.find("Connection: keep-alive\r\n"), std::string::npos);
}

boost::asio::ip::address ip(const char* text) { return boost::asio::ip::make_address(text); }

TEST(AddressBlocks, ContainAddressesOfBothFamilies) {
  const AddressBlocks blocks({"10.0.0.0/8", "192.168.1.7", "2001:db8::/32"});
  EXPECT_TRUE(blocks.contains(ip("10.255.0.1")));
  EXPECT_TRUE(blocks.contains(ip("::ffff:10.1.2.3")));
  EXPECT_TRUE(blocks.contains(ip("192.168.1.7")));
  EXPECT_TRUE(blocks.contains(ip("2001:db8:1::1")));
  EXPECT_FALSE(blocks.contains(ip("11.0.0.1")));
  EXPECT_FALSE(blocks.contains(ip("192.168.1.8")));
  EXPECT_FALSE(blocks.contains(ip("2001:db9::1")));
  for (const std::string text :
       {"", "x", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/x", "::/129", "10/8"}) {
    const std::vector<std::string> texts{text};
    EXPECT_THROW(AddressBlocks{texts}, std::invalid_argument) << text;
  }
}

TEST(LimitKey, JoinsTheAddressesOfOneClient) {
  EXPECT_EQ(limit_key(ip("1.2.3.4")), "1.2.3.4");
  EXPECT_EQ(limit_key(ip("::ffff:1.2.3.4")), "1.2.3.4");
  EXPECT_EQ(limit_key(ip("2001:db8::1")), limit_key(ip("2001:db8::ffff:1")));
  EXPECT_NE(limit_key(ip("2001:db8::1")), limit_key(ip("2001:db8:0:1::1")));
}

TEST(ForwardedClient, IsTheRightmostAddressThatIsNoTrustedProxy) {
  const AddressBlocks trusted({"10.0.0.0/8"});
  const auto client = [&trusted](const std::string& fields) {
    return forwarded_client(fields, ip("10.0.0.1"), trusted).to_string();
  };
  EXPECT_EQ(client(""), "10.0.0.1");
  EXPECT_EQ(client("X-Forwarded-For: 1.1.1.1\r\n"), "1.1.1.1");
  EXPECT_EQ(client("X-Forwarded-For: 6.6.6.6, 1.1.1.1\r\n"), "1.1.1.1");
  EXPECT_EQ(client("X-Forwarded-For: 6.6.6.6, 1.1.1.1, 10.0.0.2\r\n"), "1.1.1.1");
  EXPECT_EQ(client("X-Forwarded-For: 6.6.6.6\r\nX: y\r\nx-forwarded-for: 2.2.2.2\r\n"), "2.2.2.2");
  EXPECT_EQ(client("X-Forwarded-For: 1.1.1.1:5000\r\n"), "1.1.1.1");
  EXPECT_EQ(client("X-Forwarded-For: [2001:db8::5]:5000\r\n"), "2001:db8::5");
  EXPECT_EQ(client("X-Forwarded-For: 6.6.6.6, unknown\r\n"), "10.0.0.1");
  EXPECT_EQ(client("X-Forwarded-For: [\r\n"), "10.0.0.1");
  EXPECT_EQ(client("X-Forwarded-For: 10.0.0.3\r\n"), "10.0.0.3");
}

TEST(SiteKey, JoinsTheNetworksOfOneIpv6Site) {
  EXPECT_EQ(site_key(ip("2001:db8:1:2::1")), site_key(ip("2001:db8:1:ffff::1")));
  EXPECT_NE(site_key(ip("2001:db8:1::1")), site_key(ip("2001:db8:2::1")));
  EXPECT_NE(site_key(ip("2001:db8:1::1")), limit_key(ip("2001:db8:1::1")));
  EXPECT_EQ(site_key(ip("1.2.3.4")), "");
  EXPECT_EQ(site_key(ip("::ffff:1.2.3.4")), "");
}

TEST(ConnectionLimitsTest, CountsInAllAndByAddressAndGivesBack) {
  const auto limits = create_connection_limits(ConnectionSettings{3, 2});
  auto a1 = limits->take(ip("1.1.1.1")).place;
  auto a2 = limits->take(ip("::ffff:1.1.1.1")).place;
  EXPECT_TRUE(a1 && a2);
  EXPECT_FALSE(limits->take(ip("1.1.1.1")).place);
  EXPECT_FALSE(limits->take(ip("1.1.1.1")).full);
  auto b1 = limits->take(ip("1.1.1.2")).place;
  EXPECT_TRUE(b1);
  EXPECT_TRUE(limits->take(ip("1.1.1.3")).full);
  EXPECT_TRUE(limits->take_uncounted().full);
  EXPECT_FALSE(limits->take(ip("1.1.1.1")).full) << "it makes no room for whoever has too many";
  a1.reset();
  EXPECT_TRUE(limits->take(ip("1.1.1.3")).place);
  EXPECT_TRUE(limits->take(ip("1.1.1.1")).place);
  EXPECT_TRUE(limits->take_uncounted().place);
}

TEST(ConnectionLimitsTest, CountsIpv6ByItsNetworkAndItsSite) {
  const auto limits = create_connection_limits(ConnectionSettings{100, 2, 5});
  std::vector<ConnectionLimits::Place> places;
  const auto open = [&](const std::string& address) {
    auto taken = limits->take(boost::asio::ip::make_address(address));
    EXPECT_FALSE(taken.full);
    if (taken.place) places.push_back(taken.place);
    return taken.place != nullptr;
  };
  EXPECT_TRUE(open("2001:db8:1:1::1"));
  EXPECT_TRUE(open("2001:db8:1:1::2"));
  EXPECT_FALSE(open("2001:db8:1:1::3")) << "two from one /64";
  EXPECT_TRUE(open("2001:db8:1:2::1"));
  EXPECT_TRUE(open("2001:db8:1:3::1"));
  EXPECT_TRUE(open("2001:db8:1:4::1"));
  EXPECT_FALSE(open("2001:db8:1:5::1")) << "five from one /48";
  EXPECT_TRUE(open("2001:db8:2:1::1"));
  places.clear();
  EXPECT_EQ(limits->networks(), 0U);
  EXPECT_TRUE(open("2001:db8:1:5::1"));
}

TEST(ConnectionLimitsTest, RemembersNobodyWhoLeftHoweverManyCome) {
  const auto limits = create_connection_limits(ConnectionSettings{64, 2, 2});
  std::vector<ConnectionLimits::Place> places(64);
  for (std::uint64_t i = 0; i < 100'000; ++i) {
    auto& place = places[i % places.size()];
    place.reset();
    boost::asio::ip::address_v6::bytes_type bytes{0x20, 0x01};
    for (std::size_t n = 0; n < 4; ++n) bytes[2 + n] = static_cast<unsigned char>(i >> (8 * n));
    place = limits->take(boost::asio::ip::address_v6(bytes)).place;
    ASSERT_TRUE(place);
    ASSERT_LE(limits->networks(), 2 * places.size());
  }
}

TEST(NamesEtag, FollowsRfc9110) {
  EXPECT_TRUE(names_etag("\"a\"", "\"a\""));
  EXPECT_TRUE(names_etag("\"b\", W/\"a\"", "\"a\""));
  EXPECT_TRUE(names_etag("*", "\"a\""));
  EXPECT_FALSE(names_etag("", "\"a\""));
  EXPECT_FALSE(names_etag("\"b\"", "\"a\""));
  EXPECT_FALSE(names_etag("a", "\"a\""));
}

const std::string kDraft =
    R"({"title":"T","stock":100,"starts_at":"2026-01-02T03:04:05Z","ends_at":1767409445000})";

TEST(SaleDraftBody, IsReadWithDefaults) {
  const auto draft = read_sale_draft(json_request(kDraft));
  ASSERT_TRUE(draft) << draft.error().body;
  EXPECT_EQ(draft->title, "T");
  EXPECT_EQ(draft->stock, 100);
  EXPECT_EQ(draft->starts_at, TimePoint(Millis(1767323045000)));
  EXPECT_EQ(draft->ends_at, TimePoint(Millis(1767409445000)));
  EXPECT_EQ(draft->lanes, 1U);
  EXPECT_EQ(draft->pay_within, Millis{0});
}

TEST(SaleDraftBody, IsRefusedWithTheMemberAtFault) {
  const auto with = [](const std::string& member) {
    return kDraft.substr(0, kDraft.size() - 1) + "," + member + "}";
  };
  struct Row {
    std::string body;
    Code code;
    std::string mentions;
  };
  const std::vector<Row> rows = {
      {"{}", Code::invalid_sale, "title"},
      {"[]", Code::invalid_json, ""},
      {with(R"("title":"again")"), Code::duplicate_member, ""},
      {with(R"("lane":2)"), Code::unknown_member, "lanes"},
      {with(R"("lanes":"2")"), Code::invalid_sale, "lanes"},
      {with(R"("lanes":-1)"), Code::invalid_sale, "lanes"},
      {with(R"("lanes":4294967297)"), Code::invalid_sale, "lanes"},
      {with(R"("limit_per_order":0)"), Code::invalid_sale, "limit_per_order"},
      {with(R"("unit_price_minor":1.5)"), Code::invalid_sale, "unit_price_minor"},
      {with(R"("currency":"euro")"), Code::invalid_sale, "currency"},
      {with(R"("pay_within_ms":"15m")"), Code::invalid_sale, "pay_within_ms"},
      {with(R"("pay_within_ms":999)"), Code::invalid_sale, "pay_within_ms"},
      {with(R"("pay_within_ms":-1)"), Code::invalid_sale, "pay_within_ms"},
      {with(R"("pay_within_ms":604800001)"), Code::invalid_sale, "pay_within_ms"},
      {with(R"("pay_within_ms":99999999999999999999)"), Code::invalid_sale, "pay_within_ms"},
      {with(R"("pay_within":1000)"), Code::unknown_member, "pay_within_ms"},
      {R"({"title":"T","stock":1,"starts_at":"soon","ends_at":5})", Code::invalid_sale,
       "starts_at"},
      {R"({"title":"T","stock":1,"starts_at":-5,"ends_at":5})", Code::invalid_sale, "starts_at"},
      {R"({"title":"T","stock":1,"starts_at":5,"ends_at":99999999999999999})", Code::invalid_sale,
       "ends_at"},
      {R"({"title":"T","stock":1,"starts_at":5,"ends_at":5})", Code::invalid_sale, "ends_at"},
      {R"({"title":"T","starts_at":5,"ends_at":6})", Code::invalid_sale, "stock"},
  };
  for (const auto& row : rows) {
    const auto answer = read_sale_draft(json_request(row.body)).error();
    ASSERT_TRUE(answer.refusal) << row.body;
    EXPECT_EQ(answer.refusal->code, row.code) << row.body;
    EXPECT_NE(answer.body.find(row.mentions), std::string::npos) << answer.body;
  }
}

TEST(PublicSale, TellsPhaseAndTimesButNotTheStock) {
  Sale sale;
  sale.id = 7;
  sale.state = SaleState::open;
  sale.terms.title = "A \"fine\" sale";
  sale.terms.stock = 100;
  sale.terms.starts_at = TimePoint(Millis(1000));
  sale.terms.ends_at = TimePoint(Millis(2000));
  const auto json = nlohmann::json::parse(public_sale(sale, TimePoint(Millis(1500))));
  EXPECT_EQ(json["sale_id"], 7);
  EXPECT_EQ(json["title"], "A \"fine\" sale");
  EXPECT_EQ(json["phase"], "open");
  EXPECT_FALSE(json.contains("stock"));
  EXPECT_EQ(nlohmann::json::parse(public_sale(sale, TimePoint(Millis(2500))))["phase"], "ended");
  EXPECT_EQ(nlohmann::json::parse(operator_sale(sale))["stock"], 100);
}

TEST(SaleDraftBody, TakesATimeToPay) {
  const auto body = kDraft.substr(0, kDraft.size() - 1) + R"(,"pay_within_ms":604800000})";
  const auto draft = read_sale_draft(json_request(body));
  ASSERT_TRUE(draft) << draft.error().body;
  EXPECT_EQ(draft->pay_within, Millis{604'800'000});
}

TEST(Sales, TellEverybodyHowLongAnOrderMayStayUnpaid) {
  Sale sale;
  const auto shown = [&sale] {
    const auto now = TimePoint(Millis(1500));
    return std::pair(nlohmann::json::parse(public_sale(sale, now))["pay_within_ms"],
                     nlohmann::json::parse(operator_sale(sale))["pay_within_ms"]);
  };
  EXPECT_EQ(shown(), std::pair(nlohmann::json(0), nlohmann::json(0)));
  sale.terms.pay_within = Millis{900'000};
  EXPECT_EQ(shown(), std::pair(nlohmann::json(900'000), nlohmann::json(900'000)));
}

TEST(OperatorOrder, TellsUntilWhenToPayOnlyWhileItIsConfirmed) {
  Order order;
  order.status = OrderStatus::confirmed;
  order.pay_by = TimePoint(Millis(1500));
  const auto json = nlohmann::json::parse(order_json(order));
  EXPECT_EQ(json["pay_by"], "1970-01-01T00:00:01.500Z");
  order.status = OrderStatus::paid;
  EXPECT_FALSE(nlohmann::json::parse(order_json(order)).contains("pay_by"));
}

}  // namespace
}  // namespace sluice::http
