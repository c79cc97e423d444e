#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "sluice/inventory/inventory.hpp"

#include "support/fake_step.hpp"

namespace sluice::test {

/// A lane's stock as plain maps, with the promises of the port and one `FakeStep` for each
/// operation. One thread.
class FakeInventory final : public Inventory {
 public:
  explicit FakeInventory(const Clock& clock) : clock_(clock) {}

  struct Record {
    OrderView order;
    TimePoint reserved_at{};
    Epoch granted_under = 0;
  };

  struct Lane {
    bool ready = true;
    bool closed = false;  ///< Ended by `close`: no longer ready, but its epoch is still known.
    Epoch epoch = 1;
    std::uint64_t version = 1;
    std::int64_t stock = 0;
    LaneWindow window;
    std::map<UserId, Record> records;
    std::vector<std::uint64_t> winners;  ///< The hash of each grant, in order.
  };

  struct Settled {
    Call call;
    std::vector<Settlement> settlements;
  };

  /// A ready lane that is open at any time.
  Lane& open_lane(LaneId id, std::int64_t stock, Epoch epoch = 1);
  Lane& lane(LaneId id) { return lanes_[id]; }
  bool has(LaneId id) const { return lanes_.contains(id); }

  Task<ReserveReply> reserve(Call call, In<Attempt> attempts) override;
  Task<> settle(Call call, In<Settlement> settlements) override;
  Task<std::vector<std::optional<OrderView>>> find(Call call, In<UserId> users) override;
  Task<LaneView> view(Call call) override;
  Task<WinnersPage> winners(Call call, std::string cursor, std::size_t max) override;
  Task<std::vector<OrderMessage>> overdue(Call call, Millis age, std::size_t max) override;
  Task<> close(Call call) override;
  Task<> stage(Call call, std::size_t place, In<LiveOrder> orders) override;
  Task<> unstage(Call call) override;
  Task<> rebuild(Call call, const LaneImage& image, std::size_t staged) override;
  Task<> set_window(Call call, LaneWindow window) override;

  FakeStep on_reserve;
  FakeStep on_settle;
  FakeStep on_find;
  FakeStep on_view;
  FakeStep on_winners;
  FakeStep on_overdue;
  FakeStep on_close;
  FakeStep on_stage;
  FakeStep on_unstage;
  FakeStep on_rebuild;
  FakeStep on_set_window;

  struct Staged {
    Epoch epoch = 0;
    std::map<UserId, OrderView> orders;
  };
  std::map<LaneId, Staged> staged;  ///< What rebuilds have collected.

  std::size_t winners_max = 0;                 ///< The most winners that one call asked for.
  std::vector<std::vector<Attempt>> reserved;  ///< The attempts of every reserve call.
  std::vector<Settled> settled;                ///< Every settle call that did its work.
  std::vector<Millis> overdue_ages;            ///< The age of every overdue call.

 private:
  Lane* valid_lane(const Call& call);
  Reservation decide(Lane& lane, const Attempt& attempt, bool late) const;

  const Clock& clock_;
  std::map<LaneId, Lane> lanes_;
};

}  // namespace sluice::test
