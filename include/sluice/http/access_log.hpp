#pragma once

#include <cstddef>
#include <cstdint>
#include <spdlog/logger.h>

namespace sluice {

/// Which requests get a line in the access log: one JSON object each, on standard output.
enum class AccessLog : std::uint8_t {
  off,
  refusals,  ///< Those that are answered with a code.
  all,
};

/// Chooses for all listeners of the process; from any thread.
void set_access_log(AccessLog which) noexcept;
AccessLog access_log() noexcept;

/// Where the lines go. A thread of its own writes them; while it cannot, the oldest of those that
/// wait are dropped, so no request ever waits for it. Made when it is first asked for.
spdlog::logger& access_logger();

/// Lines dropped so far. Only while the log is on.
std::size_t access_lines_dropped();

}  // namespace sluice
