#pragma once

#include <string_view>

namespace sluice {

/// A named step between two systems at which a test build can be made to fail. Release builds
/// compile it to nothing. The environment variable SLUICE_FAILPOINT holds `NAME=ACTION[@N]`,
/// several separated by commas: ACTION is `kill` (SIGKILL to itself), `stall` (five seconds) or
/// `error`; N counts from 1 and says at which passage it acts (default 1). Returns true when the
/// step must report an error. Thread-safe.
#ifdef SLUICE_FAILPOINTS
bool failpoint(std::string_view name);
#else
constexpr bool failpoint(std::string_view) { return false; }
#endif

}  // namespace sluice
