#pragma once

#include <atomic>
#include <cstdint>
#include <list>
#include <mutex>
#include <vector>

#include "sluice/base/completion.hpp"
#include "sluice/base/result.hpp"
#include "sluice/base/time.hpp"
#include "sluice/orders/order_queue.hpp"

namespace sluice::kafka {

using Receipts = Result<std::vector<Receipt>>;

/// What is known of one message of a publish call.
enum class Fate : std::uint8_t {
  open,     ///< Not reported yet.
  queued,   ///< Acknowledged.
  lost,     ///< Perhaps in the log, perhaps not.
  refused,  ///< Certainly not in the log.
};

/// The publish calls under way. Each is answered once, with one wake-up: when its last message is
/// reported, or at its deadline. It is kept until its last report, so that a late
/// one finds its place. Thread-safe.
class InFlight {
 public:
  struct Call;

  /// One message, to which its report goes; stays valid until that report.
  struct Slot {
    Call* call = nullptr;
    std::atomic<Fate> fate{Fate::open};
  };

  struct Call {
    const void* owner = nullptr;
    Ticks deadline{};
    Completion<Receipts> answer;
    std::vector<Slot> slots;
    std::atomic<std::size_t> open{0};  ///< Reports to come, and one for the caller of `begin`.
    std::list<Call>::iterator self;
  };

  /// A call of `count` messages. The caller reports what it could not send, then calls `sent`;
  /// until then the call stays. Null, and `answer` untouched, after `refuse`.
  Call* begin(const void* owner, Ticks deadline, std::size_t count, Completion<Receipts>& answer);
  void sent(Call& call) { release(call); }

  /// Exactly once for each slot.
  void report(Slot& slot, Fate fate);

  /// Answers the calls whose deadline passed; what is open is unknown.
  void expire(Ticks now);

  /// Destroys the suspended coroutines of one owner, on the calling thread.
  void forget(const void* owner);

  /// No call begins after this.
  void refuse();

 private:
  void release(Call& call);
  static void answer(Call& call);

  std::mutex mutex_;
  std::list<Call> calls_;
  bool refusing_ = false;
};

}  // namespace sluice::kafka
