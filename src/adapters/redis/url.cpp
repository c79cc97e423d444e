#include "adapters/redis/url.hpp"

#include <boost/url/parse.hpp>

#include "sluice/adapters/redis/redis.hpp"
#include "sluice/base/text.hpp"

namespace sluice {
namespace redis {
namespace {

namespace urls = boost::urls;

constexpr std::size_t kUrlLengthMax = 1024;
constexpr int kDbMax = 1'000'000;

bool valid_host(const urls::url_view& url) {
  if (url.host_type() == urls::host_type::ipv6) return true;
  const std::string_view host = url.encoded_host();
  return host.size() <= 253 && is_plain_name(host);
}

/// The number in the path; none is 0. Empty when the path is something else.
std::optional<int> db_of(std::string_view path) {
  if (path.empty() || path == "/") return 0;
  // A sign is no digit.
  const auto db = parse_number<unsigned>(path.substr(1));
  return db && *db <= kDbMax ? std::optional(static_cast<int>(*db)) : std::nullopt;
}

}  // namespace

ParsedUrl parse_url(std::string_view text) {
  const auto refuse = [](const char* problem) { return ParsedUrl{{}, problem}; };
  if (text.size() > kUrlLengthMax) return refuse("a Redis URL has at most 1024 characters");
  if (!text.starts_with("redis://")) return refuse("a Redis URL begins with redis://");
  const auto parsed = urls::parse_uri(text);
  if (!parsed || parsed->has_query() || parsed->has_fragment()) {
    return refuse(
        "a Redis URL is redis://[user:password@]host[:port][/db], reserved characters as %XX");
  }
  const auto& url = *parsed;
  if (url.has_userinfo() && url.password().empty()) {
    return refuse("a Redis URL's credentials are user:password, reserved characters as %XX");
  }
  const auto db = db_of(url.encoded_path());
  if (!db) return refuse("a Redis URL's path is the number of a database");
  if (url.has_port() && url.port_number() == 0) {
    return refuse("a Redis URL's address is host, host:port or [IPv6]:port, port 1 to 65535");
  }
  if (!valid_host(url)) return refuse("a Redis URL needs a valid host name");
  Endpoint endpoint{url.host_address(), "6379", url.user(), url.password(), *db};
  if (url.has_port()) endpoint.port = std::to_string(url.port_number());
  return {endpoint, ""};
}

}  // namespace redis

std::optional<std::string> check_redis_url(std::string_view url) {
  auto parsed = redis::parse_url(url);
  if (parsed.problem.empty()) return std::nullopt;
  return std::move(parsed.problem);
}

}  // namespace sluice
