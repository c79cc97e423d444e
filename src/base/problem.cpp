#include "sluice/base/problem.hpp"

#include <cstddef>
#include <iterator>

namespace sluice {
namespace {

constexpr Problem kProblems[] = {
    {Code::malformed_request, "malformed_request", 400, false,
     "The request is not well-formed HTTP/1.1."},
    {Code::header_too_large, "header_too_large", 431, false,
     "The header of the request is too large."},
    {Code::body_too_large, "body_too_large", 413, false, "The body of the request is too large."},
    {Code::request_timeout, "request_timeout", 408, true, "The request did not arrive in time."},
    {Code::method_not_allowed, "method_not_allowed", 405, false,
     "This resource does not know that method."},
    {Code::unsupported_media_type, "unsupported_media_type", 415, false,
     "The body must be application/json."},
    {Code::not_found, "not_found", 404, false, "There is nothing at this address."},
    {Code::invalid_json, "invalid_json", 400, false, "The body is not one JSON object in UTF-8."},
    {Code::duplicate_member, "duplicate_member", 400, false,
     "A member of the body stands there twice."},
    {Code::unknown_member, "unknown_member", 400, false,
     "The body has a member that is not known here."},
    {Code::invalid_quantity, "invalid_quantity", 422, false,
     "The quantity must be a whole number of at least 1."},
    {Code::quantity_over_limit, "quantity_over_limit", 422, false,
     "The quantity is over the limit of this sale."},
    {Code::invalid_parameter, "invalid_parameter", 400, false,
     "A parameter of the address is not valid."},
    {Code::missing_token, "missing_token", 401, false, "Please sign in first."},
    {Code::invalid_token, "invalid_token", 401, false, "The token is not valid here."},
    {Code::expired_token, "expired_token", 401, false,
     "The token has expired; please sign in again."},
    {Code::unknown_sale, "unknown_sale", 404, false, "There is no such sale."},
    {Code::unknown_order, "unknown_order", 404, false, "You have no such order."},
    {Code::sale_not_started, "sale_not_started", 409, true, "The sale has not started yet."},
    {Code::sale_ended, "sale_ended", 409, false, "The sale is over."},
    {Code::sale_paused, "sale_paused", 503, true, "The sale is paused; please try again later."},
    {Code::sale_closed, "sale_closed", 409, false, "The sale is closed."},
    {Code::sold_out_for_now, "sold_out_for_now", 409, true,
     "Every unit is held at the moment; some may come back."},
    {Code::sold_out, "sold_out", 409, false, "The sale is sold out."},
    {Code::insufficient_stock, "insufficient_stock", 409, true,
     "Fewer units are left than you asked for."},
    {Code::order_undecided, "order_undecided", 409, true,
     "The order is not confirmed yet; please try again in a moment."},
    {Code::order_final, "order_final", 409, false, "What the order is now does not allow it."},
    {Code::too_many_connections, "too_many_connections", 503, true,
     "Too many connections; please try again later."},
    {Code::rate_limited, "rate_limited", 429, true, "Too many requests; please slow down."},
    {Code::busy, "busy", 503, true, "Seckill busy, try later."},
    {Code::not_ready, "not_ready", 503, true,
     "The sale is being prepared; please try again in a moment."},
    {Code::draining, "draining", 503, true, "This server is about to stop; please try again."},
    {Code::outcome_unknown, "outcome_unknown", 503, true,
     "Your purchase may have gone through; ask again, it will not be bought twice."},
    {Code::internal_error, "internal_error", 500, true, "Something went wrong on our side."},
    {Code::invalid_sale, "invalid_sale", 422, false, "The sale is not valid."},
    {Code::invalid_state, "invalid_state", 409, false,
     "What the sale or the server is now does not allow it."},
    {Code::conflict, "conflict", 409, true, "Somebody else changed it at the same time."},
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
