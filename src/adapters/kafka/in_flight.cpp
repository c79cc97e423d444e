#include "in_flight.hpp"

#include <utility>

namespace sluice::kafka {

InFlight::Call* InFlight::begin(const void* owner, Ticks deadline, std::size_t count,
                                Completion<Receipts>& answer) {
  std::list<Call> fresh(1);
  auto& call = fresh.front();
  call.owner = owner;
  call.deadline = deadline;
  call.slots = std::vector<Slot>(count);
  for (auto& slot : call.slots) slot.call = &call;
  call.open = count + 1;
  call.self = fresh.begin();

  std::lock_guard lock(mutex_);
  if (refusing_) return nullptr;
  call.answer = std::move(answer);
  calls_.splice(calls_.end(), fresh);
  return &call;
}

void InFlight::report(Slot& slot, Fate fate) {
  slot.fate.store(fate, std::memory_order_relaxed);
  release(*slot.call);
}

void InFlight::release(Call& call) {
  // Release and acquire: the last one sees every fate the others stored.
  if (call.open.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  std::list<Call> done;
  std::lock_guard lock(mutex_);
  answer(call);
  done.splice(done.end(), calls_, call.self);
}

void InFlight::answer(Call& call) {
  if (!call.answer) return;
  std::vector<Receipt> receipts(call.slots.size());
  bool refused = true;
  for (std::size_t i = 0; i < receipts.size(); ++i) {
    const auto fate = call.slots[i].fate.load(std::memory_order_relaxed);
    if (fate == Fate::queued) receipts[i].kind = Receipt::Kind::queued;
    refused = refused && fate == Fate::refused;
  }
  if (refused) {
    call.answer(Errc::unavailable);
  } else {
    call.answer(std::move(receipts));
  }
}

void InFlight::expire(Ticks now) {
  std::lock_guard lock(mutex_);
  for (auto& call : calls_) {
    if (call.deadline <= now) answer(call);
  }
}

void InFlight::forget(const void* owner) {
  std::vector<Completion<Receipts>> forgotten;
  std::lock_guard lock(mutex_);
  for (auto& call : calls_) {
    if (call.owner == owner && call.answer) forgotten.push_back(std::move(call.answer));
  }
}

void InFlight::refuse() {
  std::lock_guard lock(mutex_);
  refusing_ = true;
}

}  // namespace sluice::kafka
