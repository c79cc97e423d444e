#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace sluice {

/// A sale's number, 1 … 2^63 - 1.
using SaleId = std::int64_t;

/// How often a lane's projection was rebuilt. Grows by one with each rebuild, 1 … 65535.
using Epoch = std::uint32_t;
inline constexpr Epoch kEpochMax = 0xffff;

inline constexpr std::uint32_t kLanesMax = 256;

/// The unit of sharding of one sale's stock: one Redis slot, Kafka partition and stock row.
struct LaneId {
  SaleId sale = 0;
  std::uint32_t index = 0;  ///< 0 … kLanesMax - 1.
  auto operator<=>(const LaneId&) const = default;
};

/// Who buys: 1 to 64 characters of [A-Za-z0-9._-].
class UserId {
 public:
  UserId() = default;

  static std::optional<UserId> parse(std::string_view text);

  const std::string& text() const noexcept { return text_; }
  auto operator<=>(const UserId&) const = default;

 private:
  std::string text_;
};

/// The lane of a user in a sale of `lanes` lanes: the same on every node, for ever.
std::uint32_t lane_of(const UserId& user, std::uint32_t lanes) noexcept;

/// Decimal digits alone, 1 … 2^63 - 1; nothing else (no sign, no space, no leading zero).
std::optional<SaleId> parse_sale_id(std::string_view text);

}  // namespace sluice

template <>
struct std::hash<sluice::LaneId> {
  std::size_t operator()(const sluice::LaneId& lane) const noexcept {
    return std::hash<std::uint64_t>{}(static_cast<std::uint64_t>(lane.sale) * 257 + lane.index);
  }
};

template <>
struct std::hash<sluice::UserId> {
  std::size_t operator()(const sluice::UserId& user) const noexcept {
    return std::hash<std::string>{}(user.text());
  }
};
