#pragma once

#include <string>
#include <string_view>

#include "adapters/redis/connection.hpp"

namespace sluice::redis {

/// One of the scripts of lua/, with what all of them share in front.
struct Script {
  /// lua/`name`.lua, whose calls have that name, too: a literal.
  explicit Script(std::string_view name, Step::Weight weight = Step::Weight::light);

  Step step;
  std::string source;
  std::string sha;  ///< As EVALSHA names it.
};

/// Runs a script: `words` are the number of keys, the keys and the arguments. Sends the source
/// itself when Redis does not know the script yet. Errors as `Connection::call`; an error that
/// Redis answers is logged: `unavailable` when it refuses to work for now, else `internal`.
Task<Reply> run(Connection& connection, Ticks deadline, const Script& script, const Command& words);

/// Sends a command, with the errors of `run`.
Task<Reply> execute(Connection& connection, Ticks deadline, const Command& command);

}  // namespace sluice::redis
