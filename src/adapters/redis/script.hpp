#pragma once

#include <string>
#include <string_view>

#include "adapters/redis/connection.hpp"

namespace sluice::redis {

/// One of the scripts of lua/, with what all of them share in front.
class Script {
 public:
  explicit Script(std::string_view file);

  const std::string& source() const noexcept { return source_; }
  const std::string& sha() const noexcept { return sha_; }  ///< As EVALSHA names it.

 private:
  std::string source_;
  std::string sha_;
};

/// Runs a script: `words` are the number of keys, the keys and the arguments. Sends the source
/// itself when Redis does not know the script yet. Errors as `Connection::call`; an error that
/// Redis answers is logged: `unavailable` when it refuses to work for now, else `internal`.
Task<Reply> run(Connection& connection, Ticks deadline, const Script& script, Command words);

/// Sends a command, with the errors of `run`.
Task<Reply> execute(Connection& connection, Ticks deadline, const Command& command);

}  // namespace sluice::redis
