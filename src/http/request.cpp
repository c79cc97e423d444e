#include "http/request.hpp"

#include <algorithm>
#include <array>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/rfc7230.hpp>
#include <boost/url/grammar/charset.hpp>
#include <boost/url/grammar/hexdig_chars.hpp>
#include <boost/url/rfc/pchars.hpp>
#include <boost/url/rfc/sub_delim_chars.hpp>
#include <boost/url/rfc/unreserved_chars.hpp>
#include <utility>

namespace sluice::http {
namespace {

namespace parsing = boost::beast::http;
namespace urls = boost::urls;
using boost::system::error_code;

constexpr std::array<std::string_view, 9> kMethods = {"GET",    "HEAD",    "POST",  "PUT",  "PATCH",
                                                      "DELETE", "OPTIONS", "TRACE", "QUERY"};

bool all_digits(std::string_view text) {
  return text.find_first_not_of("0123456789") == std::string_view::npos;
}

/// `characters`, and percent-encoded ones.
bool valid_target_part(std::string_view text, const urls::grammar::lut_chars& characters) {
  const auto* const end = text.data() + text.size();
  const auto is_hex = [](char c) { return urls::grammar::hexdig_value(c) >= 0; };
  for (const auto* at = text.data();; at += 3) {
    at = urls::grammar::find_if_not(at, end, characters);
    if (at == end) return true;
    if (*at != '%' || end - at < 3 || !is_hex(at[1]) || !is_hex(at[2])) return false;
  }
}

/// host [":" port] of RFC 3986, never empty, without percent-encoding.
bool valid_host(std::string_view text) {
  static constexpr auto kName = urls::unreserved_chars + urls::sub_delim_chars;
  std::size_t end = 0;
  if (text.starts_with('[')) {
    end = text.find_first_not_of("0123456789abcdefABCDEF:.", 1);
    if (end == text.npos || end < 3 || text[end++] != ']') return false;
  } else {
    const auto* const first = text.data();
    const auto* const last = urls::grammar::find_if_not(first, first + text.size(), kName);
    if (last == first) return false;
    end = static_cast<std::size_t>(last - first);
  }
  const auto port = text.substr(end);
  return port.empty() || (port[0] == ':' && port.size() <= 6 && all_digits(port.substr(1)));
}

}  // namespace

KeptRequest::KeptRequest(const Request& request) : request_(request) {
  request_.host = {};
  request_.fields = {};
  std::string_view* const kept[] = {&request_.path,          &request_.query,
                                    &request_.authorization, &request_.content_type,
                                    &request_.if_none_match, &request_.request_id,
                                    &request_.body};
  std::size_t size = 0;
  for (const auto* view : kept) size += view->size();
  bytes_.reserve(size);
  for (auto* view : kept) {
    const auto begin = bytes_.size();
    bytes_.insert(bytes_.end(), view->begin(), view->end());
    *view = {bytes_.data() + begin, view->size()};
  }
}

std::string_view name(Method method) noexcept { return kMethods[static_cast<std::size_t>(method)]; }

/// Fills a reader's request with views of one header, and refuses what Beast alone would accept.
class RequestReader::HeaderParser final : public parsing::basic_parser<true> {
 public:
  explicit HeaderParser(RequestReader& reader) : reader_(reader), request_(reader.request_) {
    header_limit(static_cast<std::uint32_t>(reader.limits_.header_max));
    body_limit(reader.limits_.body_max);
  }

  /// False when the header is refused; the reader knows the code.
  bool parse(std::string_view header) {
    error_code error;
    const auto parsed = put({header.data(), header.size()}, error);
    if (!error) return true;
    if (error == parsing::error::body_limit || is_huge_length(header.substr(parsed), error)) {
      reader_.refuse(Code::body_too_large);
    }
    return false;
  }

 private:
  /// Beast does not hand over a length beyond 64 bits; `rest` begins with its line.
  bool is_huge_length(std::string_view rest, const error_code& error) const {
    if (error != parsing::error::bad_content_length || has_length_) return false;
    const auto line = rest.substr(0, rest.find('\r'));
    const auto value = trimmed(line.substr(line.find(':') + 1));
    return !value.empty() && all_digits(value);
  }

  void on_request_impl(parsing::verb, boost::beast::string_view method,
                       boost::beast::string_view target, int version, error_code& ec) override {
    const auto known = find_name<Method>(kMethods, method);
    const auto question = target.find('?');
    request_.method = known.value_or(Method::get);
    request_.path = target.substr(0, question);
    if (question != target.npos) request_.query = target.substr(question + 1);
    http_1_0_ = version == 10;
    static constexpr auto kPath = urls::pchars + '/';
    static constexpr auto kQuery = kPath + '?';
    const bool valid = known && request_.path.starts_with('/') &&
                       valid_target_part(request_.path, kPath) &&
                       valid_target_part(request_.query, kQuery);
    if (!valid) ec = parsing::error::bad_target;
  }

  void on_field_impl(parsing::field field, boost::beast::string_view name,
                     boost::beast::string_view text, error_code& ec) override {
    if (++field_count_ > reader_.limits_.fields_max) {
      reader_.refuse(Code::header_too_large);
      ec = parsing::error::header_limit;
    } else if (!take(field, name, text)) {
      ec = parsing::error::bad_value;
    }
  }

  bool take(parsing::field field, std::string_view name, std::string_view value) {
    switch (field) {
      case parsing::field::host:
        return take_once(request_.host, value) && valid_host(value);
      case parsing::field::authorization:
        return take_once(request_.authorization, value);
      case parsing::field::content_type:
        return take_once(request_.content_type, value);
      case parsing::field::if_none_match:
        return take_once(request_.if_none_match, value);
      case parsing::field::content_length:
        return !std::exchange(has_length_, true) && all_digits(value);
      case parsing::field::transfer_encoding:
        return false;
      case parsing::field::expect:
        reader_.wants_continue_ = !http_1_0_;
        return equals_ignoring_case(value, "100-continue");
      case parsing::field::connection:
        while (!value.empty()) {
          const auto option = take_element(value);
          says_close_ = says_close_ || equals_ignoring_case(option, "close");
          says_keep_alive_ = says_keep_alive_ || equals_ignoring_case(option, "keep-alive");
        }
        return true;
      default:
        if (equals_ignoring_case(name, "x-request-id")) take_id(value);
        return true;
    }
  }

  /// One that is no id, or not the only one, counts for nothing.
  void take_id(std::string_view value) {
    const bool first = !std::exchange(has_id_, true);
    request_.request_id = first && is_request_id(value) ? value : std::string_view();
  }

  static bool take_once(std::string_view& place, std::string_view value) {
    return std::exchange(place, value).data() == nullptr;
  }

  void on_header_impl(error_code& ec) override {
    if (request_.host.empty() && !http_1_0_) ec = parsing::error::bad_field;
    reader_.content_length_ = static_cast<std::size_t>(content_length().value_or(0));
    if (says_close_ || (http_1_0_ && !says_keep_alive_)) {
      request_.persistence = Persistence::close;
    } else {
      request_.persistence = http_1_0_ ? Persistence::keep_aloud : Persistence::keep;
    }
  }

  // Only the header is put into the parser.
  void on_response_impl(int, boost::beast::string_view, int, error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(boost::beast::string_view, error_code&) override { return 0; }
  void on_chunk_header_impl(std::uint64_t, boost::beast::string_view, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, boost::beast::string_view, error_code&) override {
    return 0;
  }
  void on_finish_impl(error_code&) override {}

  RequestReader& reader_;
  Request& request_;
  std::size_t field_count_ = 0;
  bool http_1_0_ = false;
  bool has_id_ = false;
  bool has_length_ = false;
  bool says_close_ = false;
  bool says_keep_alive_ = false;
};

RequestReader::Step RequestReader::look(std::string_view bytes) {
  if (header_size_ == 0) {
    if (!find_header_end(bytes)) return Step::refused;
    if (header_size_ == 0) return Step::need_header;
    if (!parse_header(bytes.substr(0, header_size_))) return Step::refused;
  }
  if (bytes.size() < size()) {
    may_have_moved_ = true;
    return Step::need_body;
  }
  if (std::exchange(may_have_moved_, false)) {
    request_ = Request();
    parse_header(bytes.substr(0, header_size_));
  }
  request_.body = bytes.substr(header_size_, content_length_);
  return Step::ready;
}

/// False when no header of this beginning would be accepted: what is wrong for sure need not be
/// waited for, and Beast takes folded fields.
bool RequestReader::find_header_end(std::string_view bytes) {
  if (!bytes.empty() && (bytes[0] < 'A' || bytes[0] > 'Z')) return refuse(Code::malformed_request);
  const auto searched = bytes.substr(0, limits_.header_max);
  while (header_size_ == 0) {
    const auto end = searched.find('\n', scanned_);
    if (end == std::string_view::npos) break;
    const bool folded = bytes[scanned_] == ' ' || bytes[scanned_] == '\t';
    if (folded || end == 0 || bytes[end - 1] != '\r') return refuse(Code::malformed_request);
    if (end == scanned_ + 1) header_size_ = end + 1;
    scanned_ = end + 1;
  }
  if (header_size_ == 0 && bytes.size() >= limits_.header_max)
    return refuse(Code::header_too_large);
  return true;
}

bool RequestReader::parse_header(std::string_view header) {
  const auto first = header.find('\n') + 1;
  request_.fields = header.substr(first, header.size() - 2 - first);
  return HeaderParser(*this).parse(header);
}

}  // namespace sluice::http
