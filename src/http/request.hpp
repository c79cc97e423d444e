#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "sluice/base/problem.hpp"

namespace sluice::http {

enum class Method : std::uint8_t { get, head, post, put, patch, delete_, options, trace, query };

/// What happens to the connection after the answer.
enum class Persistence : std::uint8_t {
  keep,        ///< HTTP/1.1's default: nothing is said.
  keep_aloud,  ///< HTTP/1.0 asked for it: the answer must say so.
  close,
};

/// A request that passed every check. The views point into the bytes that were parsed.
struct Request {
  Method method = Method::get;
  Persistence persistence = Persistence::keep;
  bool has_query = false;
  bool has_body = false;   ///< A body of at least one byte.
  std::string_view path;   ///< As sent, beginning with '/'; percent-encoding is valid.
  std::string_view query;  ///< What follows '?'.
  std::string_view host;
  std::string_view authorization;  ///< Empty when absent, as are the next two.
  std::string_view content_type;
  std::string_view if_none_match;
  std::string_view fields;  ///< All field lines, each with its CRLF.
  std::string_view body;
};

/// Calls `visit(value)` for each field of that name (lower case), in order.
template <class Visit>
void for_each_field(std::string_view fields, std::string_view name, Visit visit);

struct ParseLimits {
  std::size_t header_max = 8192;
  std::size_t body_max = 4096;
  std::size_t fields_max = 64;
};

/// Reads requests strictly: one reading of the bytes is possible, or they are refused. Pure; it
/// holds no bytes. docs/protocol.md lists what is refused.
class RequestReader {
 public:
  enum class Step : std::uint8_t { need_header, need_body, ready, refused };

  explicit RequestReader(ParseLimits limits) : limits_(limits) {}

  /// `bytes`: all that was received since the start of this request; it only grows between calls.
  Step look(std::string_view bytes);

  /// After `ready`: the request and the bytes it takes.
  const Request& request() const { return request_; }
  std::size_t size() const { return header_size_ + content_length_; }

  /// After `refused`.
  Code refusal() const { return refusal_; }

  /// The header is complete and valid; the body may be under way.
  bool has_header() const { return header_size_ > 0; }

  /// After `need_body`: the client waits for "100 Continue".
  bool wants_continue() const { return wants_continue_; }

  /// Forgets the request, to read the next.
  void next() { *this = RequestReader(limits_); }

 private:
  Step refuse(Code code) {
    refusal_ = code;
    return Step::refused;
  }
  bool find_header_end(std::string_view bytes);
  bool parse_header(std::string_view header);
  bool parse_request_line(std::string_view line);
  bool parse_field(std::string_view line);
  bool take_field(std::string_view name, std::string_view value);
  bool take_content_length(std::string_view value);
  bool take_connection(std::string_view value);
  bool finish();

  ParseLimits limits_;
  Request request_;
  Code refusal_ = Code::malformed_request;
  std::size_t scanned_ = 0;      ///< Where the first line that is not complete begins.
  std::size_t header_size_ = 0;  ///< 0 until the header is complete.
  std::size_t content_length_ = 0;
  std::size_t field_count_ = 0;
  bool http_1_0_ = false;
  bool has_host_ = false;
  bool has_content_length_ = false;
  bool says_close_ = false;
  bool says_keep_alive_ = false;
  bool wants_continue_ = false;
  bool may_have_moved_ = false;  ///< The views of `request_` may be stale.
};

/// ASCII only; `lower` must be lower case.
bool equals_ignoring_case(std::string_view text, std::string_view lower);

/// `text` without spaces and tabs at its ends.
std::string_view trimmed(std::string_view text);

template <class Visit>
void for_each_field(std::string_view fields, std::string_view name, Visit visit) {
  while (!fields.empty()) {
    const auto line = fields.substr(0, fields.find('\r'));
    const auto colon = line.find(':');
    if (equals_ignoring_case(line.substr(0, colon), name)) visit(trimmed(line.substr(colon + 1)));
    fields.remove_prefix(line.size() + 2);
  }
}

}  // namespace sluice::http
