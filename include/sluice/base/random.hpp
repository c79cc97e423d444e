#pragma once

#include <cstdint>
#include <functional>

namespace sluice {

/// Source of random numbers of one thread, of 64 bits each; a simulator injects a seeded one.
using Random = std::function<std::uint64_t()>;

/// Seeded by the operating system. Not thread-safe: one per thread.
Random system_random();

}  // namespace sluice
