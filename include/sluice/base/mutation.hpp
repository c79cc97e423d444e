#pragma once

#include <string>
#include <string_view>

// Builds with failpoints are test builds: they have the mutants, too.
#if defined(SLUICE_FAILPOINTS) && !defined(SLUICE_MUTATIONS)
#define SLUICE_MUTATIONS
#endif

namespace sluice {

/// A deliberate mistake in the protocol, which a test build can switch on to see whether a test
/// notices. Chosen by `set_mutant` or, before the first question, by the environment variable
/// SLUICE_MUTANT. Programs for operators compile it to nothing.
#ifdef SLUICE_MUTATIONS

/// True when the mistake of that name was chosen.
bool mutant(std::string_view name);

/// Chooses one mistake, or none with "". Before other threads start.
void set_mutant(std::string name);

/// Whether somebody asked for the chosen mistake: a misspelt one never is.
bool mutant_reached();

#else

constexpr bool mutant(std::string_view) { return false; }

#endif

}  // namespace sluice
