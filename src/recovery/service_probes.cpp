#include "sluice/recovery/service_probes.hpp"

#include <algorithm>
#include <utility>

namespace sluice {
namespace {

namespace asio = boost::asio;

constexpr std::string_view kNames[] = {"store", "inventory", "queue"};

}  // namespace

ServiceProbes::ServiceProbes(std::vector<ServiceProbe> probes, Millis timeout, Clock& clock)
    : probes_(std::move(probes)), timeout_(timeout), clock_(clock) {}

asio::awaitable<std::vector<ReadyCheck>> ServiceProbes::ask_all() {
  std::vector<ReadyCheck> checks;
  for (const auto& probe : probes_) {
    ReadyCheck check{std::string(kNames[static_cast<std::size_t>(probe.role)]), "", false};
    const auto answer = co_await ask(probe);
    if (!answer) check.problem = answer.error().message() + "; " + probe.advice;
    checks.push_back(std::move(check));
  }
  co_return checks;
}

asio::awaitable<void> ServiceProbes::ask_again(Role role) {
  for (const auto& probe : probes_) {
    if (probe.role == role && up(role)) co_await ask(probe);
  }
}

bool ServiceProbes::has(Role role) const {
  return std::ranges::find(probes_, role, &ServiceProbe::role) != probes_.end();
}

Task<> ServiceProbes::ask(const ServiceProbe& probe) {
  const auto answer = co_await probe.ping(clock_.ticks() + timeout_);
  if (answer) {
    down_.erase(probe.role);
  } else {
    down_.insert(probe.role);
  }
  co_return answer;
}

}  // namespace sluice
