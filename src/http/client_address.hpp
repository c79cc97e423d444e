#pragma once

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/network_v6.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::http {

/// Blocks of addresses. IPv4 addresses mapped into IPv6 count as IPv4.
class AddressBlocks {
 public:
  AddressBlocks() = default;

  /// Addresses or CIDR blocks; throws std::invalid_argument for anything else.
  explicit AddressBlocks(const std::vector<std::string>& texts);

  bool contains(const boost::asio::ip::address& address) const;

 private:
  std::vector<boost::asio::ip::network_v6> blocks_;  ///< IPv4 in its mapped form.
};

/// What limits count by: an IPv4 address, or the /64 of an IPv6 address, since one client has as
/// many addresses of it as it likes.
std::string limit_key(const boost::asio::ip::address& address);

/// The /48 of an IPv6 address, the most that one site is usually given; empty for IPv4.
std::string site_key(const boost::asio::ip::address& address);

/// The client behind a trusted proxy: the rightmost address of X-Forwarded-For that is not a
/// trusted proxy itself. `peer` when there is none, or when it is no address.
boost::asio::ip::address forwarded_client(std::string_view fields,
                                          const boost::asio::ip::address& peer,
                                          const AddressBlocks& trusted);

}  // namespace sluice::http
