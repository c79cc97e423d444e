#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "http/answer.hpp"

namespace sluice::http {

/// A member of no other kind: null, 1.5, 1e0, an array, an object …
struct OtherJson {};
using JsonValue = std::variant<OtherJson, bool, std::int64_t, std::string>;

/// The members of one JSON object, in order; every name occurs once.
using JsonMembers = std::vector<std::pair<std::string, JsonValue>>;

/// Reads a body that must be one JSON object in UTF-8 without a byte order mark. Integers that do
/// not fit are capped at the ends of int64. Bounded in depth. `invalid_json` or `duplicate_member`.
std::variant<JsonMembers, Answer> parse_json_object(std::string_view body);

/// A refusal of a member that is not among `known`; it names the nearest one when one is near.
Answer unknown_member(std::string_view name, const std::vector<std::string_view>& known);

/// "application/json", with no charset but utf-8.
bool is_json(std::string_view content_type);

/// What `parse` makes of a request's body; `unsupported_media_type` when it is not said to be JSON.
template <class T>
std::variant<T, Answer> read_json(const Request& request,
                                  std::variant<T, Answer> (*parse)(std::string_view)) {
  if (!is_json(request.content_type)) return refused(Code::unsupported_media_type);
  return parse(request.body);
}

}  // namespace sluice::http
