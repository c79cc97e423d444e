#pragma once

#include <boost/asio/ip/address.hpp>
#include <string>
#include <string_view>

#include "sluice/base/time.hpp"
#include "sluice/http/access_log.hpp"

#include "http/answer.hpp"
#include "http/request.hpp"

namespace sluice::http {

/// What the access log says of a request besides its answer.
struct Access {
  std::string_view method;  ///< Static bytes. Empty when nothing well-formed came, as is the path.
  std::string path;         ///< Its beginning, without the query.
  boost::asio::ip::address client;
  Ticks began{};
};

/// Takes from the request what the log says of it.
void describe(Access& access, const Request& request);

/// Writes the line, if lines for such answers are asked for. One that cannot be is counted.
void log_access(const Access& access, std::string_view request_id, const Answer& answer,
                const Clock& clock) noexcept;

}  // namespace sluice::http
