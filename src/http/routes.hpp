#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "http/answer.hpp"
#include "http/request.hpp"

namespace sluice::http {

/// What requests are counted by.
enum class RouteClass : std::uint8_t {
  purchase,
  order,
  sales,
  probe,
  file,
  demo,
  metrics,
  admin,
  none,  ///< No route, or no well-formed request.
};
inline constexpr std::size_t kRouteClasses = 9;
std::string_view name(RouteClass route) noexcept;

/// What a route made of a request: the answer, or the work that will give it.
struct Reply {
  RouteClass route = RouteClass::none;
  Answer answer;
  boost::asio::awaitable<Answer> later;  ///< Valid when the answer has to be waited for.
};

inline Reply answer_now(RouteClass route, Answer answer) {
  Reply reply;
  reply.route = route;
  reply.answer = std::move(answer);
  return reply;
}

inline Reply answer_later(RouteClass route, boost::asio::awaitable<Answer> later) {
  Reply reply;
  reply.route = route;
  reply.later = std::move(later);
  return reply;
}

/// The routes of one listener on one thread.
class Routes {
 public:
  virtual ~Routes() = default;

  /// `ip`: whom limits count this request to. Decides without waiting; the request's bytes are gone
  /// when `later` runs.
  virtual Reply route(const Request& request, std::string_view ip) = 0;
};

/// What follows "Bearer " in an Authorization field; empty when it is of another kind.
std::string_view bearer_token(std::string_view authorization);

}  // namespace sluice::http
