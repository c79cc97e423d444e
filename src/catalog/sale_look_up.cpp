#include "sluice/catalog/sale_look_up.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace sluice {

SaleLookUp::SaleLookUp(boost::asio::any_io_executor executor, SaleLookUpSettings settings,
                       SaleStore& store, Clock& clock)
    : settings_(settings),
      store_(store),
      clock_(clock),
      asked_(std::move(executor), {settings.batch_max, 1, settings.waiting_max}, Errc::internal,
             [this](Asked::Batch& batch) { return ask(batch); }) {}

std::optional<SaleLookUp::Found> SaleLookUp::kept(SaleId sale) const {
  const auto known = kept_.find(sale);
  if (known == kept_.end() || known->second.until <= clock_.ticks()) return std::nullopt;
  return known->second.sale;
}

Task<SaleLookUp::Found> SaleLookUp::find(SaleId sale) {
  if (asked_.full()) co_return Errc::overloaded;
  co_return co_await asked_.submit(sale);
}

boost::asio::awaitable<void> SaleLookUp::ask(Asked::Batch& batch) {
  std::vector<SaleId> ids;
  for (const auto& item : batch.items) ids.push_back(item.request);
  std::ranges::sort(ids);
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  auto sales = co_await store_.find(clock_.ticks() + settings_.timeout, ids);
  std::unordered_map<SaleId, Found> found;
  if (sales) {
    for (auto& sale : *sales) {
      if (sale.state == SaleState::draft) continue;
      const auto id = sale.id;
      found[id] = std::make_shared<const Sale>(std::move(sale));
    }
    for (const auto id : ids) keep(id, found[id]);
  }
  for (auto& item : batch.items) {
    item.answer(sales ? Result<Found>(found[item.request]) : Result<Found>(sales.error()));
  }
}

void SaleLookUp::keep(SaleId id, Found sale) {
  if (kept_.size() >= settings_.kept_max) kept_.clear();
  const auto time = sale && sale->finished ? settings_.finished_for : settings_.kept_for;
  kept_[id] = {std::move(sale), clock_.ticks() + time};
}

}  // namespace sluice
