#pragma once

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "sluice/base/time.hpp"
#include "sluice/domain/order_id.hpp"

#include "simulation/scheduler.hpp"

namespace sluice::simulation {

/// Who something happened to: nodes count from 1.
using Who = std::uint32_t;
inline constexpr Who kWorld = 0;
inline constexpr Who kUsers = 100;  ///< 100 + a user's number.

/// A few digits of an order id, enough to follow it through a story.
std::int64_t brief(const OrderId& id);

/// What happened in a run, in order, in numbers: cheap to keep always, to hash, and to print when
/// the run failed.
class Story {
 public:
  explicit Story(const Scheduler& scheduler) : scheduler_(scheduler) {}

  /// `what`: a literal that lives for ever; each `{}` in it stands for the next number.
  void note(Who who, const char* what, std::int64_t a = 0, std::int64_t b = 0, std::int64_t c = 0,
            std::int64_t d = 0);

  /// The first violation of an invariant ends the run. `why` may be any text.
  void violate(std::string why);

  const std::string& violation() const { return violation_; }
  bool failed() const { return !violation_.empty(); }

  /// The same for the same seed, on every machine.
  std::uint64_t hash() const { return hash_; }
  std::size_t size() const { return notes_.size(); }

  void print(std::ostream& out) const;

 private:
  struct Note {
    Ticks at;
    const char* what;
    std::int64_t numbers[4];
    Who who;
  };

  const Scheduler& scheduler_;
  std::vector<Note> notes_;
  std::uint64_t hash_ = 0xcbf29ce484222325U;
  std::string violation_;
};

}  // namespace sluice::simulation
