#include "support/fake_feed.hpp"

#include <utility>

namespace sluice::test {

Task<Delivery> FakeFeed::next(Ticks /*deadline*/, std::size_t /*max*/) {
  const auto fault = co_await on_next.enter();
  if (fault) co_return fault->error;
  joined = true;
  if (deliveries.empty()) co_return Delivery();
  last_ = std::move(deliveries.front());
  deliveries.pop_front();
  co_return *last_;
}

Task<> FakeFeed::leave(Ticks /*deadline*/) {
  const auto fault = co_await on_leave.enter();
  if (fault) co_return fault->error;
  joined = false;
  co_return boost::system::in_place_value;
}

Task<> FakeFeed::rewind(Ticks /*deadline*/, OffsetRange range) {
  const auto fault = co_await on_rewind.enter();
  if (fault) co_return fault->error;
  rewound.push_back(std::move(range));
  if (last_) deliveries.push_front(*std::exchange(last_, std::nullopt));
  co_return boost::system::in_place_value;
}

Task<> FakeFeed::dead_letter(Ticks /*deadline*/, const OffsetRange& range, In<Poison> poison) {
  const auto fault = co_await on_dead_letter.enter();
  if (fault) co_return fault->error;
  dead_letters.push_back({range, {poison.begin(), poison.end()}});
  co_return boost::system::in_place_value;
}

Task<> FakeResults::announce(Ticks /*deadline*/, In<Outcome> outcomes) {
  const auto fault = co_await on_announce.enter();
  if (fault) co_return fault->error;
  announced.insert(announced.end(), outcomes.begin(), outcomes.end());
  if (listener_) listener_({outcomes.begin(), outcomes.end()});
  co_return boost::system::in_place_value;
}

}  // namespace sluice::test
