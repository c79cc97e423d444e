#include <charconv>
#include <utility>

#include "cli/parts.hpp"
#include "http/time_text.hpp"

namespace sluice {
namespace {

constexpr std::int64_t kDurationMsMax = std::int64_t{3653} * 24 * 3600 * 1000;

constexpr std::pair<std::string_view, std::int64_t> kUnits[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};

}  // namespace

std::optional<Millis> parse_duration(std::string_view text) {
  std::int64_t count = 0;
  const auto end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, count);
  if (error != std::errc() || count < 0) return std::nullopt;
  const std::string_view unit(at, static_cast<std::size_t>(end - at));
  for (const auto& [name, millis] : kUnits) {
    if (unit != name) continue;
    return count <= kDurationMsMax / millis ? std::optional(Millis(count * millis)) : std::nullopt;
  }
  return std::nullopt;
}

Millis duration_of(const std::string& text, Millis min, Millis max, const std::string& usage) {
  const auto time = parse_duration(text);
  if (time && *time >= min && *time <= max) return *time;
  throw UsageError(usage);
}

UserId user_of(const std::string& text) {
  if (auto user = UserId::parse(text)) return *std::move(user);
  throw UsageError(terminal_text(text) + " is no user: 1 to 64 of A-Z a-z 0-9 . _ -");
}

std::string terminal_text(std::string_view text, std::size_t bytes_max) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    // U+0080 … U+009F are control characters, too, and two bytes in UTF-8.
    const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0xff;
    const bool control = byte < 0x20 || byte == 0x7f;
    const bool wide_control = byte == 0xc2 && next >= 0x80 && next < 0xa0;
    // A character that does not fit any more is left out whole.
    if ((byte & 0xc0) != 0x80 && out.size() + 4 > bytes_max) return out + "...";
    out += control || wide_control ? '?' : text[i];
    if (wide_control) ++i;
  }
  return out;
}

std::optional<TimePoint> parse_moment(std::string_view text, TimePoint now) {
  if (text == "now") return now;
  if (!text.starts_with('+')) return http::parse_rfc3339(text);
  const auto later = parse_duration(text.substr(1));
  return later ? std::optional(now + *later) : std::nullopt;
}

}  // namespace sluice
