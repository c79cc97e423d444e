#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "sluice/base/time.hpp"
#include "sluice/domain/sale.hpp"

#include "http/json_body.hpp"

namespace sluice::http {

/// What clients see of a sale, as a JSON object; `now` decides its phase.
std::string public_sale(const Sale& sale, TimePoint now);

/// {"sales": […], "next_cursor": …}, in the order given; the cursor when there is `more`.
std::string public_sales(const std::vector<const Sale*>& sales, bool more, TimePoint now);

/// Every member of a sale, for operators.
std::string operator_sale(const Sale& sale);

/// The same for at most `limit` of them, with a cursor when there are more.
std::string operator_sales(const std::vector<Sale>& sales, std::size_t limit);

/// What a sale is created with, in the members of `POST /admin/sales`.
nlohmann::ordered_json terms_json(const SaleDraft& terms);

/// Reads the body of `POST /admin/sales`. Times are RFC 3339 or Unix milliseconds.
Parsed<SaleDraft> read_sale_draft(const Request& request);

}  // namespace sluice::http
