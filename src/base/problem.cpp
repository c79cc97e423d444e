#include "sluice/base/problem.hpp"

#include <cstddef>
#include <iterator>

namespace sluice {
namespace {

using enum Code;

constexpr Problem kProblems[] = {
    {malformed_request, "malformed_request", 400, false,
     "The request is not well-formed HTTP/1.1."},
    {header_too_large, "header_too_large", 431, false, "The header of the request is too large."},
    {body_too_large, "body_too_large", 413, false, "The body of the request is too large."},
    {request_timeout, "request_timeout", 408, true, "The request did not arrive in time."},
    {method_not_allowed, "method_not_allowed", 405, false,
     "This resource does not know that method."},
    {unsupported_media_type, "unsupported_media_type", 415, false,
     "The body must be application/json."},
    {not_found, "not_found", 404, false, "There is nothing at this address."},
    {invalid_json, "invalid_json", 400, false, "The body is not one JSON object in UTF-8."},
    {duplicate_member, "duplicate_member", 400, false, "A member of the body stands there twice."},
    {unknown_member, "unknown_member", 400, false, "The body has a member that is not known here."},
    {invalid_quantity, "invalid_quantity", 422, false,
     "The quantity must be a whole number of at least 1."},
    {quantity_over_limit, "quantity_over_limit", 422, false,
     "The quantity is over the limit of this sale."},
    {invalid_parameter, "invalid_parameter", 400, false,
     "A parameter of the address is not valid."},
    {missing_token, "missing_token", 401, false, "Please sign in first."},
    {invalid_token, "invalid_token", 401, false, "The token is not valid here."},
    {expired_token, "expired_token", 401, false, "The token has expired; please sign in again."},
    {forbidden, "forbidden", 403, false, "This key is not good for that."},
    {unknown_sale, "unknown_sale", 404, false, "There is no such sale."},
    {unknown_order, "unknown_order", 404, false, "You have no such order."},
    {sale_not_started, "sale_not_started", 409, true, "The sale has not started yet."},
    {sale_ended, "sale_ended", 409, false, "The sale is over."},
    {sale_paused, "sale_paused", 503, true, "The sale is paused; please try again later."},
    {sale_closed, "sale_closed", 409, false, "The sale is closed."},
    {sold_out_for_now, "sold_out_for_now", 409, true,
     "Every unit is held at the moment; some may come back."},
    {sold_out, "sold_out", 409, false, "The sale is sold out."},
    {insufficient_stock, "insufficient_stock", 409, true,
     "Fewer units are left than you asked for."},
    {order_undecided, "order_undecided", 409, true,
     "The order is not confirmed yet; please try again in a moment."},
    {order_final, "order_final", 409, false, "What the order is now does not allow it."},
    {too_many_connections, "too_many_connections", 503, true,
     "Too many connections; please try again later."},
    {rate_limited, "rate_limited", 429, true, "Too many requests; please slow down."},
    {busy, "busy", 503, true, "Seckill busy, try later."},
    {not_ready, "not_ready", 503, true,
     "The sale is being prepared; please try again in a moment."},
    {draining, "draining", 503, true, "This server is about to stop; please try again."},
    {outcome_unknown, "outcome_unknown", 503, true,
     "Your purchase may have gone through; ask again, it will not be bought twice."},
    {internal_error, "internal_error", 500, true, "Something went wrong on our side."},
    {invalid_sale, "invalid_sale", 422, false, "The sale is not valid."},
    {invalid_state, "invalid_state", 409, false,
     "What the sale or the server is now does not allow it."},
    {conflict, "conflict", 409, true, "Somebody else changed it at the same time."},
};

constexpr bool in_order() {
  for (std::size_t i = 0; i < std::size(kProblems); ++i) {
    if (static_cast<std::size_t>(kProblems[i].code) != i) return false;
  }
  return true;
}
static_assert(in_order(), "one row for each code, in the order of the enumeration");

}  // namespace

const Problem& problem(Code code) noexcept { return kProblems[static_cast<std::size_t>(code)]; }

std::span<const Problem> problems() noexcept { return kProblems; }

}  // namespace sluice
