#pragma once

#include <boost/system/result.hpp>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <variant>

#include "sluice/domain/ids.hpp"

#include "http/answer.hpp"
#include "http/request.hpp"

namespace sluice::http {

/// A value of no other kind: null, 1.5, 1e0, an array, an object …
struct OtherJson {};
using JsonValue = std::variant<OtherJson, bool, std::int64_t, std::string>;
using JsonMembers = std::map<std::string, JsonValue, std::less<>>;

/// What was read, or the answer that refuses it.
template <class T>
using Parsed = boost::system::result<T, Answer>;

/// Reads a body that must be one JSON object in UTF-8 without a byte order mark, with no members
/// but `known`, each once at most. Integers that do not fit are capped at the ends of int64.
/// Bounded in depth. `unsupported_media_type` when it is not said to be JSON, `invalid_json`,
/// `duplicate_member`, or `unknown_member`, which names the nearest known one when one is near.
Parsed<JsonMembers> read_members(const Request& request,
                                 std::initializer_list<std::string_view> known);

/// The value of a member; null when it is missing or of another kind.
template <class T>
const T* get_member(const JsonMembers& members, std::string_view name) {
  const auto found = members.find(name);
  return found == members.end() ? nullptr : std::get_if<T>(&found->second);
}

/// Reads a body whose one member is `user`.
Parsed<UserId> read_user(const Request& request);

}  // namespace sluice::http
