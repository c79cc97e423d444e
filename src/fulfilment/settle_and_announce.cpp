#include "sluice/fulfilment/settle_and_announce.hpp"

#include <map>
#include <utility>

#include "sluice/base/log.hpp"

namespace sluice {

boost::asio::awaitable<void> settle_and_announce(Inventory& inventory, ResultFeed& results,
                                                 Ticks deadline,
                                                 const std::vector<OrderMessage>& messages,
                                                 const std::vector<Outcome>& outcomes) {
  std::map<std::pair<LaneId, Epoch>, std::vector<Settlement>> lanes;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const auto& message = messages[i];
    lanes[{message.lane, message.epoch}].push_back(
        {message.id, message.user, message.quantity, settle_action(outcomes[i])});
  }
  for (const auto& [lane, settlements] : lanes) {
    const Call call{lane.first, lane.second, deadline};
    const auto settled = co_await inventory.settle(call, settlements);
    if (!settled) {
      log().warn("sale {} lane {}: {} orders left for recovery to settle: {}", lane.first.sale,
                 lane.first.index, settlements.size(), settled.error().message());
    }
  }
  co_await announce(results, deadline, outcomes);
}

boost::asio::awaitable<void> announce(ResultFeed& results, Ticks deadline,
                                      const std::vector<Outcome>& outcomes) {
  const auto announced = co_await results.announce(deadline, outcomes);
  if (!announced) {
    log().debug("{} outcomes were not announced: {}", outcomes.size(), announced.error().message());
  }
}

}  // namespace sluice
