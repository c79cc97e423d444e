#pragma once

#include <string>
#include <string_view>

namespace sluice {

/// What a server or file said, harmless for a terminal: one line of at most `bytes_max` bytes,
/// without control characters.
std::string terminal_text(std::string_view text, std::size_t bytes_max = 500);

}  // namespace sluice
