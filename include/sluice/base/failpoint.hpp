#pragma once

#include <cstdint>
#include <string_view>

namespace sluice {

/// How a step between two systems must go wrong.
enum class Fault : std::uint8_t {
  none,
  error,      ///< It is not done, and says so.
  lost,       ///< It is done, and its answer is lost.
  duplicate,  ///< It is done twice.
};

/// A step between two systems at which a test build can be made to fail; its name is USE, USE.CALL
/// or USE.CALL.END. Release builds compile it to nothing. The environment variable SLUICE_FAILPOINT
/// holds `NAME=ACTION[@N[+]]`, several separated by commas: ACTION is `kill` (SIGKILL to itself) or
/// `stall` (five seconds, with its thread), which act at once, or the name of a `Fault`, which the
/// caller obeys. N counts from 1 and says at which passage it acts (default 1); `+`: and at all
/// later ones. Thread-safe.
#ifdef SLUICE_FAILPOINTS
Fault failpoint(std::string_view use, std::string_view call = {}, std::string_view end = {});
#else
constexpr Fault failpoint(std::string_view, std::string_view = {}, std::string_view = {}) {
  return Fault::none;
}
#endif

}  // namespace sluice
