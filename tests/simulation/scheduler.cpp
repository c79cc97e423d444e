#include "simulation/scheduler.hpp"

#include <algorithm>

namespace sluice::simulation {

Thread::Thread(Scheduler& scheduler) : scheduler_(scheduler) {
  scheduler_.threads_.push_back(this);
}

Thread::~Thread() {
  std::erase(scheduler_.threads_, this);
  // Coroutines that wait for something are destroyed on the loop, so before it.
  waits_.abandon();
}

void Scheduler::push(Ticks when, Action action) {
  heap_.push_back(Event{std::max(when, now_), rng_.next(), std::move(action)});
  std::push_heap(heap_.begin(), heap_.end());
}

void Scheduler::fire() {
  std::pop_heap(heap_.begin(), heap_.end());
  auto event = std::move(heap_.back());
  heap_.pop_back();
  now_ = event.at;
  event.action();
}

std::optional<Ticks> Scheduler::idle_until() const {
  const auto busy = [](const Thread* thread) { return thread->runnable(); };
  if (heap_.empty() || std::ranges::any_of(threads_, busy)) return std::nullopt;
  return heap_.front().at;
}

bool Scheduler::step() {
  ++steps_;
  runnable_.clear();
  for (auto* thread : threads_) {
    if (thread->runnable()) runnable_.push_back(thread);
  }
  if (runnable_.empty()) {
    if (heap_.empty()) return false;
    fire();
    return true;
  }
  const bool due = !heap_.empty() && heap_.front().at <= now_;
  const auto choice = rng_.below(runnable_.size() + (due ? 1 : 0));
  if (choice == runnable_.size()) {
    fire();
  } else {
    runnable_[choice]->run_one();
  }
  return true;
}

}  // namespace sluice::simulation
