#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <string>

namespace sluice::test {

/// A listener whose kernel accepts connections, and which never says a word.
class StalledServer {
 public:
  StalledServer() : acceptor_(context_, {boost::asio::ip::address_v4::loopback(), 0}) {}

  std::string url() const {
    return "postgresql://nobody@127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port()) +
           "/nothing";
  }

 private:
  boost::asio::io_context context_;
  boost::asio::ip::tcp::acceptor acceptor_;
};

}  // namespace sluice::test
