#pragma once

#include <deque>
#include <vector>

#include "sluice/fulfilment/order_feed.hpp"
#include "sluice/fulfilment/result_feed.hpp"

#include "support/fake_step.hpp"

namespace sluice::test {

/// A log as a list of stretches; `rewind` brings back the last one. One thread.
class FakeFeed final : public OrderFeed {
 public:
  struct DeadLetters {
    OffsetRange range;
    std::vector<Poison> poison;
  };

  Task<Delivery> next(Ticks deadline, std::size_t max) override;
  Task<> leave(Ticks deadline) override;
  Task<> rewind(Ticks deadline, OffsetRange range) override;
  Task<> dead_letter(Ticks deadline, const OffsetRange& range, In<Poison> poison) override;

  FakeStep on_next;
  FakeStep on_leave;
  FakeStep on_rewind;
  FakeStep on_dead_letter;

  std::deque<Delivery> deliveries;  ///< What comes next; nothing when empty.
  bool joined = false;
  std::vector<OffsetRange> rewound;
  std::vector<DeadLetters> dead_letters;

 private:
  std::optional<Delivery> last_;
};

/// Results that are announced, in order. One thread.
class FakeResults final : public ResultFeed {
 public:
  Task<> announce(Ticks deadline, In<Outcome> outcomes) override;
  void listen(Listener listener) override { listener_ = std::move(listener); }

  FakeStep on_announce;
  std::vector<Outcome> announced;

 private:
  Listener listener_;
};

}  // namespace sluice::test
