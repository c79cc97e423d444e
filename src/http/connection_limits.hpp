#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "sluice/http/server.hpp"

namespace sluice {

/// The table of addresses has as many entries as there are connections at most.
class ConnectionLimits : public std::enable_shared_from_this<ConnectionLimits> {
 public:
  /// One place among the connections, given back when destroyed.
  using Place = std::shared_ptr<void>;

  explicit ConnectionLimits(const ConnectionSettings& settings) : settings_(settings) {}

  /// `key`: see `http::limit_key`; empty: only the total counts. Null when there is no place.
  Place take(const std::string& key);

 private:
  void give_back(const std::string& key);

  ConnectionSettings settings_;
  std::mutex mutex_;
  std::size_t total_ = 0;
  std::unordered_map<std::string, std::size_t> by_key_;
};

}  // namespace sluice
