#include "sluice/fulfilment/result_feed.hpp"

#include <algorithm>
#include <iterator>
#include <vector>

#include "sluice/base/log.hpp"

namespace sluice {

boost::asio::awaitable<void> announce(ResultFeed& results, Ticks deadline, In<Outcome> outcomes) {
  std::vector<Outcome> decided;
  const auto is_decided = [](const Outcome& one) { return one.status != OrderStatus::queued; };
  std::ranges::copy_if(outcomes, std::back_inserter(decided), is_decided);
  if (decided.empty()) co_return;
  const auto announced = co_await results.announce(deadline, decided);
  if (!announced) {
    log().debug("{} outcomes were not announced: {}", decided.size(), announced.error().message());
  }
}

}  // namespace sluice
