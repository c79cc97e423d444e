#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "sluice/base/problem.hpp"
#include "sluice/base/text.hpp"
#include "sluice/http/settings.hpp"

#include "http/text.hpp"

namespace sluice::http {

enum class Method : std::uint8_t { get, head, post, put, patch, delete_, options, trace, query };
std::string_view name(Method method) noexcept;

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
  std::string_view path;   ///< As sent, beginning with '/'; percent-encoding is valid.
  std::string_view query;  ///< What follows '?'.
  std::string_view host;
  std::string_view authorization;  ///< Empty when absent, as are the next two.
  std::string_view content_type;
  std::string_view if_none_match;
  /// The client's X-Request-Id, if there is one that is well-formed; else one that was made here.
  /// Once the session has named it, the view lasts until the answer is finished.
  std::string_view request_id;
  std::string_view fields;  ///< All field lines, each with its CRLF.
  std::string_view body;
};

/// A request that outlives the bytes from which it was read, without its `host` and `fields`.
class KeptRequest {
 public:
  explicit KeptRequest(const Request& request);
  KeptRequest(KeptRequest&&) = default;

  const Request& get() const { return request_; }

 private:
  std::vector<char> bytes_;  ///< Where the views point; they stay there when it is moved.
  Request request_;
};

/// Calls `visit(value)` for each field of that name (lower case), in order.
template <class Visit>
void for_each_field(std::string_view fields, std::string_view name, Visit visit) {
  while (!fields.empty()) {
    const auto line = fields.substr(0, fields.find('\r'));
    const auto colon = line.find(':');
    if (equals_ignoring_case(line.substr(0, colon), name)) visit(trimmed(line.substr(colon + 1)));
    fields.remove_prefix(line.size() + 2);
  }
}

/// Reads requests strictly: one reading of the bytes is possible, or they are refused. Beast's
/// parser reads the header; what it would let pass and docs/protocol.md ("Requests") does not is
/// refused here. Pure; it holds no bytes.
class RequestReader {
 public:
  enum class Step : std::uint8_t { need_header, need_body, ready, refused };

  explicit RequestReader(RequestLimits limits) : limits_(limits) {}

  /// `bytes`: all that was received since the start of this request; it only grows between calls.
  Step look(std::string_view bytes);

  /// After `ready`: the request and the bytes it takes.
  const Request& request() const { return request_; }
  std::size_t size() const { return header_size_ + content_length_; }

  /// After `ready`: gives it an id. The bytes outlive the request.
  void name_request(std::string_view id) { request_.request_id = id; }

  /// After `refused`.
  Code refusal() const { return refusal_; }

  /// The header is complete and valid; the body may be under way.
  bool has_header() const { return header_size_ > 0; }

  /// After `need_body`: the client waits for "100 Continue".
  bool wants_continue() const { return wants_continue_; }

  /// Forgets the request, to read the next.
  void next() { *this = RequestReader(limits_); }

 private:
  class HeaderParser;

  bool refuse(Code code) {
    refusal_ = code;
    return false;
  }
  bool find_header_end(std::string_view bytes);
  bool parse_header(std::string_view header);

  RequestLimits limits_;
  Request request_;
  Code refusal_ = Code::malformed_request;
  std::size_t scanned_ = 0;      ///< Where the first line that is not complete begins.
  std::size_t header_size_ = 0;  ///< 0 until the header is complete.
  std::size_t content_length_ = 0;
  bool wants_continue_ = false;
  bool may_have_moved_ = false;  ///< The views of `request_` may be stale.
};

}  // namespace sluice::http
