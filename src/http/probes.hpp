#pragma once

#include "sluice/base/readiness.hpp"

#include "http/answer.hpp"

namespace sluice::http {

/// `/healthz`: 200 while the process answers at all.
Answer health();

/// `/readyz`: 200 or 503 with the checks. `with_problems`: for operators, with what is wrong.
Answer readiness(const ReadyState& state, bool with_problems);

}  // namespace sluice::http
