#include "http/request.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <optional>
#include <utility>

namespace sluice::http {
namespace {

enum : std::uint8_t { kToken = 1, kValue = 2, kPath = 4, kHost = 8, kDigit = 16, kHex = 32 };

constexpr std::array<std::uint8_t, 256> char_classes() {
  std::array<std::uint8_t, 256> classes{};
  const auto add = [&classes](std::string_view characters, unsigned bits) {
    for (const char c : characters) {
      auto& cell = classes[static_cast<unsigned char>(c)];
      cell = static_cast<std::uint8_t>(cell | bits);
    }
  };
  for (unsigned c = 0x20; c < 256; ++c) {
    if (c != 0x7f) classes[c] = kValue;
  }
  add("\t", kValue);
  add("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", kToken | kPath | kHost);
  add("0123456789", kDigit | kHex);
  add("abcdefABCDEF", kHex);
  add("!#$%&'*+-.^_`|~", kToken);
  add("-._~!$&'()*+,;=:@/", kPath);
  add("-._~!$&'()*+,;=", kHost);
  return classes;
}

constexpr auto kClasses = char_classes();

bool is(char c, unsigned bits) { return (kClasses[static_cast<unsigned char>(c)] & bits) != 0; }

bool all(std::string_view text, unsigned bits) {
  return std::all_of(text.begin(), text.end(), [bits](char c) { return is(c, bits); });
}

std::optional<Method> parse_method(std::string_view text) {
  if (text == "GET") return Method::get;
  if (text == "POST") return Method::post;
  if (text == "HEAD") return Method::head;
  if (text == "PUT") return Method::put;
  if (text == "PATCH") return Method::patch;
  if (text == "DELETE") return Method::delete_;
  if (text == "OPTIONS") return Method::options;
  if (text == "TRACE") return Method::trace;
  if (text == "QUERY") return Method::query;
  return std::nullopt;
}

/// `extra`: one more character that is allowed.
bool valid_target_part(std::string_view text, char extra) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (is(text[i], kPath) || text[i] == extra) continue;
    if (text[i] != '%' || i + 2 >= text.size()) return false;
    if (!is(text[i + 1], kHex) || !is(text[i + 2], kHex)) return false;
    i += 2;
  }
  return true;
}

/// host [":" port] of RFC 3986, never empty, without percent-encoding.
bool valid_host(std::string_view text) {
  std::size_t end = 0;
  if (text.starts_with('[')) {
    end = text.find(']');
    if (end == std::string_view::npos || end < 3) return false;
    const auto address = text.substr(1, end - 1);
    const auto ipv6 = [](char c) {
      return is(c, kHex) || c == ':' || c == '.';
    };
    if (!std::all_of(address.begin(), address.end(), ipv6)) return false;
    ++end;
  } else {
    while (end < text.size() && is(text[end], kHost)) ++end;
    if (end == 0) return false;
  }
  const auto port = text.substr(end);
  if (port.empty()) return true;
  return port[0] == ':' && port.size() <= 6 && all(port.substr(1), kDigit);
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

/// Takes a field that may occur once.
bool take_once(std::string_view& place, std::string_view value) {
  if (place.data() != nullptr) return false;
  place = value;
  return true;
}

}  // namespace

bool equals_ignoring_case(std::string_view text, std::string_view lower_case) {
  return text.size() == lower_case.size() &&
         std::equal(text.begin(), text.end(), lower_case.begin(),
                    [](char a, char b) { return lower(a) == b; });
}

std::string_view trimmed(std::string_view text) {
  const auto blank = [](char c) {
    return c == ' ' || c == '\t';
  };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

RequestReader::Step RequestReader::look(std::string_view bytes) {
  if (header_size_ == 0) {
    // Whatever does not begin like a method (a TLS hello, an empty line) need not be waited for.
    if (!bytes.empty() && (bytes[0] < 'A' || bytes[0] > 'Z'))
      return refuse(Code::malformed_request);
    if (!find_header_end(bytes)) return Step::refused;
    if (header_size_ == 0) return Step::need_header;
    if (!parse_header(bytes.substr(0, header_size_))) return Step::refused;
  }
  if (bytes.size() < size()) {
    may_have_moved_ = true;
    return Step::need_body;
  }
  if (may_have_moved_) {
    const auto header_size = header_size_;
    next();
    header_size_ = header_size;
    if (!parse_header(bytes.substr(0, header_size))) return Step::refused;
  }
  request_.body = bytes.substr(header_size_, content_length_);
  return Step::ready;
}

/// False when a line is malformed or the header too large.
bool RequestReader::find_header_end(std::string_view bytes) {
  const auto searched = bytes.substr(0, std::min(bytes.size(), limits_.header_max));
  while (header_size_ == 0) {
    const auto end = searched.find('\n', scanned_);
    if (end == std::string_view::npos) break;
    if (end == 0 || bytes[end - 1] != '\r') {
      refusal_ = Code::malformed_request;
      return false;
    }
    if (end == scanned_ + 1) header_size_ = end + 1;
    scanned_ = end + 1;
  }
  if (header_size_ == 0 && bytes.size() >= limits_.header_max) {
    refusal_ = Code::header_too_large;
    return false;
  }
  return true;
}

bool RequestReader::parse_header(std::string_view header) {
  refusal_ = Code::malformed_request;
  auto end = header.find('\n');
  if (!parse_request_line(header.substr(0, end - 1))) return false;
  header.remove_prefix(end + 1);
  header.remove_suffix(2);
  request_.fields = header;
  while (!header.empty()) {
    if (++field_count_ > limits_.fields_max) {
      refusal_ = Code::header_too_large;
      return false;
    }
    end = header.find('\n');
    if (!parse_field(header.substr(0, end - 1))) return false;
    header.remove_prefix(end + 1);
  }
  return finish();
}

bool RequestReader::parse_request_line(std::string_view line) {
  const auto method_end = line.find(' ');
  if (method_end == std::string_view::npos) return false;
  const auto method = parse_method(line.substr(0, method_end));
  if (!method) return false;
  line.remove_prefix(method_end + 1);

  const auto target_end = line.find(' ');
  if (target_end == std::string_view::npos) return false;
  const auto version = line.substr(target_end + 1);
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return false;
  http_1_0_ = version == "HTTP/1.0";

  const auto target = line.substr(0, target_end);
  if (!target.starts_with('/')) return false;
  const auto question = target.find('?');
  request_.method = *method;
  request_.path = target.substr(0, question);
  request_.has_query = question != std::string_view::npos;
  if (request_.has_query) request_.query = target.substr(question + 1);
  return valid_target_part(request_.path, '/') && valid_target_part(request_.query, '?');
}

bool RequestReader::parse_field(std::string_view line) {
  std::size_t colon = 0;
  while (colon < line.size() && is(line[colon], kToken)) ++colon;
  if (colon == 0 || colon == line.size() || line[colon] != ':') return false;
  const auto value = line.substr(colon + 1);
  if (!all(value, kValue)) return false;
  return take_field(line.substr(0, colon), trimmed(value));
}

bool RequestReader::take_field(std::string_view name, std::string_view value) {
  switch (name.size()) {
    case 4:
      if (!equals_ignoring_case(name, "host")) return true;
      if (std::exchange(has_host_, true)) return false;
      request_.host = value;
      return valid_host(value);
    case 6:
      if (!equals_ignoring_case(name, "expect")) return true;
      wants_continue_ = true;
      return equals_ignoring_case(value, "100-continue");
    case 10:
      return !equals_ignoring_case(name, "connection") || take_connection(value);
    case 12:
      return !equals_ignoring_case(name, "content-type") || take_once(request_.content_type, value);
    case 13:
      if (equals_ignoring_case(name, "authorization")) {
        return take_once(request_.authorization, value);
      }
      return !equals_ignoring_case(name, "if-none-match") ||
             take_once(request_.if_none_match, value);
    case 14:
      return !equals_ignoring_case(name, "content-length") || take_content_length(value);
    case 17:
      return !equals_ignoring_case(name, "transfer-encoding");
    default:
      return true;
  }
}

bool RequestReader::take_content_length(std::string_view value) {
  if (std::exchange(has_content_length_, true)) return false;
  if (value.empty() || !all(value, kDigit)) return false;
  const auto end = value.data() + value.size();
  const auto [stop, error] = std::from_chars(value.data(), end, content_length_);
  if (error == std::errc() && stop == end && content_length_ <= limits_.body_max) return true;
  refusal_ = Code::body_too_large;
  return false;
}

bool RequestReader::take_connection(std::string_view value) {
  while (!value.empty()) {
    const auto comma = std::min(value.find(','), value.size());
    const auto option = trimmed(value.substr(0, comma));
    if (!all(option, kToken)) return false;
    says_close_ = says_close_ || equals_ignoring_case(option, "close");
    says_keep_alive_ = says_keep_alive_ || equals_ignoring_case(option, "keep-alive");
    value.remove_prefix(std::min(comma + 1, value.size()));
  }
  return true;
}

bool RequestReader::finish() {
  if (!has_host_ && !http_1_0_) return false;
  request_.has_body = content_length_ > 0;
  if (http_1_0_) wants_continue_ = false;
  if (says_close_ || (http_1_0_ && !says_keep_alive_)) {
    request_.persistence = Persistence::close;
  } else {
    request_.persistence = http_1_0_ ? Persistence::keep_aloud : Persistence::keep;
  }
  return true;
}

}  // namespace sluice::http
