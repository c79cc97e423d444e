#pragma once

#include <memory>

#include "sluice/base/time.hpp"
#include "sluice/fulfilment/result_feed.hpp"
#include "sluice/dependency/breaker.hpp"

namespace sluice {

/// News behind a breaker: waiters can do without them, so a feed that fails or crawls is left alone
/// and `announce` answers `Errc::unavailable` at once. What is referred to outlives it; it belongs
/// to one executor.
std::unique_ptr<ResultFeed> create_guarded_results(ResultFeed& inner, Breaker& breaker,
                                                   Clock& clock);

}  // namespace sluice
