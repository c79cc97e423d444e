#include "http/connection_limits.hpp"

namespace sluice {

ConnectionLimits::Place ConnectionLimits::take(std::string key) {
  Place place;
  if (total_.fetch_add(1) >= settings_.connections_max) {
    total_.fetch_sub(1);
    return place;
  }
  if (!key.empty() && !take_of_address(key)) {
    total_.fetch_sub(1);
    return place;
  }
  place.owner_ = shared_from_this();
  place.key_ = std::move(key);
  return place;
}

bool ConnectionLimits::take_of_address(const std::string& key) {
  auto& in = shard(key);
  std::lock_guard lock(in.mutex);
  auto& count = in.counts[key];
  if (count < settings_.connections_per_ip_max) {
    ++count;
    return true;
  }
  // Only a bound of zero gets here with a fresh entry.
  if (count == 0) in.counts.erase(key);
  return false;
}

void ConnectionLimits::give_back(const std::string& key) {
  if (!key.empty()) {
    auto& in = shard(key);
    std::lock_guard lock(in.mutex);
    const auto entry = in.counts.find(key);
    if (--entry->second == 0) in.counts.erase(entry);
  }
  total_.fetch_sub(1);
}

std::shared_ptr<ConnectionLimits> create_connection_limits(const ConnectionSettings& settings) {
  return std::make_shared<ConnectionLimits>(settings);
}

}  // namespace sluice
