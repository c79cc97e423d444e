#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "sluice/base/snapshot.hpp"

namespace sluice {

/// One thing that a node needs before it may serve.
struct ReadyCheck {
  std::string name;        ///< inventory, queue, store, sales, …
  std::string problem;     ///< Empty: it answers. Else a sentence for an operator, with what to do.
  bool tolerated = false;  ///< The node sells without it, in a degraded mode.
};

/// What `/readyz` says. Replaced whole by the control thread.
struct ReadyState {
  bool draining = false;
  std::vector<ReadyCheck> checks;

  bool ready() const {
    const auto passes = [](const ReadyCheck& c) { return c.problem.empty() || c.tolerated; };
    return !draining && !checks.empty() && std::ranges::all_of(checks, passes);
  }
};

using Readiness = Snapshot<ReadyState>;

}  // namespace sluice
