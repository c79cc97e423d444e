#pragma once

#include <string>
#include <string_view>

namespace sluice::redis {

/// Where a Redis is and who asks it.
struct Endpoint {
  std::string host;
  std::string port = "6379";
  std::string user;  ///< Empty: the default user.
  std::string password;
  int db = 0;
  bool tls = false;
};

/// Throws std::invalid_argument, which never holds a part of the credentials, when the URL is bad.
Endpoint parse_url(std::string_view url);

}  // namespace sluice::redis
