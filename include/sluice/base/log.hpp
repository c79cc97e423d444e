#pragma once

#include <exception>
#include <spdlog/logger.h>
#include <string>
#include <string_view>

namespace sluice {

struct LogSettings {
  std::string level = "info";   ///< trace, debug, info, warn, error, critical, off.
  std::string format = "text";  ///< text or json: one object a line.
};

/// Configures the process's log (standard error). Call once, before threads start.
void configure_log(const LogSettings& settings);

/// Changes the level of the process's log. Thread-safe.
void set_log_level(const std::string& level);

/// The process's log. Thread-safe. Pass what a client sent through `printable`.
spdlog::logger& log();

/// `text` with control bytes, quotes and non-ASCII bytes escaped, cut at `length_max` bytes.
std::string printable(std::string_view text, std::size_t length_max = 128);

/// What the exception that was caught says of itself.
std::string what_of(const std::exception_ptr& failure);

}  // namespace sluice
