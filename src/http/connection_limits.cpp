#include "http/connection_limits.hpp"

#include <algorithm>
#include <utility>

#include "http/client_address.hpp"

namespace sluice {

ConnectionLimits::Taken ConnectionLimits::take(const boost::asio::ip::address& client) {
  Networks networks{{http::limit_key(client), settings_.connections_per_ip_max}};
  if (auto site = http::site_key(client); !site.empty()) {
    networks.push_back({std::move(site), settings_.connections_per_site_max});
  }
  return take_of(networks);
}

ConnectionLimits::Taken ConnectionLimits::take_uncounted() { return take_of({}); }

ConnectionLimits::Taken ConnectionLimits::take_of(const Networks& networks) {
  std::lock_guard lock(mutex_);
  // A client that has too many is refused first: it must not push others out of a full node.
  const auto too_many = [this](const Network& network) {
    const auto count = by_network_.find(network.name);
    return count != by_network_.end() && count->second >= network.connections_max;
  };
  if (std::ranges::any_of(networks, too_many)) return {nullptr, false};
  if (total_ >= settings_.connections_max) return {nullptr, true};
  for (const auto& network : networks) ++by_network_[network.name];
  ++total_;
  const auto give_back = [self = shared_from_this(), networks](void*) {
    self->give_back(networks);
  };
  return {Place(static_cast<void*>(this), give_back), false};
}

void ConnectionLimits::give_back(const Networks& networks) {
  std::lock_guard lock(mutex_);
  --total_;
  for (const auto& network : networks) {
    const auto count = by_network_.find(network.name);
    if (--count->second == 0) by_network_.erase(count);
  }
}

std::size_t ConnectionLimits::networks() const {
  std::lock_guard lock(mutex_);
  return by_network_.size();
}

std::shared_ptr<ConnectionLimits> create_connection_limits(const ConnectionSettings& settings) {
  return std::make_shared<ConnectionLimits>(settings);
}

}  // namespace sluice
