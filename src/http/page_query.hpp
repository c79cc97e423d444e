#pragma once

#include <cstddef>
#include <string>

#include "sluice/catalog/sale_store.hpp"

#include "http/json_body.hpp"

namespace sluice::http {

inline constexpr std::size_t kPageDefault = 50;
inline constexpr std::size_t kPageMax = 200;

/// Which page of a list of sales is asked for.
struct PageQuery {
  SaleId before = kSalesBegin;  ///< Sales with lower ids, the highest first.
  std::size_t limit = kPageDefault;
};

/// Reads the parameters `limit`, 1 to `kPageMax`, and `cursor`, each once at most, in any order;
/// `invalid_parameter` says what is wrong.
Parsed<PageQuery> read_page_query(std::string_view query);

/// The cursor of the page behind that sale. It holds whatever sales come and go.
std::string cursor_behind(SaleId sale);

}  // namespace sluice::http
