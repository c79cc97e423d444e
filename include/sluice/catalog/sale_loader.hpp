#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>

#include "sluice/base/metrics.hpp"
#include "sluice/base/time.hpp"
#include "sluice/catalog/sale_book.hpp"
#include "sluice/catalog/sale_store.hpp"

namespace sluice {

/// How many sales a node holds in memory.
struct SaleLoaderSettings {
  std::size_t unfinished_max = 10'000;  ///< Neither drafts nor finished.
  std::size_t finished_max = 1000;      ///< The newest.
  Millis call_timeout{2000};            ///< For one call to the store.
};

/// Keeps the sales that a node knows: all that are not finished, and the newest finished ones.
/// Reads them once, and after that only what changed. Belongs to one executor.
class SaleLoader {
 public:
  /// By id, newest first.
  using Sales = std::map<SaleId, Sale, std::greater<>>;

  SaleLoader(SaleLoaderSettings settings, SaleStore& store, SaleBook& book, Clock& clock,
             Metrics& metrics);

  /// Makes what the store says this node's snapshot, which is replaced only when a sale changed.
  Task<> refresh();

  const Sales& sales() const { return sales_; }

  /// More sales are unfinished than the node holds: the others are looked after by nobody.
  bool full() const { return full_; }

 private:
  /// Reads all of them anew.
  Task<> load();
  Task<> load_some(SaleFilter which, std::size_t max, Sales& into);
  /// Reads what changed since.
  Task<> follow(std::uint64_t newest);
  void take(Sale sale);
  void publish();
  Ticks deadline() const { return clock_.ticks() + settings_.call_timeout; }

  SaleLoaderSettings settings_;
  SaleStore& store_;
  SaleBook& book_;
  Clock& clock_;
  Gauge& unfinished_gauge_;
  Gauge& full_gauge_;
  Sales sales_;
  std::size_t unfinished_ = 0;
  std::uint64_t through_ = 0;  ///< The last change that was read.
  bool loaded_ = false;
  bool full_ = false;
};

}  // namespace sluice
