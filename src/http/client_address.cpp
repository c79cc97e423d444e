#include "http/client_address.hpp"

#include <algorithm>
#include <boost/asio/ip/network_v4.hpp>
#include <stdexcept>

#include "http/request.hpp"

namespace sluice::http {
namespace {

namespace ip = boost::asio::ip;

ip::address_v6 as_v6(const ip::address& address) {
  return address.is_v6() ? address.to_v6() : ip::make_address_v6(ip::v4_mapped, address.to_v4());
}

bool is_v4(const ip::address& address) { return address.is_v4() || address.to_v6().is_v4_mapped(); }

/// Of one that is IPv4, perhaps in its mapped form.
ip::address_v4 as_v4(const ip::address& address) {
  return address.is_v4() ? address.to_v4() : ip::make_address_v4(ip::v4_mapped, address.to_v6());
}

std::string network_text(const ip::address& address, unsigned short prefix) {
  auto v6 = address.to_v6();
  v6.scope_id(0);
  return ip::make_network_v6(v6, prefix).canonical().to_string();
}

ip::network_v6 parse_block(const std::string& text) {
  const bool is_address = text.find('/') == std::string::npos;
  boost::system::error_code ec;
  const auto v4 = ip::make_network_v4(is_address ? text + "/32" : text, ec);
  if (!ec) {
    const auto prefix = static_cast<unsigned short>(96 + v4.prefix_length());
    return ip::make_network_v6(as_v6(v4.address()), prefix).canonical();
  }
  const auto v6 = ip::make_network_v6(is_address ? text + "/128" : text, ec);
  if (ec) throw std::invalid_argument("not an address or CIDR block: " + text);
  return v6.canonical();
}

/// The address in one element of X-Forwarded-For; some proxies add a port or brackets.
ip::address parse_forwarded(std::string_view text, boost::system::error_code& ec) {
  if (text.starts_with('[')) {
    text = text.substr(1, std::min(text.find(']'), text.size()) - 1);
  } else if (std::count(text.begin(), text.end(), ':') == 1) {
    text = text.substr(0, text.find(':'));
  }
  return ip::make_address(text, ec);
}

}  // namespace

AddressBlocks::AddressBlocks(const std::vector<std::string>& texts) {
  for (const auto& text : texts) blocks_.push_back(parse_block(text));
}

bool AddressBlocks::contains(const ip::address& address) const {
  const auto v6 = as_v6(address);
  return std::any_of(blocks_.begin(), blocks_.end(), [&v6](const ip::network_v6& block) {
    return ip::make_network_v6(v6, block.prefix_length()).canonical() == block;
  });
}

std::string limit_key(const ip::address& address) {
  if (is_v4(address)) return as_v4(address).to_string();
  return network_text(address, 64);
}

std::string site_key(const ip::address& address) {
  return is_v4(address) ? std::string() : network_text(address, 48);
}

ip::address forwarded_client(std::string_view fields, const ip::address& peer,
                             const AddressBlocks& trusted) {
  std::vector<std::string_view> hops;
  for_each_field(fields, "x-forwarded-for", [&hops](std::string_view value) {
    while (!value.empty()) hops.push_back(take_element(value));
  });
  auto client = peer;
  for (auto hop = hops.rbegin(); hop != hops.rend(); ++hop) {
    boost::system::error_code ec;
    const auto address = parse_forwarded(*hop, ec);
    if (ec) break;
    client = address;
    if (!trusted.contains(client)) break;
  }
  return client;
}

}  // namespace sluice::http
