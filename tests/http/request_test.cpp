#include "http/request.hpp"

#include <boost/beast/core/string.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <gtest/gtest.h>
#include <random>
#include <string>
#include <vector>

namespace sluice::http {
namespace {

using Step = RequestReader::Step;

struct Case {
  const char* name;
  std::string bytes;
};

std::string get(const std::string& fields) {
  return "GET / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
}
std::string post(const std::string& fields, const std::string& body = "") {
  return "POST /x HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n" + body;
}

class Malformed : public testing::TestWithParam<Case> {};

TEST_P(Malformed, IsRefusedAndNeverWaitedFor) {
  RequestReader reader({});
  ASSERT_EQ(reader.look(GetParam().bytes), Step::refused);
  EXPECT_EQ(reader.refusal(), Code::malformed_request);
}

TEST_P(Malformed, IsRefusedAlsoWhenItComesByteByByte) {
  RequestReader reader({});
  const auto& bytes = GetParam().bytes;
  auto step = Step::need_header;
  for (std::size_t n = 1; n <= bytes.size() && step != Step::refused; ++n) {
    step = reader.look(std::string_view(bytes).substr(0, n));
    ASSERT_NE(step, Step::ready) << "after " << n << " bytes";
  }
  EXPECT_EQ(step, Step::refused);
}

const std::string kZero("\0", 1);

INSTANTIATE_TEST_SUITE_P(
    Smuggling, Malformed,
    testing::Values(
        Case{"chunked", post("Transfer-Encoding: chunked\r\n", "0\r\n\r\n")},
        Case{"chunked_and_length",
             post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n")},
        Case{"length_and_chunked",
             post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")},
        Case{"gzip", post("Transfer-Encoding: gzip\r\n")},
        Case{"identity", post("Transfer-Encoding: identity\r\n")},
        Case{"xchunked", post("Transfer-Encoding: xchunked\r\n")},
        Case{"empty_encoding", post("Transfer-Encoding:\r\n")},
        Case{"mixed_case_encoding", post("tRANSFER-eNCODING: Chunked\r\n")},
        Case{"encoding_with_space", post("Transfer-Encoding : chunked\r\n")},
        Case{"encoding_with_tab", post("Transfer-Encoding\t: chunked\r\n")},
        Case{"encoding_folded", post("Transfer-Encoding:\r\n chunked\r\n")},
        Case{"encoding_after_bare_lf", post("X: y\nTransfer-Encoding: chunked\r\n")},
        Case{"encoding_after_bare_cr", post("X: y\rTransfer-Encoding: chunked\r\n")},
        Case{"encoding_twice",
             post("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n")},
        Case{"two_lengths", post("Content-Length: 5\r\nContent-Length: 6\r\n", "hello!")},
        Case{"two_equal_lengths", post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello")},
        Case{"length_list", post("Content-Length: 5, 5\r\n", "hello")},
        Case{"length_plus", post("Content-Length: +5\r\n", "hello")},
        Case{"length_minus", post("Content-Length: -5\r\n", "hello")},
        Case{"length_hex", post("Content-Length: 0x5\r\n", "hello")},
        Case{"length_fraction", post("Content-Length: 5.0\r\n", "hello")},
        Case{"length_inner_space", post("Content-Length: 5 5\r\n", "hello")},
        Case{"length_empty", post("Content-Length: \r\n", "hello")},
        Case{"length_with_space_before_colon", post("Content-Length : 5\r\n", "hello")},
        Case{"length_vertical_tab", post("Content-Length: \v5\r\n", "hello")},
        Case{"length_nul", post("Content-Length: 5" + kZero + "\r\n", "hello")}));

INSTANTIATE_TEST_SUITE_P(
    Hosts, Malformed,
    testing::Values(Case{"none", "GET / HTTP/1.1\r\n\r\n"}, Case{"two", get("Host: b\r\n")},
                    Case{"two_equal", get("Host: a\r\n")},
                    Case{"empty", "GET / HTTP/1.1\r\nHost:\r\n\r\n"},
                    Case{"space", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"},
                    Case{"slash", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"},
                    Case{"user", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"},
                    Case{"port_letters", "GET / HTTP/1.1\r\nHost: a:80x\r\n\r\n"},
                    Case{"port_long", "GET / HTTP/1.1\r\nHost: a:123456\r\n\r\n"},
                    Case{"port_alone", "GET / HTTP/1.1\r\nHost: :80\r\n\r\n"},
                    Case{"open_bracket", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"},
                    Case{"bracket_name", "GET / HTTP/1.1\r\nHost: [host]\r\n\r\n"},
                    Case{"list", "GET / HTTP/1.1\r\nHost: a, b:\r\n\r\n"},
                    Case{"percent", "GET / HTTP/1.1\r\nHost: a%00b\r\n\r\n"},
                    Case{"two_in_http_1_0", "GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n"}));

INSTANTIATE_TEST_SUITE_P(
    Lines, Malformed,
    testing::Values(
        Case{"leading_empty_line", "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"},
        Case{"leading_space", " GET / HTTP/1.1\r\nHost: a\r\n\r\n"},
        Case{"tls_hello", "\x16\x03\x01\x02"}, Case{"lower_case_method", "get / HTTP/1.1\r\n"},
        Case{"mixed_case_method", "GEt / HTTP/1.1\r\nHost: a\r\n\r\n"},
        Case{"unknown_method", "FETCH / HTTP/1.1\r\nHost: a\r\n\r\n"},
        Case{"connect", "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n"},
        Case{"http2_preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
        Case{"bare_lf", "GET / HTTP/1.1\nHost: a\n\n"},
        Case{"bare_cr", "GET / HTTP/1.1\rHost: a\r\n\r\n"},
        Case{"double_cr", "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n"},
        Case{"two_spaces", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n"},
        Case{"space_in_target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"},
        Case{"tab_as_separator", "GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n"},
        Case{"trailing_space", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n"},
        Case{"no_version", "GET /\r\nHost: a\r\n\r\n"},
        Case{"http_0_9", "GET / HTTP/0.9\r\nHost: a\r\n\r\n"},
        Case{"http_1_2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n"},
        Case{"http_2", "GET / HTTP/2.0\r\nHost: a\r\n\r\n"},
        Case{"http_1_01", "GET / HTTP/1.01\r\nHost: a\r\n\r\n"},
        Case{"lower_case_version", "GET / http/1.1\r\nHost: a\r\n\r\n"},
        Case{"absolute_form", "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n"},
        Case{"asterisk_form", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"},
        Case{"no_leading_slash", "GET a HTTP/1.1\r\nHost: a\r\n\r\n"},
        Case{"fragment", "GET /#x HTTP/1.1\r\nHost: a\r\n\r\n"},
        Case{"backslash", "GET /\\x HTTP/1.1\r\nHost: a\r\n\r\n"},
        Case{"non_ascii_target", "GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n"},
        Case{"control_in_target", "GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n"},
        Case{"percent_alone", "GET /% HTTP/1.1\r\nHost: a\r\n\r\n"},
        Case{"percent_short", "GET /%4 HTTP/1.1\r\nHost: a\r\n\r\n"},
        Case{"percent_no_hex", "GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n"},
        Case{"folded_field", get("X: a\r\n b\r\n")}, Case{"folded_by_tab", get("X: a\r\n\tb\r\n")},
        Case{"first_field_folded", "GET / HTTP/1.1\r\n Host: a\r\n\r\n"},
        Case{"no_colon", get("X\r\n")}, Case{"empty_name", get(": x\r\n")},
        Case{"space_before_colon", get("X : y\r\n")}, Case{"space_in_name", get("X y: z\r\n")},
        Case{"control_in_name", get("X\x01: y\r\n")},
        Case{"nul_in_value", get("X: " + kZero + "\r\n")},
        Case{"escape_in_value", get("X: \x1b[0m\r\n")}, Case{"delete_in_value", get("X: \x7f\r\n")},
        Case{"bare_cr_in_value", get("X: a\rb\r\n")}, Case{"bare_lf_in_value", get("X: a\nb\r\n")},
        Case{"two_authorizations", get("Authorization: Bearer a\r\nAuthorization: Bearer b\r\n")},
        Case{"two_types", post("Content-Type: a/b\r\nContent-Type: application/json\r\n")},
        Case{"unknown_expectation", post("Expect: 200-ok\r\n")},
        Case{"connection_with_quotes", get("Connection: \"close\"\r\n")}));

TEST(RequestReader, GivesWhatAnOrdinaryRequestSays) {
  const std::string bytes =
      "POST /v1/sales/7/orders?a=b HTTP/1.1\r\nhost: shop.example:8080\r\n"
      "AUTHORIZATION:Bearer abc  \r\nContent-Type:\t application/json\r\nX-Other: \xc3\xa4\r\n"
      "Content-Length: 5\r\n\r\nhelloGET";
  RequestReader reader({});
  ASSERT_EQ(reader.look(bytes), Step::ready);
  const auto& request = reader.request();
  EXPECT_EQ(request.method, Method::post);
  EXPECT_EQ(request.path, "/v1/sales/7/orders");
  EXPECT_EQ(request.query, "a=b");
  EXPECT_EQ(request.host, "shop.example:8080");
  EXPECT_EQ(request.authorization, "Bearer abc");
  EXPECT_EQ(request.content_type, "application/json");
  EXPECT_EQ(request.body, "hello");
  EXPECT_FALSE(request.body.empty());
  EXPECT_EQ(request.persistence, Persistence::keep);
  EXPECT_EQ(reader.size(), bytes.size() - 3);
}

TEST(RequestReader, AcceptsEveryFormOfHostThatRfc3986Has) {
  for (const std::string host : {"a", "a.b-c_d~e", "127.0.0.1", "127.0.0.1:80", "[::1]",
                                 "[2001:db8::1]:8080", "[::ffff:1.2.3.4]", "a:"}) {
    RequestReader reader({});
    EXPECT_EQ(reader.look("GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n"), Step::ready) << host;
  }
}

TEST(RequestReader, TakesAnIdThatIsOneAndTheOnlyOne) {
  const auto id = [](const std::string& fields) {
    RequestReader reader({});
    const auto bytes = get(fields);
    EXPECT_EQ(reader.look(bytes), Step::ready) << fields;
    return std::string(reader.request().request_id);
  };
  const std::string longest(64, 'x');
  EXPECT_EQ(id("X-Request-Id: a.B_9-\r\n"), "a.B_9-");
  EXPECT_EQ(id("x-request-ID:\t" + longest + " \r\n"), longest);
  for (const std::string value : {"", "a b", "a\"b", "a/b", "\xc3\xa9", "a,b", "<x>"}) {
    EXPECT_EQ(id("X-Request-Id: " + value + "\r\n"), "") << value;
  }
  EXPECT_EQ(id("X-Request-Id: " + longest + "x\r\n"), "");
  EXPECT_EQ(id("X-Request-Id: a\r\nX-Request-Id: b\r\nX-Request-Id: c\r\n"), "");
  EXPECT_EQ(id("X-Request-Ids: a\r\nRequest-Id: a\r\n"), "");
}

TEST(RequestReader, KnowsWhenTheConnectionMayStay) {
  const auto persistence = [](const std::string& version, const std::string& connection) {
    RequestReader reader({});
    const auto bytes = "GET / " + version + "\r\nHost: a\r\n" + connection + "\r\n";
    EXPECT_EQ(reader.look(bytes), Step::ready) << bytes;
    return reader.request().persistence;
  };
  EXPECT_EQ(persistence("HTTP/1.1", ""), Persistence::keep);
  EXPECT_EQ(persistence("HTTP/1.1", "Connection: keep-alive\r\n"), Persistence::keep);
  EXPECT_EQ(persistence("HTTP/1.1", "Connection: Close\r\n"), Persistence::close);
  EXPECT_EQ(persistence("HTTP/1.1", "Connection: upgrade , close\r\n"), Persistence::close);
  EXPECT_EQ(persistence("HTTP/1.1", "Connection: x\r\nConnection: close\r\n"), Persistence::close);
  EXPECT_EQ(persistence("HTTP/1.1", "Connection: closed\r\n"), Persistence::keep);
  EXPECT_EQ(persistence("HTTP/1.0", ""), Persistence::close);
  EXPECT_EQ(persistence("HTTP/1.0", "Connection: keep-alive\r\n"), Persistence::keep_aloud);
  EXPECT_EQ(persistence("HTTP/1.0", "Connection: keep-alive, close\r\n"), Persistence::close);
}

TEST(RequestReader, KnowsEveryMethodThatARouteMayRefuse) {
  for (const std::string method :
       {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY"}) {
    RequestReader reader({});
    EXPECT_EQ(reader.look(method + " / HTTP/1.1\r\nHost: a\r\n\r\n"), Step::ready) << method;
  }
}

TEST(RequestReader, Http10NeedsNoHost) {
  RequestReader reader({});
  EXPECT_EQ(reader.look("GET / HTTP/1.0\r\n\r\n"), Step::ready);
}

TEST(RequestReader, HeaderAtItsLimitPassesAndOneByteMoreIs431) {
  RequestLimits limits;
  limits.header_max = 512;
  const auto header = [](std::size_t size) {
    const auto rest = get("X: \r\n").size();
    return get("X: " + std::string(size - rest, 'x') + "\r\n");
  };
  RequestReader fits(limits);
  EXPECT_EQ(fits.look(header(512)), Step::ready);
  RequestReader over(limits);
  ASSERT_EQ(over.look(header(513)), Step::refused);
  EXPECT_EQ(over.refusal(), Code::header_too_large);
  RequestReader endless(limits);
  ASSERT_EQ(endless.look("GET /" + std::string(507, 'x')), Step::refused);
  EXPECT_EQ(endless.refusal(), Code::header_too_large);
}

TEST(RequestReader, FieldsAtTheirLimitPassAndOneMoreIs431) {
  RequestLimits limits;
  limits.fields_max = 5;
  RequestReader fits(limits);
  EXPECT_EQ(fits.look(get("A: 1\r\nB: 1\r\nC: 1\r\nD: 1\r\n")), Step::ready);
  RequestReader over(limits);
  ASSERT_EQ(over.look(get("A: 1\r\nB: 1\r\nC: 1\r\nD: 1\r\nE: 1\r\n")), Step::refused);
  EXPECT_EQ(over.refusal(), Code::header_too_large);
}

TEST(RequestReader, BodyAtItsLimitPassesAndMoreIs413BeforeItArrives) {
  RequestLimits limits;
  limits.body_max = 10;
  RequestReader fits(limits);
  EXPECT_EQ(fits.look(post("Content-Length: 10\r\n", "0123456789")), Step::ready);
  for (const std::string length :
       {"11", "4294967297", "18446744073709551616", "99999999999999999999999999999"}) {
    RequestReader over(limits);
    ASSERT_EQ(over.look(post("Content-Length: " + length + "\r\n")), Step::refused) << length;
    EXPECT_EQ(over.refusal(), Code::body_too_large);
  }
}

TEST(RequestReader, AsksForContinueOnlyWhileTheBodyIsMissing) {
  const auto header = post("Content-Length: 2\r\nExpect: 100-Continue\r\n");
  RequestReader reader({});
  ASSERT_EQ(reader.look(header), Step::need_body);
  EXPECT_TRUE(reader.wants_continue());
  const auto whole = header + "{}";
  ASSERT_EQ(reader.look(whole), Step::ready);
  EXPECT_EQ(reader.request().body, "{}");
}

TEST(RequestReader, ReadsTheSameWhateverThePiecesAndWhereverTheyMove) {
  const auto bytes = post("Authorization: Bearer t\r\nContent-Length: 13\r\n", "{\"quantity\":1}");
  for (std::size_t cut = 0; cut + 1 < bytes.size(); ++cut) {
    RequestReader reader({});
    {
      const std::string first = bytes.substr(0, cut);
      ASSERT_NE(reader.look(first), Step::refused);
    }
    const std::string moved = bytes;
    ASSERT_EQ(reader.look(moved), Step::ready) << cut;
    EXPECT_EQ(reader.request().authorization, "Bearer t");
    EXPECT_EQ(reader.request().authorization.data() - moved.data(),
              static_cast<std::ptrdiff_t>(moved.find("Bearer")));
    EXPECT_EQ(reader.request().body, "{\"quantity\":1");
  }
}

TEST(ForEachField, VisitsEveryOccurrenceInOrder) {
  RequestReader reader({});
  const auto bytes = get("X-A: 1\r\nOther: 2\r\nx-a:3 \r\n");
  ASSERT_EQ(reader.look(bytes), Step::ready);
  std::vector<std::string> values;
  for_each_field(reader.request().fields, "x-a",
                 [&values](std::string_view value) { values.emplace_back(value); });
  EXPECT_EQ(values, (std::vector<std::string>{"1", "3"}));
}

/// What we accept, another parser must accept too, and read the same.
void expect_same_reading(const std::string& bytes, const RequestReader& ours) {
  namespace beast_http = boost::beast::http;
  beast_http::request_parser<beast_http::string_body> theirs;
  boost::system::error_code ec;
  theirs.eager(true);
  const auto used = theirs.put(boost::asio::buffer(bytes), ec);
  ASSERT_FALSE(ec) << ec.message() << "\n" << bytes;
  ASSERT_TRUE(theirs.is_done()) << bytes;
  EXPECT_EQ(used, ours.size()) << bytes;
  EXPECT_EQ(std::string(theirs.get().body()), ours.request().body) << bytes;
  const std::string target(theirs.get().target());
  EXPECT_EQ(target.substr(0, target.find('?')), ours.request().path);
  EXPECT_EQ(theirs.keep_alive(), ours.request().persistence != Persistence::close) << bytes;
}

TEST(RequestReaderFuzz, MutatedRequestsAreRefusedOrReadAsAnotherParserReadsThem) {
  const std::vector<std::string> seeds = {
      get("Connection: keep-alive\r\nAccept: */*\r\n"),
      post("Content-Length: 14\r\nContent-Type: application/json\r\n", "{\"quantity\":1}"),
      "GET /v1/sales/7?x=%41 HTTP/1.0\r\nHost: [::1]:80\r\nConnection: keep-alive\r\n\r\n",
      post("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"),
  };
  const std::vector<std::string> pieces = {"\r\n",
                                           "\n",
                                           "\r",
                                           " ",
                                           "\t",
                                           ":",
                                           ",",
                                           "0",
                                           "\xff",
                                           "%",
                                           "5",
                                           "-",
                                           "+",
                                           "Host",
                                           "chunked",
                                           std::string("\0", 1),
                                           "close",
                                           "/",
                                           "?",
                                           "#",
                                           "HTTP/1.0",
                                           "Content-Length: 3\r\n",
                                           "Transfer-Encoding: chunked\r\n",
                                           "\r\n\r\n"};
  std::mt19937 random(20260122);
  std::size_t accepted = 0;
  for (int run = 0; run < 40000; ++run) {
    auto bytes = seeds[random() % seeds.size()];
    for (auto edits = random() % 3 + 1; edits > 0; --edits) {
      const auto at = random() % bytes.size();
      switch (random() % 3) {
        case 0:
          bytes[at] = static_cast<char>(random());
          break;
        case 1:
          bytes.erase(at, random() % 4 + 1);
          break;
        default:
          bytes.insert(at, pieces[random() % pieces.size()]);
      }
      if (bytes.empty()) bytes = "G";
    }
    RequestReader reader({});
    if (reader.look(bytes) != Step::ready) continue;
    ++accepted;
    ASSERT_NO_FATAL_FAILURE(expect_same_reading(bytes, reader));
  }
  EXPECT_GT(accepted, 1000U);
}

TEST(RequestReaderFuzz, RandomBytesInRandomPiecesNeverPass) {
  std::mt19937 random(7);
  for (int run = 0; run < 5000; ++run) {
    std::string bytes = run % 2 == 0 ? "" : "GET / HTTP/1.1\r\n";
    for (auto size = random() % 200 + 1; size > 0; --size) {
      bytes += static_cast<char>(random());
    }
    RequestReader reader({});
    auto step = Step::need_header;
    for (std::size_t seen = 0; seen < bytes.size() && step == Step::need_header;) {
      seen = std::min(bytes.size(), seen + random() % 20 + 1);
      step = reader.look(std::string_view(bytes).substr(0, seen));
    }
    EXPECT_NE(step, Step::ready);
  }
}

}  // namespace
}  // namespace sluice::http
