#pragma once

#include <string>
#include <string_view>

#include "sluice/base/result.hpp"

namespace sluice::redis {

/// Where a Redis is and who asks it.
struct Endpoint {
  std::string host;
  std::string port = "6379";
  std::string user;  ///< Empty: the default user.
  std::string password;
  int db = 0;
};

/// What a URL says, or in `problem` why it says nothing.
struct ParsedUrl {
  Endpoint endpoint;
  std::string problem;  ///< Empty when the URL is valid; never holds a part of the credentials.
};

ParsedUrl parse_url(std::string_view url);

}  // namespace sluice::redis
