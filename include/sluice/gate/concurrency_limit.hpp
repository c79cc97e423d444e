#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

namespace sluice {

/// A bound on purchases between gate and answer. A purchase takes a permit before it reserves, so
/// that whatever is reserved finds room in the queue. Thread-safe.
class ConcurrencyLimit {
 public:
  /// Held for the time of one purchase; gives its place back when destroyed.
  class Permit {
   public:
    Permit() = default;
    explicit Permit(ConcurrencyLimit* owner) : owner_(owner) {}
    Permit(Permit&& other) noexcept : owner_(std::exchange(other.owner_, nullptr)) {}
    Permit& operator=(Permit&& other) noexcept {
      std::swap(owner_, other.owner_);
      return *this;
    }
    ~Permit() {
      if (owner_ != nullptr) owner_->free_.fetch_add(1, std::memory_order_relaxed);
    }
    explicit operator bool() const noexcept { return owner_ != nullptr; }

   private:
    ConcurrencyLimit* owner_ = nullptr;
  };

  explicit ConcurrencyLimit(std::int64_t total) : free_(total), total_(total) {}

  /// Empty when none is free.
  Permit take() {
    if (free_.fetch_sub(1, std::memory_order_relaxed) > 0) return Permit(this);
    free_.fetch_add(1, std::memory_order_relaxed);
    return Permit();
  }

  std::int64_t taken() const noexcept { return total_ - free_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> free_;
  std::int64_t total_;
};

}  // namespace sluice
