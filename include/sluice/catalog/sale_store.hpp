#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "sluice/base/result.hpp"
#include "sluice/base/time.hpp"
#include "sluice/domain/sale.hpp"

namespace sluice {

/// Which sales a list has.
enum class SaleFilter : std::uint8_t {
  all,         ///< Drafts as well.
  unfinished,  ///< Neither drafts nor finished.
  finished,
};

/// Above every id: where a list begins.
inline constexpr SaleId kSalesBegin = std::numeric_limits<SaleId>::max();

/// The most sales that one call names or gives.
inline constexpr std::size_t kSalesPageMax = 1000;

/// The sales as the store keeps them. Blocking is allowed; an instance belongs to one executor.
class SaleStore {
 public:
  virtual ~SaleStore() = default;

  /// Creates the sale in state `draft`, with the stock rows of its lanes. The draft was checked.
  virtual Task<Sale> create(Ticks deadline, SaleDraft draft) = 0;

  /// Those below `before`, by id, newest first; at most `max` and `kSalesPageMax`.
  virtual Task<std::vector<Sale>> list(Ticks deadline, SaleFilter which, SaleId before,
                                       std::size_t max) = 0;

  /// The number of the last change of any sale. It only grows, and nobody sees a change before an
  /// earlier one.
  virtual Task<std::uint64_t> last_change(Ticks deadline) = 0;

  /// Sales that are no drafts and whose last change came after that one, in the order of their
  /// changes; at most `max` and `kSalesPageMax`.
  virtual Task<std::vector<Sale>> changed(Ticks deadline, std::uint64_t after, std::size_t max) = 0;

  virtual Task<std::optional<Sale>> get(Ticks deadline, SaleId sale) = 0;

  /// Those of the given that exist, in any order. `Errc::overloaded` above `kSalesPageMax`.
  virtual Task<std::vector<Sale>> find(Ticks deadline, std::vector<SaleId> sales) = 0;

  /// Compare and set. `Errc::not_found` without the sale, `Errc::stale` when the move is not
  /// allowed from the sale's present state; moving to the state it has changes nothing and
  /// succeeds. A change raises the sale's revision by one.
  virtual Task<Sale> set_state(Ticks deadline, SaleId sale, SaleState state) = 0;

  /// Marks as finished those of the given that are: closed, with no order that may still be paid,
  /// cancelled or expire, no late one undecided, and no unit in the outbox. The caller knows that
  /// nothing of theirs is undecided. `Errc::overloaded` above `kSalesPageMax`.
  virtual Task<> finish(Ticks deadline, std::vector<SaleId> sales) = 0;
};

}  // namespace sluice
