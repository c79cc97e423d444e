#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

namespace sluice {

/// A bound on purchases between gate and answer. A purchase takes a permit before it reserves, so
/// that whatever is reserved finds room in the queue. Thread-safe.
class ConcurrencyLimit {
  struct GiveBack {
    void operator()(ConcurrencyLimit* limit) const noexcept {
      limit->free_.fetch_add(1, std::memory_order_relaxed);
    }
  };

 public:
  /// Held for the time of one purchase; gives its place back when destroyed.
  using Permit = std::unique_ptr<ConcurrencyLimit, GiveBack>;

  explicit ConcurrencyLimit(std::int64_t total) : free_(total) {}

  /// Null when none is free.
  Permit take() {
    if (free_.fetch_sub(1, std::memory_order_relaxed) > 0) return Permit(this);
    free_.fetch_add(1, std::memory_order_relaxed);
    return nullptr;
  }

 private:
  std::atomic<std::int64_t> free_;
};

}  // namespace sluice
