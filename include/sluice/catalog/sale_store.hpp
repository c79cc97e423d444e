#pragma once

#include <optional>
#include <vector>

#include "sluice/base/result.hpp"
#include "sluice/base/time.hpp"
#include "sluice/domain/sale.hpp"

namespace sluice {

/// The sales as the store keeps them. Blocking is allowed; an instance belongs to one executor.
class SaleStore {
 public:
  virtual ~SaleStore() = default;

  /// Creates the sale in state `draft`, with the stock rows of its lanes. The draft was checked.
  virtual Task<Sale> create(Ticks deadline, SaleDraft draft) = 0;

  /// By id, newest first; at most `max`.
  virtual Task<std::vector<Sale>> list(Ticks deadline, std::size_t max) = 0;

  virtual Task<std::optional<Sale>> get(Ticks deadline, SaleId sale) = 0;

  /// Compare and set. `Errc::not_found` without the sale, `Errc::stale` when the move is not
  /// allowed from the sale's present state; moving to the state it has changes nothing and
  /// succeeds. A change raises the sale's revision by one.
  virtual Task<Sale> set_state(Ticks deadline, SaleId sale, SaleState state) = 0;
};

}  // namespace sluice
