#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "sluice/base/problem.hpp"
#include "sluice/base/time.hpp"

#include "http/request.hpp"

namespace sluice::http {

inline constexpr std::string_view kJson = "application/json";

/// What a route answers: a refusal, or a status with content.
struct Answer {
  std::optional<Refusal> refusal;
  unsigned status = 200;         ///< Without a refusal.
  std::string_view type;         ///< Content-Type; static bytes. Empty: no content.
  std::string headers;           ///< More header lines, each with its CRLF.
  std::string body;              ///< With a refusal: `detail`, a sentence; may be empty.
  std::string_view static_body;  ///< Instead of `body`, bytes that live as long as the program.
  std::shared_ptr<const std::string> shared_body;  ///< Instead of both, bytes of many answers.
};

Answer refused(Refusal refusal);
Answer refused(Code code, std::string detail = {});

/// An answer that no cache may keep.
Answer json_answer(unsigned status, std::string body);

/// 405; `allow`: the methods there are, as the Allow header lists them. Static bytes.
Answer method_not_allowed(std::string_view allow);

/// Writes answers as bytes. One per thread.
class AnswerWriter {
 public:
  /// `hsts_max_age`: see `HttpSettings`.
  explicit AnswerWriter(std::chrono::seconds hsts_max_age = std::chrono::seconds{0});

  /// Appends the whole answer. `head`: without the body, for HEAD. `request_id`: told to the client
  /// unless it is empty.
  void write(std::string& out, const Answer& answer, TimePoint now, Persistence persistence,
             bool head, std::string_view request_id = {});

 private:
  void write_refusal(std::string& out, const Answer& answer, Persistence persistence, bool head,
                     std::string_view request_id);
  void write_tail(std::string& out, const Answer& answer, Persistence persistence,
                  std::string_view request_id);

  std::string fixed_lines_;   ///< Of every answer, for ever.
  std::string common_lines_;  ///< Of every answer, made once a second.
  std::chrono::sys_seconds date_of_{std::chrono::seconds::min()};
};

}  // namespace sluice::http
