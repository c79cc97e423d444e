#include <algorithm>
#include <chrono>
#include <utility>

#include "sluice/inventory/winner_set.hpp"

#include "support/inventory_contract.hpp"
#include "support/run_on.hpp"
#include "support/store_values.hpp"

namespace sluice::test {

LaneDriver::LaneDriver(InventoryWorld& w, std::uint32_t index)
    : world(w), lane(w.make_lane(index)) {}

Call LaneDriver::call() const { return Call{lane, epoch, soon()}; }

Attempt LaneDriver::attempt(const std::string& user, std::uint32_t quantity) const {
  const auto id = UserId::parse(user).value();
  return Attempt{message_of(lane, id, quantity, epoch).id, id, quantity};
}

WholeImage LaneDriver::image(std::int64_t stock, Epoch of) const {
  WholeImage image;
  image.lane = lane;
  image.epoch = of;
  image.window = open_window();
  image.stock = stock;
  image.limit_per_order = 1000;
  return image;
}

void LaneDriver::open(std::int64_t stock) { rebuild(image(stock, epoch)).value(); }

Result<void> LaneDriver::rebuild(const WholeImage& image) {
  std::size_t place = 0;
  do {
    const auto count = std::min<std::size_t>(1000, image.winners.size() - place);
    const auto begin = image.winners.begin() + static_cast<std::ptrdiff_t>(place);
    const auto end = begin + static_cast<std::ptrdiff_t>(count);
    const auto staged = stage(image.epoch, place, {begin, end});
    if (!staged) return staged;
    place += count;
  } while (place < image.winners.size());
  const auto opened = open_staged(image, place);
  // As whoever rebuilds a lane does.
  if (!opened) unstage(image.epoch).value();
  return opened;
}

Result<void> LaneDriver::stage(Epoch of, std::size_t place, const std::vector<LiveOrder>& orders) {
  const Call under{lane, of, soon()};
  return run_on(world.context(), world.inventory().stage(under, place, orders));
}

Result<void> LaneDriver::unstage(Epoch of) {
  const Call under{lane, of, soon()};
  return run_on(world.context(), world.inventory().unstage(under));
}

Result<void> LaneDriver::open_staged(const LaneImage& image, std::size_t staged) {
  return run_on(world.context(), world.inventory().rebuild(call(), image, staged));
}

Result<ReserveReply> LaneDriver::try_reserve(const std::vector<Attempt>& attempts) {
  return run_on(world.context(), world.inventory().reserve(call(), attempts));
}

ReserveReply LaneDriver::reserve(const std::vector<Attempt>& attempts) {
  return try_reserve(attempts).value();
}

Reservation LaneDriver::reserve_one(const Attempt& attempt) {
  return reserve({attempt}).reservations.at(0);
}

Result<void> LaneDriver::try_settle(const std::vector<Settlement>& settlements) {
  return run_on(world.context(), world.inventory().settle(call(), settlements));
}

void LaneDriver::settle(const Attempt& attempt, SettleAction action) {
  try_settle({settlement_of(attempt, action)}).value();
}

Result<std::vector<std::optional<OrderView>>> LaneDriver::try_find(
    const std::vector<UserId>& users) {
  return run_on(world.context(), world.inventory().find(call(), users));
}

std::optional<OrderView> LaneDriver::find(const UserId& user) {
  return try_find({user}).value().at(0);
}

LaneView LaneDriver::view() {
  return run_on(world.context(), world.inventory().view(call())).value();
}

Result<WinnersPage> LaneDriver::try_winners(const std::string& cursor, std::size_t max) {
  return run_on(world.context(), world.inventory().winners(call(), cursor, max));
}

std::vector<std::uint64_t> LaneDriver::winners(std::size_t page) {
  std::vector<std::uint64_t> all;
  WinnersPage read;
  do {
    read = try_winners(read.next, page).value();
    all.insert(all.end(), read.hashes.begin(), read.hashes.end());
  } while (!read.last);
  return all;
}

std::vector<OrderMessage> LaneDriver::overdue(Millis age, std::size_t max) {
  return run_on(world.context(), world.inventory().overdue(call(), age, max)).value();
}

Result<void> LaneDriver::close() {
  return run_on(world.context(), world.inventory().close(call()));
}

Result<void> LaneDriver::set_window(const LaneWindow& window) {
  return run_on(world.context(), world.inventory().set_window(call(), window));
}

LaneWindow open_window() {
  const auto now = std::chrono::floor<Millis>(std::chrono::system_clock::now());
  return {SaleState::open, now - std::chrono::hours(1), now + std::chrono::hours(1)};
}

std::vector<std::uint64_t> hashes_of(const std::vector<std::string>& users) {
  std::vector<std::uint64_t> hashes;
  for (const auto& user : users) hashes.push_back(winner_hash(UserId::parse(user).value()));
  return hashes;
}

Settlement settlement_of(const Attempt& attempt, SettleAction action) {
  return {attempt.id, attempt.user, attempt.quantity, action};
}

}  // namespace sluice::test
