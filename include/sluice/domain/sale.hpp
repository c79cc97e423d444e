#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sluice/base/text.hpp"
#include "sluice/base/time.hpp"
#include "sluice/domain/ids.hpp"

namespace sluice {

/// draft → open ⇄ paused; open | paused → closed. A closed sale never opens again.
enum class SaleState : std::uint8_t { draft, open, paused, closed };

template <>
inline constexpr std::array<std::string_view, 4> kEnumNames<SaleState> = {"draft", "open", "paused",
                                                                          "closed"};

/// True when an operator may move a sale from one state to the other.
bool may_become(SaleState from, SaleState to) noexcept;

/// What an operator gives to create a sale.
struct SaleDraft {
  std::string title;                  ///< 1 to 200 bytes of UTF-8.
  std::string description;            ///< Up to 2,000 bytes of UTF-8.
  std::int64_t unit_price_minor = 0;  ///< 0 … 10^12, in minor units of `currency`.
  std::string currency = "EUR";       ///< Three upper-case letters, ISO 4217.
  std::int64_t stock = 0;             ///< 1 … 10^9 units.
  std::uint32_t limit_per_order = 1;  ///< 1 … 1,000 units in the one order of a user.
  std::uint32_t lanes = 1;            ///< 1 … kLanesMax, at most `stock`.
  TimePoint starts_at{};
  TimePoint ends_at{};  ///< After `starts_at`.
  /// An order expires unless it is paid within this time of its confirmation, and may be cancelled
  /// until then: 1 s … 7 days. 0: an order is final once it is confirmed.
  Millis pay_within{0};
};

/// Orders of the sale are held unpaid for a while, and their units may return.
constexpr bool must_be_paid(const SaleDraft& terms) noexcept {
  return terms.pay_within > Millis{0};
}

/// Empty when the draft is valid, else what is wrong, naming the member.
std::optional<std::string> check(const SaleDraft& draft);

struct Sale {
  SaleId id = 0;
  SaleDraft terms;
  SaleState state = SaleState::draft;
  std::uint32_t revision = 0;  ///< Grows by one with each change of state.
  /// Closed, with no order that may still move and no unit that has yet to return; for good.
  bool finished = false;
  std::uint64_t change = 0;  ///< Where its last change stands among those of all sales.
};

/// When the window of a sale lets a purchase through.
enum class WindowPhase : std::uint8_t { not_started, open, ended, paused, closed };

/// `draft` counts as not started.
WindowPhase phase(const Sale& sale, TimePoint now) noexcept;

/// The window as a lane enforces it.
struct LaneWindow {
  SaleState state = SaleState::draft;
  TimePoint starts_at{};
  TimePoint ends_at{};
  std::uint32_t revision = 0;  ///< The sale's: a lane never goes back to an older one.
  bool operator==(const LaneWindow&) const = default;
};

LaneWindow window_of(const Sale& sale) noexcept;

/// The part of `stock` that lane `index` of `lanes` starts with: as even as it goes, the first
/// lanes one more.
std::int64_t lane_stock(std::int64_t stock, std::uint32_t lanes, std::uint32_t index) noexcept;

}  // namespace sluice
