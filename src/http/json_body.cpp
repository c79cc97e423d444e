#include "http/json_body.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <limits>
#include <nlohmann/json.hpp>

#include "sluice/base/log.hpp"
#include "sluice/base/text.hpp"

#include "http/text.hpp"

namespace sluice::http {
namespace {

constexpr std::size_t kDepthMax = 8;

/// Collects the members of the outermost object.
class Collector : public nlohmann::json_sax<nlohmann::json> {
 public:
  JsonMembers members;
  bool is_object = false;
  std::string duplicate;

  bool null() override { return put(OtherJson{}); }
  bool boolean(bool value) override { return put(value); }
  bool number_integer(number_integer_t value) override { return put(value); }
  bool number_unsigned(number_unsigned_t value) override {
    constexpr auto kMax = std::numeric_limits<std::int64_t>::max();
    return put(value > static_cast<number_unsigned_t>(kMax) ? kMax
                                                            : static_cast<std::int64_t>(value));
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
    if (depth_ == 0) is_object = true;
    return put(OtherJson{}) && ++depth_ <= kDepthMax;
  }
  bool key(string_t& name) override {
    if (depth_ != 1) return true;
    const auto same = [&name](const auto& member) { return member.first == name; };
    if (std::any_of(members.begin(), members.end(), same)) duplicate = name;
    members.emplace_back(std::move(name), OtherJson{});
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
    if (depth_ == 1 && !members.empty()) members.back().second = std::move(value);
    return true;
  }

  std::size_t depth_ = 0;
};

}  // namespace

std::variant<JsonMembers, Answer> parse_json_object(std::string_view body) {
  Collector collector;
  // The parser passes over a byte order mark, and takes a NUL for the end of the body.
  const bool is_odd = body.starts_with("\xef\xbb\xbf") || body.find('\0') != body.npos;
  // Without exceptions: the parser reports errors through the collector.
  if (is_odd || !nlohmann::json::sax_parse(body.begin(), body.end(), &collector) ||
      !collector.is_object) {
    return refused(Code::invalid_json);
  }
  if (!collector.duplicate.empty()) return refused(Code::duplicate_member);
  return std::move(collector.members);
}

Answer unknown_member(std::string_view name, const std::vector<std::string_view>& known) {
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

}  // namespace sluice::http
