#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <memory>
#include <optional>
#include <unordered_map>

#include "sluice/base/batcher.hpp"
#include "sluice/base/result.hpp"
#include "sluice/base/time.hpp"
#include "sluice/catalog/sale_store.hpp"

namespace sluice {

struct SaleLookUpSettings {
  Millis timeout{1000};            ///< For one call to the store.
  std::size_t batch_max = 256;     ///< Sales in one call, at most `kSalesPageMax`.
  std::size_t waiting_max = 1024;  ///< Requests that wait for a call; more are refused.
  std::size_t kept_max = 4096;     ///< Answers that are remembered.
  Millis kept_for{1000};           ///< How long, also when there is no such sale.
  Millis finished_for{60'000};     ///< How long a finished sale is, which never changes.
};

/// Looks up sales that the node's snapshot does not have: finished long ago, beyond its bound, or
/// opened a moment ago. One call to the store at a time, for all who wait. Belongs to one executor.
class SaleLookUp {
 public:
  /// Null: there is no such sale, or it is a draft.
  using Found = std::shared_ptr<const Sale>;

  SaleLookUp(boost::asio::any_io_executor executor, SaleLookUpSettings settings, SaleStore& store,
             Clock& clock);

  /// What is remembered of it; empty: nothing, and the store has to be asked.
  std::optional<Found> kept(SaleId sale) const;

  /// Asks the store. `Errc::overloaded` when too many wait; else as the store.
  Task<Found> find(SaleId sale);

 private:
  using Asked = Batcher<SaleId, Result<Found>>;
  struct Kept {
    Found sale;
    Ticks until;
  };

  boost::asio::awaitable<void> ask(Asked::Batch& batch);
  void keep(SaleId id, Found sale);

  SaleLookUpSettings settings_;
  SaleStore& store_;
  Clock& clock_;
  std::unordered_map<SaleId, Kept> kept_;
  Asked asked_;
};

}  // namespace sluice
