#include "sluice/fulfilment/settle_and_announce.hpp"

#include <map>
#include <utility>

#include "sluice/base/log.hpp"

namespace sluice {

Task<> settle(Inventory& inventory, Ticks deadline, const std::vector<OrderMessage>& messages,
              const std::vector<Outcome>& outcomes) {
  std::map<std::pair<LaneId, Epoch>, std::vector<Settlement>> lanes;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const auto& message = messages[i];
    lanes[{message.lane, message.epoch}].push_back(
        {message.id, message.user, message.quantity, settle_action(outcomes[i])});
  }
  boost::system::error_code problem;
  for (const auto& [lane, settlements] : lanes) {
    const Call call{lane.first, lane.second, deadline};
    const auto settled = co_await inventory.settle(call, settlements);
    if (!settled) problem = settled.error();
  }
  if (problem) co_return problem;
  co_return boost::system::in_place_value;
}

boost::asio::awaitable<void> settle_and_announce(Inventory& inventory, ResultFeed& results,
                                                 Ticks deadline,
                                                 const std::vector<OrderMessage>& messages,
                                                 const std::vector<Outcome>& outcomes) {
  const auto settled = co_await settle(inventory, deadline, messages, outcomes);
  if (!settled) {
    log().warn("of {} orders some are left for recovery to settle: {}", messages.size(),
               settled.error().message());
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
