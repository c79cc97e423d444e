#include "sluice/domain/sale.hpp"

#include <algorithm>

namespace sluice {
namespace {

constexpr std::int64_t kPriceMax = 1'000'000'000'000;
constexpr std::int64_t kStockMax = 1'000'000'000;
constexpr std::uint32_t kLimitMax = 1000;
constexpr Millis kPayWithinMin{1000};
constexpr Millis kPayWithinMax{std::chrono::hours(24 * 7)};
// The year 9999: what RFC 3339 can write.
constexpr TimePoint kTimeMax{Millis(253'402'300'799'999)};

}  // namespace

bool may_become(SaleState from, SaleState to) noexcept {
  if (from == to) return true;
  if (to == SaleState::open) return from != SaleState::closed;
  if (to == SaleState::paused) return from == SaleState::open;
  return to == SaleState::closed && from != SaleState::draft;
}

std::optional<std::string> check(const SaleDraft& draft) {
  if (draft.title.empty() || draft.title.size() > 200) return "title must have 1 to 200 bytes";
  if (draft.description.size() > 2000) return "description must have at most 2000 bytes";
  if (draft.unit_price_minor < 0 || draft.unit_price_minor > kPriceMax) {
    return "unit_price_minor must be 0 to 1000000000000";
  }
  const auto upper = [](char c) { return c >= 'A' && c <= 'Z'; };
  if (draft.currency.size() != 3 || !std::ranges::all_of(draft.currency, upper)) {
    return "currency must be three upper-case letters (ISO 4217)";
  }
  if (draft.stock < 1 || draft.stock > kStockMax) return "stock must be 1 to 1000000000";
  if (draft.limit_per_order < 1 || draft.limit_per_order > kLimitMax) {
    return "limit_per_order must be 1 to 1000";
  }
  if (draft.lanes < 1 || draft.lanes > kLanesMax || draft.lanes > draft.stock) {
    return "lanes must be 1 to 256, and at most the stock";
  }
  if (draft.starts_at < TimePoint{} || draft.ends_at > kTimeMax) {
    return "starts_at and ends_at must lie between the years 1970 and 9999";
  }
  if (draft.ends_at <= draft.starts_at) return "ends_at must be after starts_at";
  if (draft.pay_within != Millis{0} &&
      (draft.pay_within < kPayWithinMin || draft.pay_within > kPayWithinMax)) {
    return "pay_within_ms must be 0, or 1000 to 604800000";
  }
  return std::nullopt;
}

WindowPhase phase(const Sale& sale, TimePoint now) noexcept {
  if (sale.state == SaleState::closed) return WindowPhase::closed;
  if (sale.state == SaleState::draft || now < sale.terms.starts_at) return WindowPhase::not_started;
  if (now >= sale.terms.ends_at) return WindowPhase::ended;
  return sale.state == SaleState::paused ? WindowPhase::paused : WindowPhase::open;
}

LaneWindow window_of(const Sale& sale) noexcept {
  return {sale.state, sale.terms.starts_at, sale.terms.ends_at, sale.revision};
}

std::int64_t lane_stock(std::int64_t stock, std::uint32_t lanes, std::uint32_t index) noexcept {
  return stock / lanes + (index < stock % lanes ? 1 : 0);
}

}  // namespace sluice
