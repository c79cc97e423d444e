#include "http/time_text.hpp"

#include <algorithm>
#include <fmt/chrono.h>

#include "sluice/base/text.hpp"

namespace sluice::http {
namespace {

constexpr std::string_view kDigits = "0123456789";

/// True when the text has a digit wherever the shape has 0, and else the same, in either case.
bool has_shape(std::string_view text, std::string_view shape) {
  return std::equal(text.begin(), text.end(), shape.begin(), shape.end(), [](char c, char wanted) {
    return wanted == '0' ? kDigits.find(c) != kDigits.npos : (c == 't' ? 'T' : c) == wanted;
  });
}

/// The number that digits say.
int number(std::string_view digits) { return parse_number<int>(digits).value_or(0); }

/// Takes "." and at least one digit from the front, or nothing. Empty when there is no digit.
std::optional<Millis> take_fraction(std::string_view& text) {
  if (!text.starts_with('.')) return Millis{0};
  const auto end = std::min(text.find_first_not_of(kDigits, 1), text.size());
  if (end == 1) return std::nullopt;
  const auto thousandths = fmt::format("{:0<3.3}", text.substr(1, end - 1));
  text.remove_prefix(end);
  return Millis{number(thousandths)};
}

/// "Z" or ±hh:mm.
std::optional<std::chrono::minutes> parse_offset(std::string_view text) {
  if (text == "Z" || text == "z") return std::chrono::minutes{0};
  if (!has_shape(text, "+00:00") && !has_shape(text, "-00:00")) return std::nullopt;
  const auto hours = number(text.substr(1, 2));
  const auto minutes = number(text.substr(4));
  if (hours > 23 || minutes > 59) return std::nullopt;
  return std::chrono::minutes{(text[0] == '-' ? -1 : 1) * (hours * 60 + minutes)};
}

}  // namespace

std::string rfc3339(TimePoint time) {
  const auto second = std::chrono::floor<std::chrono::seconds>(time);
  return fmt::format("{:%FT%T}.{:03}Z", fmt::gmtime(second.time_since_epoch().count()),
                     (time - second).count());
}

std::optional<TimePoint> parse_rfc3339(std::string_view text) {
  constexpr std::string_view kShape = "0000-00-00T00:00:00";
  if (!has_shape(text.substr(0, kShape.size()), kShape)) return std::nullopt;
  const auto two = [text](std::size_t at) { return number(text.substr(at, 2)); };
  const std::chrono::year_month_day date{std::chrono::year(number(text.substr(0, 4))),
                                         std::chrono::month(static_cast<unsigned>(two(5))),
                                         std::chrono::day(static_cast<unsigned>(two(8)))};
  const auto hour = two(11);
  const auto minute = two(14);
  const auto second = two(17);
  if (!date.ok() || date.year() < std::chrono::year(1970)) return std::nullopt;
  if (hour > 23 || minute > 59 || second > 59) return std::nullopt;
  text.remove_prefix(kShape.size());
  const auto fraction = take_fraction(text);
  const auto offset = fraction ? parse_offset(text) : std::nullopt;
  if (!offset) return std::nullopt;
  return std::chrono::sys_days(date) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
         std::chrono::seconds(second) + *fraction - *offset;
}

std::string http_date(std::chrono::sys_seconds time) {
  return fmt::format("{:%a, %d %b %Y %H:%M:%S} GMT", fmt::gmtime(time));
}

}  // namespace sluice::http
