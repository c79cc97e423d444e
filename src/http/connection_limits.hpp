#pragma once

#include <boost/asio/ip/address.hpp>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "sluice/base/hash.hpp"
#include "sluice/http/server.hpp"

namespace sluice {

/// Nobody can choose texts that share a bucket.
struct KeyedHash {
  std::size_t operator()(const std::string& text) const { return keyed_hash(key, text); }
  HashKey key = random_hash_key();
};

/// The tables of networks have as many entries as there are connections at most.
class ConnectionLimits : public std::enable_shared_from_this<ConnectionLimits> {
 public:
  /// One place among the connections, given back when destroyed.
  using Place = std::shared_ptr<void>;

  struct Taken {
    Place place;        ///< Null when there is none.
    bool full = false;  ///< There is none for anybody; else none for this client.
  };

  explicit ConnectionLimits(const ConnectionSettings& settings) : settings_(settings) {}

  /// `client`: counted by its IPv4 address, or by its IPv6 /64 and /48.
  Taken take(const boost::asio::ip::address& client);

  /// For a peer whose address says nothing about its clients: only the total counts.
  Taken take_uncounted();

  /// Networks that have connections now.
  std::size_t networks() const;

 private:
  /// Counted, with the most that it may have.
  struct Network {
    std::string name;
    std::size_t connections_max;
  };
  using Networks = std::vector<Network>;

  Taken take_of(const Networks& networks);
  void give_back(const Networks& networks);

  const ConnectionSettings settings_;
  mutable std::mutex mutex_;
  std::size_t total_ = 0;
  std::unordered_map<std::string, std::size_t, KeyedHash> by_network_;
};

}  // namespace sluice
