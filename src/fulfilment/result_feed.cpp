#include "sluice/fulfilment/result_feed.hpp"

#include "sluice/base/log.hpp"

namespace sluice {

boost::asio::awaitable<void> announce(ResultFeed& results, Ticks deadline, In<Outcome> outcomes) {
  const auto announced = co_await results.announce(deadline, outcomes);
  if (!announced) {
    log().debug("{} outcomes were not announced: {}", outcomes.size(), announced.error().message());
  }
}

}  // namespace sluice
