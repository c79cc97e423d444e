#include "sluice/catalog/sale_loader.hpp"

#include <algorithm>
#include <iterator>
#include <memory>
#include <utility>

#include "sluice/base/log.hpp"

namespace sluice {

SaleLoader::SaleLoader(SaleLoaderSettings settings, SaleStore& store, SaleBook& book, Clock& clock,
                       Metrics& metrics)
    : settings_(settings),
      store_(store),
      book_(book),
      clock_(clock),
      unfinished_gauge_(metrics.gauge("sluice_sales_unfinished",
                                      "Sales that this node looks after: neither drafts nor "
                                      "finished.")),
      full_gauge_(metrics.gauge("sluice_sales_full",
                                "1 while more sales are unfinished than recovery.sales_max.")) {}

Task<> SaleLoader::refresh() {
  const auto newest = co_await store_.last_change(deadline());
  if (!newest) co_return newest.error();
  // A count that fell is that of another database, or of an older copy of it.
  const bool again = !loaded_ || *newest < through_;
  if (!again && *newest == through_) co_return boost::system::in_place_value;
  const auto read = again ? co_await load() : co_await follow(*newest);
  if (!read) co_return read.error();
  through_ = *newest;
  loaded_ = true;
  publish();
  // There is room again for those that were left out.
  if (full_ && unfinished_ < settings_.unfinished_max) loaded_ = false;
  co_return boost::system::in_place_value;
}

Task<> SaleLoader::load() {
  Sales sales;
  const auto unfinished =
      co_await load_some(SaleFilter::unfinished, settings_.unfinished_max + 1, sales);
  if (!unfinished) co_return unfinished.error();
  full_ = sales.size() > settings_.unfinished_max;
  // One more was asked for, to know whether these are all.
  if (full_) sales.erase(std::prev(sales.end()));
  unfinished_ = sales.size();
  const auto finished = co_await load_some(SaleFilter::finished, settings_.finished_max, sales);
  if (!finished) co_return finished.error();
  sales_ = std::move(sales);
  co_return boost::system::in_place_value;
}

Task<> SaleLoader::load_some(SaleFilter which, std::size_t max, Sales& into) {
  auto before = kSalesBegin;
  for (std::size_t left = max; left > 0;) {
    const auto wanted = std::min(left, kSalesPageMax);
    auto page = co_await store_.list(deadline(), which, before, wanted);
    if (!page) co_return page.error();
    for (auto& sale : *page) {
      before = sale.id;
      into.insert_or_assign(sale.id, std::move(sale));
    }
    left -= page->size();
    if (page->size() < wanted) break;
  }
  co_return boost::system::in_place_value;
}

Task<> SaleLoader::follow(std::uint64_t newest) {
  for (auto after = through_; after < newest;) {
    auto page = co_await store_.changed(deadline(), after, kSalesPageMax);
    if (!page) co_return page.error();
    for (auto& sale : *page) {
      after = sale.change;
      take(std::move(sale));
    }
    if (page->size() < kSalesPageMax) break;
  }
  co_return boost::system::in_place_value;
}

void SaleLoader::take(Sale sale) {
  const auto known = sales_.find(sale.id);
  if (known != sales_.end()) {
    if (!known->second.finished) --unfinished_;
    sales_.erase(known);
  }
  if (!sale.finished && unfinished_ >= settings_.unfinished_max) {
    full_ = true;
    return;
  }
  if (!sale.finished) ++unfinished_;
  sales_.emplace(sale.id, std::move(sale));
  if (sales_.size() - unfinished_ <= settings_.finished_max) return;
  const auto oldest = std::find_if(sales_.rbegin(), sales_.rend(),
                                   [](const auto& entry) { return entry.second.finished; });
  sales_.erase(oldest->first);
}

void SaleLoader::publish() {
  if (full_ && full_gauge_.Value() == 0) {
    log().error("more than {} sales are unfinished: raise recovery.sales_max, or close some",
                settings_.unfinished_max);
  }
  unfinished_gauge_.Set(static_cast<double>(unfinished_));
  full_gauge_.Set(full_ ? 1 : 0);
  auto snapshot = std::make_shared<SaleSnapshot>();
  snapshot->loaded = true;
  snapshot->sales.insert(sales_.begin(), sales_.end());
  book_.publish(std::move(snapshot));
}

}  // namespace sluice
