#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>

namespace sluice {

/// A value that one thread replaces whole and many read. Each reading thread owns a `Reader`, which
/// takes the lock only after a change.
template <class T>
class Snapshot {
 public:
  using Value = std::shared_ptr<const T>;

  explicit Snapshot(Value initial) : value_(std::move(initial)) {}

  void publish(Value value) {
    std::lock_guard lock(mutex_);
    value_ = std::move(value);
    version_.fetch_add(1, std::memory_order_release);
  }

  Value get() const {
    std::lock_guard lock(mutex_);
    return value_;
  }

  class Reader {
   public:
    explicit Reader(const Snapshot& source) : source_(&source) {}

    /// Valid until the next call on this reader.
    const T& get() {
      const auto version = source_->version_.load(std::memory_order_acquire);
      if (!cached_ || version != version_) {
        cached_ = source_->get();
        version_ = version;
      }
      return *cached_;
    }

    /// The same, alive for as long as the caller holds it.
    Value hold() {
      get();
      return cached_;
    }

   private:
    const Snapshot* source_;
    Value cached_;
    std::uint64_t version_ = 0;
  };

 private:
  mutable std::mutex mutex_;
  Value value_;
  std::atomic<std::uint64_t> version_{0};
};

}  // namespace sluice
