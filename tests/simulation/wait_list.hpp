#pragma once

#include <utility>

#include "sluice/base/completion.hpp"

namespace sluice::simulation {

/// All coroutines of one thread that wait for something of the simulated world.
class WaitList {
 public:
  class Entry {
   public:
    Entry() = default;
    virtual ~Entry() { unlink(); }
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;

   protected:
    friend class WaitList;
    virtual void drop() = 0;

    void link(WaitList& list) {
      previous_ = &list.head_;
      next_ = list.head_.next_;
      list.head_.next_ = this;
      if (next_ != nullptr) next_->previous_ = this;
    }

    void unlink() {
      if (previous_ != nullptr) previous_->next_ = next_;
      if (next_ != nullptr) next_->previous_ = previous_;
      previous_ = next_ = nullptr;
    }

   private:
    Entry* previous_ = nullptr;
    Entry* next_ = nullptr;
  };

  /// Destroys the coroutines that wait; whoever wanted to answer them finds nobody.
  void abandon() {
    while (auto* entry = head_.next_) {
      entry->unlink();
      entry->drop();
    }
  }

 private:
  struct Head final : Entry {
    void drop() override {}
  };

  friend class Entry;
  Head head_;
};

}  // namespace sluice::simulation
