#include "http/answer.hpp"

#include <array>
#include <boost/beast/http/status.hpp>
#include <charconv>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <span>
#include <utility>
#include <vector>

#include "http/time_text.hpp"

namespace sluice::http {
namespace {

std::string_view reason_phrase(unsigned status) {
  const auto reason =
      boost::beast::http::obsolete_reason(boost::beast::http::int_to_status(status));
  return {reason.data(), reason.size()};
}

/// What a refusal consists of, prebuilt; only retry hints, the date and details vary.
struct Prebuilt {
  std::string head;  ///< Status line and fixed fields.
  std::string body;  ///< The problem object without its closing brace.
};

std::vector<Prebuilt> prebuild() {
  std::vector<Prebuilt> all;
  for (const auto& p : problems()) {
    auto head = fmt::format(
        "HTTP/1.1 {} {}\r\nContent-Type: application/problem+json\r\nCache-Control: no-store\r\n",
        p.status, reason_phrase(p.status));
    if (p.status == 401) head += "WWW-Authenticate: Bearer realm=\"sluice\"\r\n";
    auto body =
        fmt::format(R"({{"type":"urn:sluice:problem:{}","title":{},"status":{},"code":"{}")",
                    p.name, nlohmann::json(p.title).dump(), p.status, p.name);
    all.push_back(Prebuilt{std::move(head), std::move(body)});
  }
  return all;
}

const Prebuilt& prebuilt(Code code) {
  static const auto all = prebuild();
  return all[static_cast<std::size_t>(code)];
}

void append_number(std::string& out, std::uint64_t number) {
  std::array<char, 20> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  out.append(digits.data(), end);
}

}  // namespace

Answer refused(Refusal refusal) {
  Answer answer;
  answer.refusal = refusal;
  return answer;
}

Answer refused(Code code, std::string detail) {
  auto answer = refused(Refusal{code});
  answer.body = std::move(detail);
  return answer;
}

Answer json_answer(unsigned status, std::string body) {
  Answer answer;
  answer.status = status;
  answer.type = kJson;
  answer.headers = "Cache-Control: no-store\r\n";
  answer.body = std::move(body);
  return answer;
}

Answer method_not_allowed(std::string_view allow) {
  auto answer = refused(Code::method_not_allowed);
  answer.headers = fmt::format("Allow: {}\r\n", allow);
  return answer;
}

AnswerWriter::AnswerWriter(std::chrono::seconds hsts_max_age)
    : fixed_lines_("X-Content-Type-Options: nosniff\r\n") {
  if (hsts_max_age.count() <= 0) return;
  fixed_lines_ += fmt::format("Strict-Transport-Security: max-age={}\r\n", hsts_max_age.count());
}

void AnswerWriter::write(std::string& out, const Answer& answer, TimePoint now,
                         Persistence persistence, bool head, std::string_view request_id) {
  const auto second = std::chrono::floor<std::chrono::seconds>(now);
  if (second != date_of_) {
    date_of_ = second;
    common_lines_ = fmt::format("Date: {}\r\n{}", http_date(second), fixed_lines_);
  }
  if (answer.refusal) return write_refusal(out, answer, persistence, head, request_id);

  std::string_view body = answer.static_body.empty() ? answer.body : answer.static_body;
  if (answer.shared_body) body = *answer.shared_body;
  out += "HTTP/1.1 ";
  append_number(out, answer.status);
  out += ' ';
  out += reason_phrase(answer.status);
  if (!answer.type.empty()) {
    out += "\r\nContent-Type: ";
    out += answer.type;
  }
  // A 304 has no body, and a length would have to be that of the 200.
  if (answer.status != 304) {
    out += "\r\nContent-Length: ";
    append_number(out, body.size());
  }
  out += "\r\n";
  write_tail(out, answer, persistence, request_id);
  if (!head) out += body;
}

void AnswerWriter::write_refusal(std::string& out, const Answer& answer, Persistence persistence,
                                 bool head, std::string_view request_id) {
  const auto& parts = prebuilt(answer.refusal->code);
  std::array<char, 48> hint_bytes;
  std::string_view hint;
  const auto retry_ms = answer.refusal->retry_after.count();
  if (retry_ms > 0) {
    const auto end =
        fmt::format_to_n(hint_bytes.data(), hint_bytes.size(), R"(,"retry_after_ms":{})", retry_ms);
    hint = {hint_bytes.data(), end.size};
  }
  std::string detail;
  if (!answer.body.empty()) {
    detail = R"(,"detail":)";
    // Details quote what clients sent, which need not be UTF-8.
    detail +=
        nlohmann::json(answer.body).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  }
  constexpr std::string_view kInstance = R"(,"instance":"urn:sluice:request:)";
  const auto instance_size = request_id.empty() ? 0 : kInstance.size() + request_id.size() + 1;

  out += parts.head;
  out += "Content-Length: ";
  append_number(out, parts.body.size() + hint.size() + detail.size() + instance_size + 1);
  out += "\r\n";
  if (retry_ms > 0) {
    out += "Retry-After: ";
    append_number(out, static_cast<std::uint64_t>((retry_ms + 999) / 1000));
    out += "\r\n";
  }
  write_tail(out, answer, persistence, request_id);
  if (head) return;
  out += parts.body;
  out += hint;
  out += detail;
  if (!request_id.empty()) {
    out += kInstance;
    out += request_id;
    out += '"';
  }
  out += '}';
}

void AnswerWriter::write_tail(std::string& out, const Answer& answer, Persistence persistence,
                              std::string_view request_id) {
  out += answer.headers;
  out += common_lines_;
  if (!request_id.empty()) {
    out += "X-Request-Id: ";
    out += request_id;
    out += "\r\n";
  }
  if (persistence == Persistence::close) out += "Connection: close\r\n";
  if (persistence == Persistence::keep_aloud) out += "Connection: keep-alive\r\n";
  out += "\r\n";
}

}  // namespace sluice::http
