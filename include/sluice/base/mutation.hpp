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

/// A script or SQL text of `folder` as the program runs it: with the chosen mistake when
/// tests/mutations/scripts.txt has it for that folder, else `text` itself. What it answers lives
/// at least as long as `text`. From any thread.
std::string_view mutated(std::string_view folder, std::string_view text);

#else

constexpr bool mutant(std::string_view) { return false; }
constexpr std::string_view mutated(std::string_view, std::string_view text) { return text; }

#endif

}  // namespace sluice
