#pragma once

#include <string_view>

#include "app/backend.hpp"

namespace sluice {

/// In a test build, puts a failpoint before and after each call of a thread's ports to a service:
/// THREAD.PORT.OPERATION, and the same with `.done` once the service has done it. In every other
/// build it does nothing.
#ifdef SLUICE_FAILPOINTS
void add_failpoints(HttpPorts& ports);
void add_failpoints(ControlPorts& ports);
void add_failpoints(FulfilmentPorts& ports);
#else
inline void add_failpoints(HttpPorts&) {}
inline void add_failpoints(ControlPorts&) {}
inline void add_failpoints(FulfilmentPorts&) {}
#endif

}  // namespace sluice
