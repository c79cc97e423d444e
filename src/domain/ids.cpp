#include "sluice/domain/ids.hpp"

#include <algorithm>
#include <charconv>

#include "sluice/base/hash.hpp"

namespace sluice {
namespace {

constexpr bool is_user_character(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-';
}

}  // namespace

std::optional<UserId> UserId::parse(std::string_view text) {
  if (text.empty() || text.size() > 64 || !std::ranges::all_of(text, is_user_character)) {
    return std::nullopt;
  }
  UserId user;
  user.text_ = text;
  return user;
}

std::uint32_t lane_of(const UserId& user, std::uint32_t lanes) noexcept {
  // A fixed key, known to everybody: every node must find the same lane, also in later versions.
  static constexpr HashKey kLaneKey = {'s', 'l', 'u', 'i', 'c', 'e', '.', 'l', 'a', 'n', 'e'};
  if (lanes <= 1) return 0;
  return static_cast<std::uint32_t>(keyed_hash(kLaneKey, user.text()) % lanes);
}

std::optional<SaleId> parse_sale_id(std::string_view text) {
  SaleId id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  if (id < 1 || text.front() == '0' || text.front() == '-') return std::nullopt;
  return id;
}

}  // namespace sluice
