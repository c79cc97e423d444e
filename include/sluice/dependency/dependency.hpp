#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "sluice/base/failpoint.hpp"
#include "sluice/base/metrics.hpp"
#include "sluice/base/result.hpp"
#include "sluice/base/time.hpp"
#include "sluice/dependency/breaker.hpp"

namespace sluice {

/// A call that can be made of an outside service. Steps are constants of their adapter.
struct Step {
  enum class Weight : std::uint8_t {
    light,  ///< Judged by its latency, too.
    bulk,   ///< Moves much data: however long it takes, it is not slow.
  };
  std::string_view name;  ///< In metrics and failpoints: reserve, find, apply, …
  Weight weight = Weight::light;
};

/// What one use of an outside service may cost.
struct DependencySettings {
  std::string service;              ///< The label in metrics: redis, kafka, postgres, sqlite.
  std::string use;                  ///< Who calls what, in failpoints and the log: http.inventory.
  std::size_t calls_max = 100'000;  ///< The bulkhead: calls under way at once; 1 or more.
};

/// The only way out of the process: every call to an outside service is made through one of these,
/// once. It refuses what cannot be answered in time any more, what the breaker does not permit and
/// what exceeds the bulkhead, with nothing done; measures the rest
/// (`sluice_dependency_seconds{service,call}`); tells the breaker how it went; logs when a use
/// begins to fail and when it works again; and is where a test build lets a call go wrong (see
/// `failpoint`: `USE.CALL` before it, `USE.CALL.done` after it).
///
/// Failures are `unavailable`, `unknown`, `overloaded` and `internal`: every other error is an
/// answer of a working service. It belongs to one executor and outlives its calls; the breaker may
/// be shared by all threads.
class Dependency {
 public:
  /// `breaker` may be null: then every call is permitted.
  Dependency(DependencySettings settings, Breaker* breaker, Clock& clock, Metrics& metrics);

  template <class T>
  using Operation = std::function<Task<T>()>;

  /// Makes the call. `Errc::unavailable` or `Errc::overloaded` at once when it may not be made.
  /// `operation` answers by `deadline` by itself, and may be run twice in a test build. Bind it to
  /// a variable on the line above the call: g++ 12 miscompiles temporaries in `co_await`.
  template <class T = void>
  Task<T> call(Step step, Ticks deadline, Operation<T> operation) {
    const auto began = clock_.ticks();
    const auto refused = refuse(began, deadline);
    if (refused) co_return *refused;
    const auto under_way = calls_;
    const auto fault = failpoint(settings_.use, step.name);
    if (fault == Fault::error) co_return finish(step, began, Errc::unavailable);
    Result<T> answer = Errc::internal;
    try {
      answer = co_await operation();
    } catch (...) {
      // A failure, too, which passes on.
      finish(step, began, Errc::internal);
      throw;
    }
    if (fault == Fault::duplicate) answer = co_await operation();
    failpoint(settings_.use, step.name, "done");
    if (fault == Fault::lost) co_return finish(step, began, Errc::unknown);
    finish(step, began, answer ? boost::system::error_code() : answer.error());
    co_return answer;
  }

 private:
  /// Why the call may not be made; empty when it may.
  std::optional<Errc> refuse(Ticks now, Ticks deadline);
  boost::system::error_code finish(Step step, Ticks began, boost::system::error_code error);
  Histogram& seconds(Step step);

  const DependencySettings settings_;
  Breaker* const breaker_;
  Clock& clock_;
  Metrics& metrics_;
  std::map<std::string_view, Histogram*> seconds_;
  /// Each call under way holds a copy. One whose executor was stopped is destroyed with that, maybe
  /// after the dependency.
  const std::shared_ptr<void> calls_ = std::make_shared<bool>();
  bool failing_ = false;
};

}  // namespace sluice
