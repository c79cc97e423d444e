#include "sluice/domain/ids.hpp"

#include "sluice/base/hash.hpp"
#include "sluice/base/text.hpp"

namespace sluice {
std::optional<UserId> UserId::parse(std::string_view text) {
  if (text.size() > 64 || !is_plain_name(text)) return std::nullopt;
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
  const auto id = parse_number<SaleId>(text);
  return id && *id >= 1 && text.front() != '0' ? id : std::nullopt;
}

}  // namespace sluice
