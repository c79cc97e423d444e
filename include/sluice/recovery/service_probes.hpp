#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "sluice/base/readiness.hpp"
#include "sluice/base/result.hpp"
#include "sluice/base/time.hpp"

namespace sluice {

/// A service that a node needs, and how to ask whether it answers.
struct ServiceProbe {
  enum class Role : std::uint8_t { store, inventory, queue };
  Role role = Role::store;
  std::function<Task<>(Ticks deadline)> ping;
  std::string advice;  ///< How an operator starts it; part of the sentence in `/readyz`.
};

/// Asks the services of a node whether they answer, and remembers what they said. Belongs to the
/// control thread.
class ServiceProbes {
 public:
  using Role = ServiceProbe::Role;

  /// `timeout`: for one answer.
  ServiceProbes(std::vector<ServiceProbe> probes, Millis timeout, Clock& clock);

  /// Asks all of them; one check for each.
  boost::asio::awaitable<std::vector<ReadyCheck>> ask_all();

  /// Asks one of them again, if it answered last time.
  boost::asio::awaitable<void> ask_again(Role role);

  /// It answered last time, or the node has none.
  bool up(Role role) const { return !down_.contains(role); }
  bool has(Role role) const;
  /// How many did not answer last time.
  std::size_t down() const { return down_.size(); }

 private:
  Task<> ask(const ServiceProbe& probe);

  std::vector<ServiceProbe> probes_;
  Millis timeout_;
  Clock& clock_;
  std::unordered_set<Role> down_;
};

}  // namespace sluice
