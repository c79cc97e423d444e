#pragma once

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "sluice/base/metrics.hpp"
#include "sluice/base/snapshot.hpp"
#include "sluice/base/time.hpp"
#include "sluice/catalog/sale_book.hpp"
#include "sluice/gate/admission.hpp"
#include "sluice/inventory/sold_out_view.hpp"
#include "sluice/orders/lane_router.hpp"

namespace sluice {

struct SoldOutSettings {
  Millis fresh{1000};                  ///< How long a "sold out" is repeated without a look.
  std::size_t page = kWinnersPageMax;  ///< Winners read by one call; 1 … `kWinnersPageMax`.
  Millis page_timeout{500};            ///< For one such call.
  /// After each call: at most 500 of them a second for each node, whatever is sold out. Twenty
  /// nodes that read full pages all the time take a fifth of a Redis.
  Millis page_pause{2};
  Millis round{50};  ///< Between two looks for something to read.
};

/// What this node knows of lanes that are sold out, shared by its threads. One task reads the
/// winners and replaces the snapshot; each HTTP thread refuses through a `Reader` of its own. A
/// lane is forgotten when its sale is over.
class SoldOutViews {
 public:
  struct Ports {
    LaneRouter& router;  ///< By which the winners are read; no purchase uses its connections.
    const SaleBook& book;
    Clock& clock;
    Metrics& metrics;
  };

  SoldOutViews(SoldOutSettings settings, Ports ports);

  /// Reads the winners of lanes that said "sold out", and whether units came back, one call at a
  /// time; run it all the time, on the executor of `router`.
  boost::asio::awaitable<void> upkeep();

  class Reader;

 private:
  /// What HTTP threads tell of a lane.
  struct News {
    std::atomic<std::uint64_t> newest{0};  ///< See `lane_moment`.
    std::atomic<Epoch> sold_out{0};        ///< Under which epoch it said so since the last look.
    std::atomic<bool> asked{false};        ///< A buyer came since the last look.
  };
  struct Entry {
    std::shared_ptr<News> news;
    std::shared_ptr<const SoldOut> known;  ///< Null: nothing yet.
  };
  using Entries = std::unordered_map<LaneId, Entry>;
  struct Lane {
    SoldOutView view;
    std::shared_ptr<News> news = std::make_shared<News>();
  };

  void said_first(LaneId lane, Epoch epoch);
  bool selling(SaleId sale);
  void take_in();
  void forget_ended();
  boost::asio::awaitable<bool> look_after(LaneId id);
  void publish();
  void count();

  const SoldOutSettings settings_;
  Ports ports_;
  SaleBook::Reader book_;
  Snapshot<Entries> snapshot_{std::make_shared<Entries>()};
  std::mutex mutex_;
  std::unordered_map<LaneId, Epoch> said_;  ///< Lanes that no thread knows yet; under the mutex.
  std::unordered_map<LaneId, Lane> lanes_;  ///< The upkeep's own.
  Gauge& complete_;
  Gauge& reading_;
  Gauge& winners_;
  Counter& pages_;
};

/// One thread's way to the views.
class SoldOutViews::Reader {
 public:
  explicit Reader(SoldOutViews& views) : views_(views), entries_(views.snapshot_) {}

  /// Refuses buyers of a lane that is known to be sold out, without any I/O.
  AdmissionStage stage(Random& random);

  /// What the lane answered under that epoch.
  void heard(LaneId lane, Epoch epoch, const ReserveReply& reply);

 private:
  const Entry* find(LaneId lane);

  SoldOutViews& views_;
  Snapshot<Entries>::Reader entries_;
};

/// A sale without units: final, or not while some may return.
Refusal sold_out(bool may_return, Random& random);

/// Whether confirmed orders of this sale may still expire, so that no "sold out" of it is final.
bool may_expire(const Sale& sale);

}  // namespace sluice
