#include "adapters/redis/url.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include "sluice/adapters/redis/redis.hpp"
#include "sluice/base/text.hpp"

namespace sluice {
namespace redis {
namespace {

constexpr std::string_view kScheme = "redis://";
constexpr std::size_t kUrlLengthMax = 1024;
constexpr unsigned kDbMax = 1'000'000;

/// A number of [min, max] in decimal digits, and nothing else.
std::optional<unsigned> parse_number(std::string_view text, unsigned min, unsigned max) {
  const auto value = sluice::parse_number<unsigned>(text);
  return value && *value >= min && *value <= max ? value : std::nullopt;
}

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    unsigned byte = 0;
    if (i + 2 >= text.size()) return std::nullopt;
    const char* const digits = text.data() + i + 1;
    const auto [stop, error] = std::from_chars(digits, digits + 2, byte, 16);
    if (error != std::errc{} || stop != digits + 2) return std::nullopt;
    out += static_cast<char>(byte);
    i += 2;
  }
  return out;
}

bool valid_host(std::string host) {
  std::ranges::replace(host, ':', '.');  // Of an IPv6 address.
  return host.size() <= 253 && is_plain_name(host);
}

/// Reads "user:password", "user" being optional. False when the text is neither.
bool read_credentials(std::string_view text, Endpoint& endpoint) {
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) return false;
  auto user = percent_decoded(text.substr(0, colon));
  auto password = percent_decoded(text.substr(colon + 1));
  if (!user || !password || password->empty()) return false;
  endpoint.user = std::move(*user);
  endpoint.password = std::move(*password);
  return true;
}

/// Splits "host[:port]", with an IPv6 address in brackets. False when the brackets are not closed
/// or the port is empty.
bool read_address(std::string_view text, Endpoint& endpoint) {
  std::string_view rest;
  if (text.starts_with('[')) {
    const auto close = text.find(']');
    if (close == std::string_view::npos) return false;
    endpoint.host = text.substr(1, close - 1);
    rest = text.substr(close + 1);
  } else {
    const auto colon = std::min(text.find(':'), text.size());
    endpoint.host = text.substr(0, colon);
    rest = text.substr(colon);
  }
  if (rest.empty()) return true;
  if (rest.front() != ':' || !parse_number(rest.substr(1), 1, 65535)) return false;
  endpoint.port = rest.substr(1);
  return true;
}

}  // namespace

ParsedUrl parse_url(std::string_view url) {
  ParsedUrl parsed;
  const auto refuse = [&](const char* problem) {
    parsed.endpoint = Endpoint{};
    parsed.problem = problem;
    return parsed;
  };
  if (url.size() > kUrlLengthMax) return refuse("a Redis URL has at most 1024 characters");
  if (!url.starts_with(kScheme)) return refuse("a Redis URL begins with redis://");
  std::string_view rest = url.substr(kScheme.size());

  if (const auto at = rest.rfind('@'); at != std::string_view::npos) {
    if (!read_credentials(rest.substr(0, at), parsed.endpoint)) {
      return refuse("a Redis URL's credentials are user:password, reserved characters as %XX");
    }
    rest = rest.substr(at + 1);
  }
  const auto slash = std::min(rest.find('/'), rest.size());
  if (const auto db = rest.substr(slash); db.size() > 1) {
    const auto number = parse_number(db.substr(1), 0, kDbMax);
    if (!number) return refuse("a Redis URL's path is the number of a database");
    parsed.endpoint.db = static_cast<int>(*number);
  }
  if (!read_address(rest.substr(0, slash), parsed.endpoint)) {
    return refuse("a Redis URL's address is host, host:port or [IPv6]:port, port 1 to 65535");
  }
  if (!valid_host(parsed.endpoint.host)) return refuse("a Redis URL needs a valid host name");
  return parsed;
}

}  // namespace redis

std::optional<std::string> check_redis_url(std::string_view url) {
  auto parsed = redis::parse_url(url);
  if (parsed.problem.empty()) return std::nullopt;
  return std::move(parsed.problem);
}

}  // namespace sluice
