#include "http/page_query.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <optional>

#include "sluice/base/text.hpp"

#include "http/text.hpp"

namespace sluice::http {
namespace {

// What cursors begin with: another order of the list would take another.
constexpr char kOrder = 'n';
constexpr std::size_t kDigits = 16;

std::optional<SaleId> parse_cursor(std::string_view text) {
  if (text.size() != kDigits + 1 || text.front() != kOrder) return std::nullopt;
  SaleId sale = 0;
  const auto end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data() + 1, end, sale, 16);
  const bool read = error == std::errc() && stop == end && sale >= 0;
  // One text for each place: no sign, no capitals.
  if (!read || cursor_behind(sale) != text) return std::nullopt;
  return sale;
}

}  // namespace

Parsed<PageQuery> read_page_query(std::string_view query) {
  std::optional<SaleId> before;
  std::optional<std::size_t> limit;
  while (!query.empty()) {
    const auto parameter = take_element(query, '&');
    const auto name = parameter.substr(0, parameter.find('='));
    const auto value = parameter.substr(std::min(name.size() + 1, parameter.size()));
    if (name == "cursor" && !before) {
      before = parse_cursor(value);
      if (!before) return refused(Code::invalid_parameter, "cursor is none that a page gave");
    } else if (name == "limit" && !limit) {
      limit = parse_number<std::size_t>(value);
      if (!limit || *limit < 1 || *limit > kPageMax) {
        return refused(Code::invalid_parameter, fmt::format("limit is 1 to {}", kPageMax));
      }
    } else {
      return refused(Code::invalid_parameter, "the parameters are limit and cursor, once each");
    }
  }
  return PageQuery{before.value_or(kSalesBegin), limit.value_or(kPageDefault)};
}

std::string cursor_behind(SaleId sale) { return fmt::format("{}{:016x}", kOrder, sale); }

}  // namespace sluice::http
