#include <algorithm>

#include "simulation/store.hpp"

namespace sluice::simulation {
namespace {

constexpr std::size_t kWishMax = 128;

}  // namespace

Result<Sale> Store::create(const SaleDraft& draft) {
  if (check(draft)) return Errc::invalid;
  Sale sale;
  sale.id = static_cast<SaleId>(sales_.size()) + 1;
  sale.terms = draft;
  for (std::uint32_t index = 0; index < draft.lanes; ++index) {
    const auto stock = lane_stock(draft.stock, draft.lanes, index);
    lanes_[{sale.id, index}] = {stock, stock, 0, {}, 0};
  }
  sale.change = ++last_change_;
  sales_[sale.id] = sale;
  return sale;
}

Result<std::vector<Sale>> Store::list(SaleFilter which, SaleId before, std::size_t max) const {
  std::vector<Sale> sales;
  for (auto it = sales_.rbegin(); it != sales_.rend() && sales.size() < max; ++it) {
    const auto& sale = it->second;
    const bool unfinished = sale.state != SaleState::draft && !sale.finished;
    const bool listed =
        which == SaleFilter::all || (which == SaleFilter::finished ? sale.finished : unfinished);
    if (listed && sale.id < before) sales.push_back(sale);
  }
  return sales;
}

Result<std::uint64_t> Store::last_change() const { return last_change_; }

Result<std::vector<Sale>> Store::changed(std::uint64_t after, std::size_t max) const {
  std::vector<Sale> sales;
  for (const auto& [id, sale] : sales_) {
    if (sale.change > after && sale.state != SaleState::draft) sales.push_back(sale);
  }
  std::ranges::sort(sales, {}, &Sale::change);
  if (sales.size() > max) sales.resize(max);
  return sales;
}

Result<std::vector<Sale>> Store::find_sales(const std::vector<SaleId>& ids) const {
  if (ids.size() > kSalesPageMax) return Errc::overloaded;
  std::vector<Sale> sales;
  for (const auto id : ids) {
    if (sales_.contains(id)) sales.push_back(sales_.at(id));
  }
  return sales;
}

Result<void> Store::finish(const std::vector<SaleId>& ids) {
  if (ids.size() > kSalesPageMax) return Errc::overloaded;
  for (const auto id : ids) {
    const auto found = sales_.find(id);
    if (found == sales_.end()) continue;
    auto& sale = found->second;
    if (sale.state != SaleState::closed || sale.finished || !is_over(sale)) continue;
    sale.finished = true;
    sale.change = ++last_change_;
  }
  return {};
}

bool Store::is_over(const Sale& sale) const {
  const auto of_sale = [&sale](LaneId lane) { return lane.sale == sale.id; };
  const auto returns = [&](const auto& entry) { return of_sale(entry.first); };
  const auto unpaid = [&](const auto& entry) {
    const auto& row = entry.second;
    return of_sale(row.message.lane) && row.status == OrderStatus::confirmed && row.pay_by;
  };
  const auto undecided = [&](const auto& entry) {
    const auto& [order, reason] = entry.second;
    return of_sale(order.message.lane) && reason == RejectReason::none;
  };
  return std::ranges::none_of(outbox_, returns) && std::ranges::none_of(rows_, unpaid) &&
         std::ranges::none_of(late_, undecided);
}

Result<std::optional<Sale>> Store::get(SaleId sale) const {
  const auto found = sales_.find(sale);
  return found == sales_.end() ? std::optional<Sale>() : std::optional<Sale>(found->second);
}

Result<Sale> Store::set_state(SaleId id, SaleState state) {
  const auto found = sales_.find(id);
  if (found == sales_.end()) return Errc::not_found;
  auto& sale = found->second;
  if (sale.state == state) return sale;
  if (!may_become(sale.state, state)) return Errc::stale;
  sale.state = state;
  ++sale.revision;
  sale.change = ++last_change_;
  return sale;
}

Result<Lease> Store::acquire(const std::string& name, const std::string& holder, Millis ttl) {
  if (name.empty() || holder.empty() || ttl <= Millis{0}) return Errc::invalid;
  auto& lease = leases_[name];
  const auto now = clock_.now();
  const bool free = lease.name.empty() || lease.until <= now;
  if (lease.name != holder && !free) return Lease{lease.term, false};
  if (lease.name != holder) ++lease.term;
  lease.name = holder;
  lease.until = now + ttl;
  return Lease{lease.term, true};
}

Result<void> Store::release(const std::string& name, const std::string& holder) {
  const auto found = leases_.find(name);
  if (found == leases_.end() || found->second.name != holder) return {};
  found->second.name.clear();
  found->second.until = {};
  return {};
}

Result<std::string> Store::requested(const std::string& name) const {
  const auto found = requests_.find(name);
  return found == requests_.end() ? std::string() : found->second;
}

Result<void> Store::request(const std::string& name, const std::string& value) {
  if (name.empty() || name.size() > kWishMax || value.size() > kWishMax) return Errc::invalid;
  requests_[name] = value;
  return {};
}

}  // namespace sluice::simulation
