#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>

#include "sluice/http/server.hpp"

namespace sluice {

/// The table of addresses has as many entries as there are connections at most.
class ConnectionLimits : public std::enable_shared_from_this<ConnectionLimits> {
 public:
  /// One place among the connections, given back when destroyed.
  class Place {
   public:
    Place() = default;
    Place(Place&& other) noexcept : owner_(std::move(other.owner_)), key_(std::move(other.key_)) {}
    Place& operator=(Place&& other) noexcept {
      std::swap(owner_, other.owner_);
      std::swap(key_, other.key_);
      return *this;
    }
    ~Place() {
      if (owner_) owner_->give_back(key_);
    }
    explicit operator bool() const noexcept { return owner_ != nullptr; }

   private:
    friend class ConnectionLimits;
    std::shared_ptr<ConnectionLimits> owner_;
    std::string key_;
  };

  explicit ConnectionLimits(const ConnectionSettings& settings) : settings_(settings) {}

  /// `key`: see `http::limit_key`; empty: only the total counts. Empty when there is no place.
  Place take(std::string key);

 private:
  struct Shard {
    std::mutex mutex;
    std::unordered_map<std::string, std::size_t> counts;
  };

  Shard& shard(const std::string& key) {
    return shards_[std::hash<std::string>{}(key) % shards_.size()];
  }
  bool take_of_address(const std::string& key);
  void give_back(const std::string& key);

  ConnectionSettings settings_;
  std::atomic<std::size_t> total_{0};
  std::array<Shard, 64> shards_;
};

}  // namespace sluice
