#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "sluice/base/time.hpp"
#include "sluice/domain/sale.hpp"

#include "http/json_body.hpp"

namespace sluice::http {

/// What clients see of a sale, as a JSON object; `now` is the server's time.
std::string public_sale(const Sale& sale, TimePoint now);

/// {"sales": […], "server_time": …}, by id, newest first.
std::string public_sales(std::vector<const Sale*> sales, TimePoint now);

/// Every member of a sale, for operators.
std::string operator_sale(const Sale& sale);
std::string operator_sales(const std::vector<Sale>& sales);

/// What a sale is created with, in the members of `POST /admin/sales`.
nlohmann::ordered_json terms_json(const SaleDraft& terms);

/// Reads the body of `POST /admin/sales`. Times are RFC 3339 or Unix milliseconds.
Parsed<SaleDraft> read_sale_draft(const Request& request);

}  // namespace sluice::http
