#pragma once

#include <memory>
#include <unordered_map>

#include "sluice/base/snapshot.hpp"
#include "sluice/domain/sale.hpp"

namespace sluice {

/// The sales as this node knows them at one moment. Drafts are not among them: no client sees one.
struct SaleSnapshot {
  std::unordered_map<SaleId, Sale> sales;
  /// False until the store was read for the first time: a sale that is not here may exist.
  bool loaded = false;

  const Sale* find(SaleId id) const {
    const auto it = sales.find(id);
    return it == sales.end() ? nullptr : &it->second;
  }
};

/// Replaced whole by the control thread; every HTTP thread reads it through its own reader.
using SaleBook = Snapshot<SaleSnapshot>;

}  // namespace sluice
