#include "http/connection_limits.hpp"

namespace sluice {

ConnectionLimits::Place ConnectionLimits::take(const std::string& key) {
  std::lock_guard lock(mutex_);
  if (total_ >= settings_.connections_max) return nullptr;
  if (!key.empty()) {
    const auto count = by_key_.try_emplace(key).first;
    if (count->second >= settings_.connections_per_ip_max) return nullptr;
    ++count->second;
  }
  ++total_;
  const auto give_back = [self = shared_from_this(), key](void*) { self->give_back(key); };
  return {static_cast<void*>(this), give_back};
}

void ConnectionLimits::give_back(const std::string& key) {
  std::lock_guard lock(mutex_);
  --total_;
  if (key.empty()) return;
  const auto count = by_key_.find(key);
  if (--count->second == 0) by_key_.erase(count);
}

std::shared_ptr<ConnectionLimits> create_connection_limits(const ConnectionSettings& settings) {
  return std::make_shared<ConnectionLimits>(settings);
}

}  // namespace sluice
