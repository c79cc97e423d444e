#pragma once

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "sluice/base/readiness.hpp"
#include "sluice/domain/order_id.hpp"
#include "sluice/domain/sale.hpp"

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
  using Later = boost::asio::awaitable<Answer>;

  Reply() = default;
  Reply(Answer a) : answer(std::move(a)) {}
  Reply(Later work) : later(std::move(work)) {}

  RouteClass route = RouteClass::none;
  Answer answer;
  Later later;  ///< Valid when the answer has to be waited for.
};

Reply counted_as(RouteClass route, Reply reply);

/// What the parameters of a pattern stand for in a path; empty also when it is no id.
struct Target {
  std::optional<SaleId> sale;
  std::shared_ptr<const Sale> known;  ///< That sale, once the routes know it.
  std::optional<OrderId> order;
};

/// One method of one resource; `Owner` handles it.
template <class Owner>
struct Route {
  Method method;             ///< GET also answers HEAD.
  std::string_view pattern;  ///< A path, in which {sale} and {order} stand for one segment each.
  RouteClass counted_as;
  Reply (Owner::*handle)(const Request&, const Target&);
  bool reads_query = false;  ///< Else any parameter is refused.
};

/// True when the path is of that pattern; then `target` has its parameters.
bool fits(std::string_view path, std::string_view pattern, Target& target);

/// True when a route for `method` answers what was asked.
constexpr bool answers(Method method, Method asked) {
  return asked == method || (asked == Method::head && method == Method::get);
}

/// Where a request leads. Routes of one resource stand together in a table; the first that fits
/// decides which resource it is.
template <class Owner>
class Match {
 public:
  Match(std::span<const Route<Owner>> table, const Request& request) : request_(request) {
    const auto same = [this, &request](const auto& route) {
      return fits(request.path, route.pattern, target_);
    };
    const auto first = std::find_if(table.begin(), table.end(), same);
    const auto other = [first](const auto& route) { return route.pattern != first->pattern; };
    resource_ = {first, std::find_if(first, table.end(), other)};
  }

  /// False: there is nothing at this address.
  explicit operator bool() const { return !resource_.empty(); }

  /// When there is something.
  RouteClass counted_as() const { return resource_.front().counted_as; }
  bool names_sale() const { return resource_.front().pattern.find("{sale}") != std::string::npos; }
  const Target& target() const { return target_; }
  Target& target() { return target_; }

  /// What the resource answers, or why not: the method or a parameter.
  Reply answer(Owner& owner) const {
    std::string allow;
    for (const auto& route : resource_) {
      if (answers(route.method, request_.method)) {
        const bool refuses = !request_.query.empty() && !route.reads_query;
        return http::counted_as(counted_as(), refuses ? refused(Code::invalid_parameter)
                                                      : (owner.*route.handle)(request_, target_));
      }
      if (!allow.empty()) allow += ", ";
      allow += route.method == Method::get ? "GET, HEAD" : name(route.method);
    }
    return http::counted_as(counted_as(), method_not_allowed(allow));
  }

 private:
  const Request& request_;
  std::span<const Route<Owner>> resource_;
  Target target_;
};

/// Who sent a request.
struct Sender {
  std::string_view ip;         ///< Whom limits count the request to.
  const bool* gone = nullptr;  ///< Becomes true when it hangs up; outlives the answer. Null: never.
};

/// The routes of one listener on one thread.
class Routes {
 public:
  virtual ~Routes() = default;

  /// Decides without waiting; the bytes of the request and of `sender.ip` are gone when `later`
  /// runs.
  virtual Reply route(const Request& request, const Sender& sender) = 0;
};

/// What follows "Bearer " in an Authorization field; empty when it is of another kind.
std::string_view bearer_token(std::string_view authorization);

/// `/healthz`: 200 while the process answers at all.
Answer health();

/// `/readyz`: 200 or 503 with the checks. `with_problems`: for operators, with what is wrong.
Answer readiness(const ReadyState& state, bool with_problems);

}  // namespace sluice::http
