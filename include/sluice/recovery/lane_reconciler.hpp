#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "sluice/base/metrics.hpp"
#include "sluice/base/result.hpp"
#include "sluice/base/time.hpp"
#include "sluice/fulfilment/result_feed.hpp"
#include "sluice/inventory/inventory.hpp"
#include "sluice/orders/order_queue.hpp"
#include "sluice/orders/order_store.hpp"
#include "sluice/recovery/lane_copy.hpp"
#include "sluice/recovery/settings.hpp"

namespace sluice {

/// How far a lane's rebuild is, as its row and the inventory say: every node sees the same.
enum class LaneStage : std::uint8_t {
  ready,    ///< It sells.
  asked,    ///< It sells, and a rebuild is asked for.
  fencing,  ///< An epoch is allotted; its fence is on its way through the log.
  opening,  ///< The fence is raised; the inventory does not have the lane under it yet.
};

std::string_view name(LaneStage stage) noexcept;

/// A lane as its row in the store and as its inventory say.
struct LaneState {
  LaneHead head;
  LaneView view;  ///< Not ready when the inventory was not asked, too.

  /// Somebody grants units under the fence's epoch.
  bool sells() const {
    return head.authority() == Authority::store || (view.ready && view.epoch == head.fence);
  }
  LaneStage stage() const;
};

/// Keeps lanes sellable: granted by the right authority under the store's fence, with the sale's
/// window, and with no reservation left undecided. Every step may be repeated and may run on
/// several nodes: the store's row decides.
///
/// A rebuild has these steps, each of which a round resumes, also the next leader's: an epoch is
/// allotted; the old projection, if it answers, is closed and what it still holds is decided; a
/// fence goes through the log; once it is raised the lane's image is taken, copied page by page,
/// some in each round, and opened under the new epoch. The store gives the right to open an epoch
/// once: an opening that arrives late can never replace a newer image.
class LaneReconciler {
 public:
  struct Ports {
    Inventory& inventory;
    OrderQueue& queue;
    OrderStore& store;
    ResultFeed& results;
    Clock& clock;
    Metrics& metrics;
  };

  /// What a round asks of every lane.
  struct Duty {
    Authority authority = Authority::inventory;  ///< Who should grant, if this node may change it.
    bool inventory_up = true;    ///< False: it is not asked, for it would not answer.
    bool queue_up = true;        ///< False: no fence would pass; what sells is left alone.
    std::optional<Term> term{};  ///< The leader's; only it changes anything but the window.
    bool operator==(const Duty&) const = default;
  };

  LaneReconciler(RecoverySettings settings, Ports ports);

  /// One step towards a lane that `duty.authority` grants, with `window`. `Errc::not_ready` while
  /// nobody grants it. A lane whose projection was lost is rebuilt; so is one that is suspect,
  /// which sells until its rebuild begins.
  Task<LaneState> keep(LaneId lane, LaneWindow window, Duty duty);

  /// What `keep` would see, without a change.
  Task<LaneState> look(LaneId lane, bool inventory_up);

  /// The same of a lane whose row is known.
  Task<LaneState> look(LaneId lane, LaneHead head, bool inventory_up);

  /// Whether `keep` would change anything of a lane that looks like this.
  bool due(const LaneState& state, LaneWindow window, const Duty& duty) const;

  /// How far this node has copied the lane's image; empty when it copies none.
  std::optional<CopyProgress> copying(LaneId lane) const;

  /// Gives up copies that no round goes on with: all of them unless this node leads.
  Task<> drop_copies(const Duty& duty);

  /// Decides reservations that nobody decided in time; how many. Call it again while it returns
  /// `overdue_max`. What may be on its way is waited for only while the queue is up: `through` is
  /// the log time through which the log is applied, or was a moment ago; empty when not known.
  Task<std::size_t> decide_overdue(LaneId lane, std::optional<TimePoint> through, bool queue_up);

  /// Lets the store decide these orders at once, settles and announces what it decided. At most
  /// `kMessagesMax`; one outcome each, in order.
  Task<std::vector<Outcome>> decide_now(const std::vector<OrderMessage>& messages);

  /// Forgets the lanes of which `gone(lane)` says so.
  template <class Gone>
  void forget_if(Gone gone) {
    std::erase_if(pauses_, [&](const auto& lane) { return gone(lane.first); });
  }

 private:
  /// What this reconciler did for an epoch that it was allotted and has not opened yet.
  struct Opening {
    Epoch epoch = 0;
    Authority authority = Authority::inventory;
    bool emptied = false;           ///< What the old projection held is decided.
    std::optional<Ticks> fenced{};  ///< When its fence was sent last.
    bool begun = false;             ///< It has the right to open it, and surely did not.
  };

  /// Of a lane whose rebuild failed.
  struct Pause {
    Millis length{0};
    Ticks until{};
  };

  bool right(const LaneState& state, const Duty& duty) const;
  Task<> rebuild(LaneId lane, LaneState state, Duty duty);
  Task<> allot(LaneId lane, const LaneState& state, Duty duty);
  Task<> empty_the_old(LaneId lane);
  Task<> fence(LaneId lane, const LaneHead& head, Term leader);
  Task<> open(LaneId lane, Term leader);
  Task<> copy(LaneId lane, Term leader);
  Task<> begin_copy(LaneId lane, Term leader);
  Task<> drop_copy(LaneId lane);
  void failed(LaneId lane);
  void show_copies();
  Task<std::size_t> decide(LaneId lane, Millis age, std::size_t max);
  Millis overdue_age(std::optional<TimePoint> through) const;
  Ticks deadline() const { return ports_.clock.ticks() + settings_.call_timeout; }

  RecoverySettings settings_;
  Ports ports_;
  std::unordered_map<LaneId, Opening> openings_;
  std::unordered_map<LaneId, std::unique_ptr<LaneCopy>> copies_;
  std::size_t beginning_ = 0;           ///< Large images that are about to be copied.
  std::unordered_set<LaneId> at_work_;  ///< Lanes of which a page is on its way.
  std::unordered_map<LaneId, Pause> pauses_;
  Counter& rebuilds_;
  Counter& failures_;
  Gauge& copying_;
  Gauge& staged_units_;
  Gauge& units_;
  Counter& recovered_;
};

}  // namespace sluice
