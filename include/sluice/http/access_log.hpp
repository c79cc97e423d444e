#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>

#include "sluice/base/time.hpp"

namespace sluice {

/// Which requests get a line in the access log: one JSON object each, on standard output. A thread
/// of its own writes them; while it cannot, the oldest of those that wait are dropped, so no
/// request ever waits for it.
enum class AccessLog : std::uint8_t {
  off,
  refusals,  ///< Those that are answered with a code.
  all,
};

/// Chooses for all listeners of the process; from any thread. Throws, and changes nothing, when the
/// thread that writes cannot be started.
void set_access_log(AccessLog which);
AccessLog access_log() noexcept;

/// Lines dropped so far: too many waited, or they could not be written.
std::size_t access_lines_dropped();

/// Waits until all lines are written; false when they are not after `bound`.
bool flush_access_log(Millis bound);

/// For tests: gives the lines to `write`, on the log's thread, instead of writing them. Null: no
/// more.
void redirect_access_log(std::function<void(std::string_view line)> write);

}  // namespace sluice
