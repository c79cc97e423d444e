#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "sluice/base/hash.hpp"
#include "sluice/base/time.hpp"
#include "sluice/domain/ids.hpp"

namespace sluice {

/// A UUIDv8 (RFC 9562) that certifies itself. Its 122 free bits, in order: milliseconds since 1970
/// (48), epoch (16 in two parts), lane (8), random (18), MAC over all of these, the sale and the
/// user (32). An id never changes its epoch or lane.
class OrderId {
 public:
  using Bytes = std::array<std::uint8_t, 16>;

  OrderId() = default;
  explicit OrderId(const Bytes& bytes) : bytes_(bytes) {}

  /// The canonical lower-case form with hyphens, 36 characters; nothing else is accepted.
  static std::optional<OrderId> parse(std::string_view text);

  std::string text() const;
  const Bytes& bytes() const noexcept { return bytes_; }

  TimePoint created_at() const noexcept;
  Epoch epoch() const noexcept;
  std::uint32_t lane() const noexcept;

  auto operator<=>(const OrderId&) const = default;

 private:
  Bytes bytes_{};
};

/// Makes and recognises order ids under one secret, which all nodes share. Immutable, thread-safe.
class OrderIdSeal {
 public:
  /// `secret`: any length; an id made under another secret is not recognised.
  explicit OrderIdSeal(std::string_view secret);

  /// `random`: its low 18 bits are used.
  OrderId issue(LaneId lane, Epoch epoch, const UserId& user, TimePoint now,
                std::uint64_t random) const;

  /// True when `issue` made this id for that sale and user.
  bool authentic(const OrderId& id, SaleId sale, const UserId& user) const;

 private:
  std::uint32_t mac(const OrderId::Bytes& bytes, SaleId sale, const UserId& user) const;

  HashKey key_;
};

}  // namespace sluice

template <>
struct std::hash<sluice::OrderId> {
  std::size_t operator()(const sluice::OrderId& id) const noexcept {
    std::uint64_t tail = 0;
    for (std::size_t i = 8; i < 16; ++i) tail = tail << 8 | id.bytes()[i];
    return static_cast<std::size_t>(tail);
  }
};
