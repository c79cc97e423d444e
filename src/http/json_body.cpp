#include "http/json_body.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "sluice/base/log.hpp"
#include "sluice/base/text.hpp"

#include "http/text.hpp"

namespace sluice::http {
namespace {

using Names = std::initializer_list<std::string_view>;

constexpr std::size_t kDepthMax = 8;

/// Collects the members of the outermost object.
class Collector final : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit Collector(Names known) : known_(known) {}

  JsonMembers members;
  bool is_object = false;
  bool has_duplicate = false;
  std::optional<std::string> unknown;  ///< The first member that is not known.

  bool null() override { return put(OtherJson{}); }
  bool boolean(bool value) override { return put(value); }
  bool number_integer(number_integer_t value) override { return put(value); }
  bool number_unsigned(number_unsigned_t value) override {
    constexpr number_unsigned_t kMax = std::numeric_limits<std::int64_t>::max();
    return put(static_cast<std::int64_t>(std::min(value, kMax)));
  }
  bool number_float(number_float_t, const string_t& text) override {
    // An integer beyond 64 bits also comes here.
    if (text.find_first_of(".eE") != string_t::npos) return put(OtherJson{});
    return put(text[0] == '-' ? std::numeric_limits<std::int64_t>::min()
                              : std::numeric_limits<std::int64_t>::max());
  }
  bool string(string_t& value) override { return put(std::move(value)); }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override {
    is_object = is_object || depth_ == 0;
    return start_array(0);
  }
  bool key(string_t& name) override {
    if (depth_ != 1) return true;
    const auto [member, is_new] = members.emplace(std::move(name), OtherJson{});
    if (std::find(known_.begin(), known_.end(), member->first) == known_.end() && !unknown) {
      unknown = member->first;
    }
    has_duplicate = has_duplicate || !is_new;
    value_ = &member->second;
    return true;
  }
  bool end_object() override { return --depth_, true; }
  bool start_array(std::size_t) override { return put(OtherJson{}) && ++depth_ <= kDepthMax; }
  bool end_array() override { return --depth_, true; }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override {
    return false;
  }

 private:
  bool put(JsonValue value) {
    if (depth_ == 1 && value_ != nullptr) *value_ = std::move(value);
    return true;
  }

  Names known_;
  JsonValue* value_ = nullptr;  ///< Of the member whose name came last.
  std::size_t depth_ = 0;
};

Answer unknown_member(std::string_view name, Names known) {
  constexpr std::size_t kNameMax = 64;
  auto detail = fmt::format("\"{}\" is not a member", printable(name, kNameMax));
  if (name.size() <= kNameMax) {
    const auto nearer = [name](std::string_view a, std::string_view b) {
      return edit_distance(name, a) < edit_distance(name, b);
    };
    const auto nearest = std::min_element(known.begin(), known.end(), nearer);
    if (nearest != known.end() && edit_distance(name, *nearest) <= 3) {
      detail += fmt::format("; did you mean \"{}\"?", *nearest);
    }
  }
  return refused(Code::unknown_member, std::move(detail));
}

/// "application/json", with no charset but utf-8.
bool is_json(std::string_view content_type) {
  if (!equals_ignoring_case(take_element(content_type, ';'), kJson)) return false;
  while (!content_type.empty()) {
    const auto parameter = take_element(content_type, ';');
    const auto equals = std::min(parameter.find('='), parameter.size());
    const auto value = parameter.substr(equals);
    if (equals_ignoring_case(parameter.substr(0, equals), "charset") &&
        !equals_ignoring_case(value, "=utf-8") && !equals_ignoring_case(value, "=\"utf-8\"")) {
      return false;
    }
  }
  return true;
}

}  // namespace

Parsed<JsonMembers> read_members(const Request& request, Names known) {
  if (!is_json(request.content_type)) return refused(Code::unsupported_media_type);
  const auto body = request.body;
  Collector collector(known);
  // The parser passes over a byte order mark, and takes a NUL for the end of the body.
  const bool is_odd = body.starts_with("\xef\xbb\xbf") || body.find('\0') != body.npos;
  // Without exceptions: the parser reports errors through the collector.
  if (is_odd || !nlohmann::json::sax_parse(body.begin(), body.end(), &collector) ||
      !collector.is_object) {
    return refused(Code::invalid_json);
  }
  if (collector.has_duplicate) return refused(Code::duplicate_member);
  if (collector.unknown) return unknown_member(*collector.unknown, known);
  return std::move(collector.members);
}

Parsed<UserId> read_user(const Request& request) {
  const auto members = read_members(request, {"user"});
  if (!members) return members.error();
  const auto* text = get_member<std::string>(*members, "user");
  auto user = text != nullptr ? UserId::parse(*text) : std::nullopt;
  if (user) return std::move(*user);
  return refused(Code::invalid_parameter, "user must be 1 to 64 characters of [A-Za-z0-9._-]");
}

}  // namespace sluice::http
