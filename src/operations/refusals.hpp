#pragma once

#include <string>
#include <utility>

#include "sluice/operations/operations.hpp"

namespace sluice {

/// What a store's error is to an operator. `if_unknown`: what to do when it may have been done.
inline OperatorRefusal refusal_of(
    const boost::system::error_code& error,
    std::string if_unknown = "the store did not answer in time; look at the sale") {
  if (error == Errc::not_found) return {Code::unknown_sale, "there is no sale of that number"};
  if (error == Errc::stale) {
    return {Code::invalid_state, "the sale cannot move to that state from the one it has"};
  }
  if (error == Errc::unknown) return {Code::outcome_unknown, std::move(if_unknown)};
  return {Code::busy, "the store does not answer: " + error.message()};
}

}  // namespace sluice
