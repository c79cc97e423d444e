#include "sluice/orders/guarded.hpp"

#include <algorithm>
#include <optional>
#include <utility>

namespace sluice {
namespace {

bool is_failure(const boost::system::error_code& error) {
  return error == Errc::unavailable || error == Errc::unknown || error == Errc::overloaded ||
         error == Errc::internal;
}

template <class T>
bool succeeded(const Result<T>& answer) {
  return answer.has_value() || !is_failure(answer.error());
}

bool taken(const Receipt& receipt) { return receipt.kind != Receipt::Kind::unknown; }

bool succeeded(const Result<std::vector<Receipt>>& receipts) {
  if (receipts.has_error()) return !is_failure(receipts.error());
  return receipts->empty() || std::ranges::any_of(*receipts, taken);
}

/// How a call is judged.
enum class Weight {
  light,  ///< By its latency, too.
  bulk,   ///< It may take its time.
};

class GuardedInventory final : public Inventory {
 public:
  GuardedInventory(Inventory& inner, Breaker& breaker, Clock& clock)
      : inner_(inner), breaker_(breaker), clock_(clock) {}

  Task<ReserveReply> reserve(Call call, In<Attempt> attempts) override {
    return guard(Weight::light,
                 [&inner = inner_, call, attempts] { return inner.reserve(call, attempts); });
  }

  Task<> settle(Call call, In<Settlement> settlements) override {
    return guard(Weight::light,
                 [&inner = inner_, call, settlements] { return inner.settle(call, settlements); });
  }

  Task<std::vector<std::optional<OrderView>>> find(Call call, In<UserId> users) override {
    return guard(Weight::light, [&inner = inner_, call, users] { return inner.find(call, users); });
  }

  Task<LaneView> view(Call call) override {
    return guard(Weight::light, [&inner = inner_, call] { return inner.view(call); });
  }

  Task<Winners> winners(Call call) override {
    return guard(Weight::bulk, [&inner = inner_, call] { return inner.winners(call); });
  }

  Task<std::vector<Pending>> overdue(Call call, Millis age, std::size_t max) override {
    return guard(Weight::bulk,
                 [&inner = inner_, call, age, max] { return inner.overdue(call, age, max); });
  }

  Task<> close(Call call) override {
    return guard(Weight::light, [&inner = inner_, call] { return inner.close(call); });
  }

  Task<> rebuild(Call call, const LaneImage& image) override {
    return guard(Weight::bulk,
                 [&inner = inner_, call, &image] { return inner.rebuild(call, image); });
  }

  Task<> set_window(Call call, LaneWindow window) override {
    return guard(Weight::light,
                 [&inner = inner_, call, window] { return inner.set_window(call, window); });
  }

 private:
  /// Makes the call `start()`, if it may be made.
  template <class Start>
  auto guard(Weight weight, Start start) -> decltype(start()) {
    const auto begun = clock_.ticks();
    if (!breaker_.permit(begun)) co_return Errc::unavailable;
    try {
      auto answer = co_await start();
      report(weight, begun, succeeded(answer));
      co_return answer;
    } catch (...) {
      report(weight, begun, false);
      throw;
    }
  }

  void report(Weight weight, Ticks begun, bool ok) {
    const auto now = clock_.ticks();
    auto took = std::chrono::floor<Millis>(now - begun);
    if (weight == Weight::bulk) took = std::min(took, breaker_.settings().slow);
    breaker_.record(now, ok, took);
  }

  Inventory& inner_;
  Breaker& breaker_;
  Clock& clock_;
};

class GuardedQueue final : public OrderQueue {
 public:
  GuardedQueue(OrderQueue& inner, Breaker* breaker, CallMeter* meter, Clock& clock)
      : inner_(inner), breaker_(breaker), meter_(meter), clock_(clock) {}

  bool decides() const noexcept override { return inner_.decides(); }

  Task<std::vector<Receipt>> publish(Ticks deadline, In<OrderMessage> messages) override {
    const auto begun = clock_.ticks();
    if (!permit(begun)) co_return Errc::unavailable;
    try {
      auto receipts = co_await inner_.publish(deadline, messages);
      const auto orders = receipts ? std::ranges::count_if(*receipts, taken) : 0;
      const bool ok = succeeded(receipts);
      report(begun, ok);
      measure(begun, ok, static_cast<std::uint64_t>(orders));
      co_return receipts;
    } catch (...) {
      report(begun, false);
      measure(begun, false, 0);
      throw;
    }
  }

  Task<> fence(Ticks deadline, Fence fence) override {
    const auto begun = clock_.ticks();
    if (!permit(begun)) co_return Errc::unavailable;
    try {
      auto answer = co_await inner_.fence(deadline, fence);
      report(begun, succeeded(answer));
      co_return answer;
    } catch (...) {
      report(begun, false);
      throw;
    }
  }

 private:
  bool permit(Ticks now) { return breaker_ == nullptr || breaker_->permit(now); }

  void report(Ticks begun, bool ok) {
    if (breaker_ == nullptr) return;
    const auto now = clock_.ticks();
    breaker_->record(now, ok, std::chrono::floor<Millis>(now - begun));
  }

  void measure(Ticks begun, bool ok, std::uint64_t orders) {
    if (meter_ != nullptr) meter_->record(orders, ok, clock_.ticks() - begun);
  }

  OrderQueue& inner_;
  Breaker* breaker_;
  CallMeter* meter_;
  Clock& clock_;
};

}  // namespace

std::unique_ptr<Inventory> create_guarded_inventory(Inventory& inner, Breaker& breaker,
                                                    Clock& clock) {
  return std::make_unique<GuardedInventory>(inner, breaker, clock);
}

std::unique_ptr<OrderQueue> create_guarded_queue(OrderQueue& inner, Breaker* breaker,
                                                 CallMeter* meter, Clock& clock) {
  return std::make_unique<GuardedQueue>(inner, breaker, meter, clock);
}

}  // namespace sluice
