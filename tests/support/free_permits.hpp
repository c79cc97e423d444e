#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "sluice/gate/concurrency_limit.hpp"

namespace sluice::test {

/// How many permits nobody holds; takes them for a moment.
inline std::size_t free_permits(ConcurrencyLimit& limit) {
  std::vector<ConcurrencyLimit::Permit> taken;
  while (auto permit = limit.take()) taken.push_back(std::move(permit));
  return taken.size();
}

}  // namespace sluice::test
