#pragma once

#include <cstdint>
#include <vector>

#include "sluice/base/time.hpp"

#include "simulation/network.hpp"
#include "simulation/rng.hpp"

namespace sluice::simulation {

/// Something that befalls the world at a moment.
struct Incident {
  enum class Kind : std::uint8_t {
    node_kill,
    node_freeze,
    node_jump,
    redis_flush,
    redis_rollback,
    redis_down,
    redis_freeze,
    redis_part,
    redis_drift,
    log_down,
    log_freeze,
    log_part,
    log_deal,
    log_poison,
    store_down,
    store_freeze,
    store_drag,
    store_part,
    sale_pause,
    sale_close,
    rebuild,
    rebuild_force,
    hold,
  };
  static constexpr std::size_t kKinds = 23;

  Kind kind = Kind::node_kill;
  Millis at{0};
  Millis lasts{0};
  std::uint32_t node = 0;   ///< From 0.
  std::uint64_t extra = 0;  ///< For what else there is to choose.
};

/// All that is decided about a run before it begins.
struct Plan {
  struct SalePlan {
    std::int64_t stock = 1;
    std::uint32_t lanes = 1;
    std::uint32_t limit = 3;
    Millis starts{0};
    Millis ends{0};        ///< Zero: long after the run.
    Millis pay_within{0};  ///< Zero: an order is final once it is confirmed.
    bool all_paid = true;  ///< With peace the shop pays what is unpaid; else that expires.
  };

  explicit Plan(Rng& rng);

  std::uint32_t nodes = 2;
  std::int32_t partitions = 1;
  std::uint32_t users = 10;
  Millis active{20'000};
  std::vector<SalePlan> sales;
  std::array<CallFaults, kServices> faults;
  std::uint32_t tardy = 0;          ///< Publishes that arrive late, in a million.
  std::uint32_t lost_news = 0;      ///< Announcements lost, in a million.
  std::uint32_t lost_answers = 0;   ///< Answers to clients lost, in a million.
  std::vector<Incident> incidents;  ///< In order of time.
};

}  // namespace sluice::simulation
