#pragma once

#include <algorithm>
#include <deque>
#include <memory>
#include <stdexcept>
#include <utility>
#include <vector>

#include "support/fake_store.hpp"

namespace sluice::test {

/// A fake store that is asked nothing after a deadline and may be silent until one.
class PunctualStore final : public FakeOrderStore {
 public:
  enum class Nonsense { throws, one_outcome_less };

  explicit PunctualStore(std::shared_ptr<Clock> clock) : clock_(std::move(clock)) {}

  Task<std::vector<Outcome>> apply(Ticks deadline, In<OrderMessage> messages,
                                   std::optional<OffsetRange> range) override {
    if (clock_->ticks() >= deadline) co_return Errc::unavailable;
    if (silent) {
      co_await clock_->sleep_until(deadline);
      co_return Errc::unknown;
    }
    auto outcomes = co_await FakeOrderStore::apply(deadline, messages, std::move(range));
    if (nonsense.empty()) co_return outcomes;
    const auto kind = nonsense.front();
    nonsense.pop_front();
    if (kind == Nonsense::throws) throw std::runtime_error("as the test asked");
    outcomes.value().pop_back();
    co_return outcomes;
  }

  Task<> raise_fence(Ticks deadline, Fence fence, std::optional<Epoch> seen,
                     std::optional<Term> leader) override {
    if (clock_->ticks() >= deadline) co_return Errc::unavailable;
    if (silent) {
      co_await clock_->sleep_until(deadline);
      co_return Errc::unknown;
    }
    if (std::exchange(fence_throws, false)) throw std::runtime_error("as the test asked");
    auto raised = co_await FakeOrderStore::raise_fence(deadline, fence, seen, leader);
    if (raised) fences.emplace_back(fence, rows_of(fence.lane));
    co_return raised;
  }

  /// Every message applied, once each, in order.
  std::vector<OrderMessage> rows() const {
    std::vector<OrderMessage> rows;
    for (const auto& call : apply_calls) {
      for (const auto& message : call.messages) {
        if (std::ranges::find(rows, message) == rows.end()) rows.push_back(message);
      }
    }
    return rows;
  }

  bool silent = false;  ///< Calls from now on have no answer by their deadline.
  bool fence_throws = false;
  std::deque<Nonsense> nonsense;  ///< What the next calls of `apply` do after their work.
  /// Every fence raised, in order, with the number of its lane's messages applied before.
  std::vector<std::pair<Fence, std::size_t>> fences;

 private:
  std::size_t rows_of(LaneId lane) const {
    const auto all = rows();
    const auto count = std::ranges::count(all, lane, &OrderMessage::lane);
    return static_cast<std::size_t>(count);
  }

  std::shared_ptr<Clock> clock_;
};

}  // namespace sluice::test
