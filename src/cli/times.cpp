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

std::optional<TimePoint> parse_moment(std::string_view text, TimePoint now) {
  if (text == "now") return now;
  if (!text.starts_with('+')) return http::parse_rfc3339(text);
  const auto later = parse_duration(text.substr(1));
  return later ? std::optional(now + *later) : std::nullopt;
}

}  // namespace sluice
