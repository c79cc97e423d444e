#pragma once

#include <utility>

#include "sluice/base/completion.hpp"

#include "simulation/scheduler.hpp"

namespace sluice::simulation {

/// A coroutine of one thread that waits for a `T` from the simulated world. Events share it: the
/// first answer counts, and none reaches a thread that is gone.
template <class T>
class Wait : public WaitList::Entry {
 public:
  explicit Wait(Thread& thread) : thread_(&thread) {}

  /// From now on it can be answered.
  void begin(Completion<T> completion) {
    completion_ = std::move(completion);
    link(thread_->waits());
  }

  bool waiting() const { return static_cast<bool>(completion_); }

  void answer(T value) {
    if (!completion_) return;
    unlink();
    auto completion = std::move(completion_);
    thread_->wake();
    completion(std::move(value));
  }

 protected:
  void drop() override { const auto gone = std::move(completion_); }

 private:
  Thread* thread_;
  Completion<T> completion_;
};

}  // namespace sluice::simulation
