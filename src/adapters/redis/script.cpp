#include "adapters/redis/script.hpp"

#include <algorithm>
#include <array>
#include <boost/uuid/detail/sha1.hpp>
#include <fmt/format.h>
#include <stdexcept>

#include "sluice/base/log.hpp"

#include "sluice_lua.hpp"

namespace sluice::redis {
namespace {

/// Redis computes SHA-1 of a script's source; it is a name here, not a protection.
std::string sha1_hex(std::string_view bytes) {
  boost::uuids::detail::sha1 hash;
  hash.process_bytes(bytes.data(), bytes.size());
  boost::uuids::detail::sha1::digest_type digest;
  hash.get_digest(digest);
  return fmt::format("{:08x}", fmt::join(digest, ""));
}

/// Errors by which Redis refuses before it has done anything, and which pass.
bool refuses_for_now(std::string_view error) {
  static constexpr std::array<std::string_view, 12> kRefusals = {
      "LOADING",     "READONLY", "MASTERDOWN", "OOM",    "BUSY",   "MISCONF",
      "CLUSTERDOWN", "TRYAGAIN", "NOREPLICAS", "NOAUTH", "NOPERM", "MOVED"};
  const auto name = error.substr(0, std::min(error.find(' '), error.size()));
  return std::ranges::find(kRefusals, name) != kRefusals.end();
}

Result<Reply> checked(Result<Reply> reply) {
  if (!reply || !is_error(**reply)) return reply;
  const auto error = text(**reply);
  const bool refusal = refuses_for_now(error);
  log().log(refusal ? spdlog::level::warn : spdlog::level::critical, "redis answered: {}",
            printable(error, 256));
  return refusal ? Errc::unavailable : Errc::internal;
}

}  // namespace

Script::Script(std::string_view name, Step::Weight weight)
    : step{name, weight}, source(sluice_lua::file("lane.lua")) {
  const auto own = sluice_lua::file(std::string(name) + ".lua");
  if (own.empty()) throw std::logic_error("no such script: " + std::string(name));
  source += own;
  sha = sha1_hex(source);
}

Task<Reply> execute(Connection& connection, Ticks deadline, const Command& command) {
  auto reply = co_await connection.call(deadline, command);
  co_return checked(std::move(reply));
}

Task<Reply> run(Connection& connection, Ticks deadline, const Script& script,
                const Command& words) {
  Command by_name;
  by_name.add("EVALSHA").add(script.sha).append(words);
  auto reply = co_await connection.call(deadline, by_name);
  if (reply && text(**reply).starts_with("NOSCRIPT")) {
    Command by_source;
    by_source.add("EVAL").add(script.source).append(words);
    reply = co_await connection.call(deadline, by_source);
  }
  co_return checked(std::move(reply));
}

}  // namespace sluice::redis
