#include "adapters/redis/url.hpp"

#include <boost/url/parse.hpp>
#include <stdexcept>

#include "sluice/adapters/redis/redis.hpp"
#include "sluice/base/text.hpp"

namespace sluice {
namespace redis {
namespace {

namespace urls = boost::urls;

constexpr std::size_t kUrlLengthMax = 1024;
constexpr std::string_view kTlsScheme = "rediss://";
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

Endpoint parse_url(std::string_view text) {
  const auto refuse_if = [](bool wrong, const char* problem) {
    if (wrong) throw std::invalid_argument(problem);
  };
  refuse_if(text.size() > kUrlLengthMax, "a Redis URL has at most 1024 characters");
  const bool tls = is_tls(text);
  refuse_if(!tls && !text.starts_with("redis://"),
            "a Redis URL begins with redis://, or with rediss:// for TLS");
  const auto url = urls::parse_uri(text);
  refuse_if(!url || url->has_query() || url->has_fragment(),
            "a Redis URL is redis://[user:password@]host[:port][/db], reserved characters as %XX");
  refuse_if(url->has_userinfo() && url->password().empty(),
            "a Redis URL's credentials are user:password, reserved characters as %XX");
  const auto db = db_of(url->encoded_path());
  refuse_if(!db, "a Redis URL's path is the number of a database");
  refuse_if(url->has_port() && url->port_number() == 0,
            "a Redis URL's address is host, host:port or [IPv6]:port, port 1 to 65535");
  refuse_if(!valid_host(*url), "a Redis URL needs a valid host name");
  Endpoint endpoint{url->host_address(), "6379", url->user(), url->password(), *db, tls};
  if (url->has_port()) endpoint.port = std::to_string(url->port_number());
  return endpoint;
}

}  // namespace redis

bool is_tls(std::string_view redis_url) { return redis_url.starts_with(redis::kTlsScheme); }

std::optional<std::string> check_redis_url(std::string_view url) try {
  redis::parse_url(url);
  return std::nullopt;
} catch (const std::invalid_argument& e) {
  return e.what();
}

}  // namespace sluice
