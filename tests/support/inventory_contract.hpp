#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sluice/inventory/inventory.hpp"

#include "support/store_values.hpp"

namespace sluice::test {

/// One inventory, as the contract suite sees it.
class InventoryWorld {
 public:
  virtual ~InventoryWorld() = default;

  virtual boost::asio::io_context& context() = 0;
  virtual Inventory& inventory() = 0;

  /// A lane of that index in a sale that nobody used before.
  virtual LaneId make_lane(std::uint32_t index) = 0;

  /// Loses all that the inventory knows of the lane.
  virtual void lose(LaneId lane) = 0;
};

struct InventoryContract {
  std::string name;  ///< Letters and digits.
  std::function<std::unique_ptr<InventoryWorld>()> make;
};

/// Puts an adapter under the suite; called at static initialisation by one source of its tests.
bool register_inventory_contract(InventoryContract contract);

/// The part of the suite about whole lanes, which `register_inventory_contract` includes.
bool register_inventory_lane_contract(InventoryContract contract);

/// One lane of a world, with short forms of every call. Calls that must succeed throw
/// boost::system::system_error when they do not; the others return their result.
class LaneDriver {
 public:
  explicit LaneDriver(InventoryWorld& world, std::uint32_t index = 0);

  Call call() const;
  Attempt attempt(const std::string& user, std::uint32_t quantity = 1) const;
  WholeImage image(std::int64_t stock, Epoch epoch = 1) const;

  void open(std::int64_t stock);
  /// Stages the image in pages and opens it; what cannot be opened is unstaged.
  Result<void> rebuild(const WholeImage& image);
  Result<void> stage(Epoch epoch, std::size_t place, const std::vector<LiveOrder>& orders);
  Result<void> unstage(Epoch epoch);
  Result<void> open_staged(const LaneImage& image, std::size_t staged);
  Result<ReserveReply> try_reserve(const std::vector<Attempt>& attempts);
  ReserveReply reserve(const std::vector<Attempt>& attempts);
  Reservation reserve_one(const Attempt& attempt);
  Result<void> try_settle(const std::vector<Settlement>& settlements);
  void settle(const Attempt& attempt, SettleAction action);
  Result<std::vector<std::optional<OrderView>>> try_find(const std::vector<UserId>& users);
  std::optional<OrderView> find(const UserId& user);
  LaneView view();
  Result<WinnersPage> try_winners(const std::string& cursor = "",
                                  std::size_t max = kWinnersPageMax);
  /// The whole list, in its order.
  std::vector<std::uint64_t> winners(std::size_t page = kWinnersPageMax);
  std::vector<OrderMessage> overdue(Millis age = Millis{0}, std::size_t max = 10'000);
  Result<void> close();
  Result<void> set_window(const LaneWindow& window);

  InventoryWorld& world;
  LaneId lane;
  Epoch epoch = 1;
};

/// Makes `steps` random calls on a fresh lane and expects each answer to be that of a plain model.
/// Nothing in them depends on the time.
void compare_with_model(InventoryWorld& world, std::uint64_t seed, int steps);

/// Open, from an hour ago to an hour from now.
LaneWindow open_window();

/// As they stand in a list of winners.
std::vector<std::uint64_t> hashes_of(const std::vector<std::string>& users);

Settlement settlement_of(const Attempt& attempt, SettleAction action);

}  // namespace sluice::test
