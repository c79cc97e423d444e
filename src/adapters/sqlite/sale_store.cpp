#include <utility>

#include "adapters/sqlite/client.hpp"

namespace sluice::sqlite {
namespace {

const std::string kSaleQuery =
    "SELECT sale_id, title, description, unit_price_minor, currency, initial_stock,"
    " limit_per_order, lanes, starts_at_ms, ends_at_ms, state, revision, pay_within_ms, finished, "
    "change"
    " FROM sales";
const std::string kBefore = " sale_id < ?1 ORDER BY sale_id DESC LIMIT ?2";

struct Sales {
  Connection& c;
  Statement create_{c,
                    "INSERT INTO sales (title, description, unit_price_minor, currency,"
                    " initial_stock, limit_per_order, lanes, starts_at_ms, ends_at_ms, state,"
                    " pay_within_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"};
  Statement create_lane_{c, "INSERT INTO product_stock (sale_id, lane, stock) VALUES (?1, ?2, ?3)"};
  Statement list_{c, kSaleQuery + " WHERE" + kBefore};
  // Each has an index of its own.
  Statement unfinished_{c, kSaleQuery + " WHERE state <> 'draft' AND finished = 0 AND" + kBefore};
  Statement finished_{c, kSaleQuery + " WHERE finished = 1 AND" + kBefore};
  Statement last_change_{c, "SELECT coalesce(max(change), 0) FROM sales WHERE state <> 'draft'"};
  Statement changed_{
      c, kSaleQuery + " WHERE change > ?1 AND state <> 'draft' ORDER BY change LIMIT ?2"};
  Statement finish_{c,
                    "UPDATE sales SET finished = 1"
                    " WHERE sale_id = ?1 AND state = 'closed' AND finished = 0"
                    " AND NOT EXISTS (SELECT 1 FROM outbox AS b WHERE b.sale_id = sales.sale_id)"
                    " AND NOT EXISTS (SELECT 1 FROM late_orders AS l"
                    " WHERE l.sale_id = sales.sale_id AND l.reason = 'none')"
                    " AND NOT EXISTS (SELECT 1 FROM orders AS o WHERE o.sale_id = sales.sale_id"
                    " AND o.status = 'confirmed' AND o.pay_by_ms IS NOT NULL)"};
  Statement get_{c, kSaleQuery + " WHERE sale_id = ?1"};
  Statement set_state_{c, "UPDATE sales SET state = ?2, revision = ?3 WHERE sale_id = ?1"};

  Result<Sale> create(const SaleDraft& draft) {
    if (check(draft)) return Errc::invalid;
    Transaction transaction(c);
    create_.change(draft.title, draft.description, draft.unit_price_minor, draft.currency,
                   draft.stock, draft.limit_per_order, draft.lanes, draft.starts_at, draft.ends_at,
                   name(SaleState::draft), draft.pay_within.count());
    Sale sale;
    sale.id = sqlite3_last_insert_rowid(c.raw());
    sale.terms = draft;
    for (std::uint32_t lane = 0; lane < draft.lanes; ++lane) {
      create_lane_.change(sale.id, lane, lane_stock(draft.stock, draft.lanes, lane));
    }
    transaction.commit();
    return sale;
  }

  Result<std::vector<Sale>> list(SaleFilter which, SaleId before, std::size_t max) {
    auto& statement = which == SaleFilter::all          ? list_
                      : which == SaleFilter::unfinished ? unfinished_
                                                        : finished_;
    return statement.all<Sale>(before, sql::at_most(max, kSalesPageMax));
  }

  Result<std::uint64_t> last_change() { return *last_change_.first<std::uint64_t>(); }

  Result<std::vector<Sale>> changed(std::uint64_t after, std::size_t max) {
    return changed_.all<Sale>(static_cast<std::int64_t>(after), sql::at_most(max, kSalesPageMax));
  }

  Result<std::vector<Sale>> find(const std::vector<SaleId>& ids) {
    std::vector<Sale> found;
    for (const auto id : ids) {
      if (auto sale = get_.first<Sale>(id)) found.push_back(std::move(*sale));
    }
    return found;
  }

  Result<void> finish(const std::vector<SaleId>& ids) {
    Transaction transaction(c);
    for (const auto id : ids) finish_.change(id);
    transaction.commit();
    return {};
  }

  Result<std::optional<Sale>> get(SaleId sale) { return get_.first<Sale>(sale); }

  Result<Sale> set_state(SaleId id, SaleState state) {
    Transaction transaction(c);
    auto sale = get_.first<Sale>(id);
    if (!sale) return Errc::not_found;
    if (sale->state == state) return *sale;
    if (!may_become(sale->state, state)) return Errc::stale;
    ++sale->revision;
    set_state_.change(id, name(state), sale->revision);
    sale = get_.first<Sale>(id);
    transaction.commit();
    return *sale;
  }
};

class SqliteSaleStore final : public SaleStore {
 public:
  explicit SqliteSaleStore(std::shared_ptr<Client> client) : client_(std::move(client)) {}

  Task<Sale> create(Ticks deadline, SaleDraft draft) override {
    return client_->write("create", deadline, &Sales::create, draft);
  }

  Task<std::vector<Sale>> list(Ticks deadline, SaleFilter which, SaleId before,
                               std::size_t max) override {
    return client_->write("list", deadline, &Sales::list, which, before, max);
  }

  Task<std::uint64_t> last_change(Ticks deadline) override {
    return client_->write("last_change", deadline, &Sales::last_change);
  }

  Task<std::vector<Sale>> changed(Ticks deadline, std::uint64_t after, std::size_t max) override {
    return client_->write("changed", deadline, &Sales::changed, after, max);
  }

  Task<std::vector<Sale>> find(Ticks deadline, std::vector<SaleId> sales) override {
    if (sales.size() > kSalesPageMax) co_return Errc::overloaded;
    co_return co_await client_->write("find_sales", deadline, &Sales::find, sales);
  }

  Task<> finish(Ticks deadline, std::vector<SaleId> sales) override {
    if (sales.size() > kSalesPageMax) co_return Errc::overloaded;
    co_return co_await client_->write("finish", deadline, &Sales::finish, sales);
  }

  Task<std::optional<Sale>> get(Ticks deadline, SaleId sale) override {
    return client_->write("get", deadline, &Sales::get, sale);
  }

  Task<Sale> set_state(Ticks deadline, SaleId id, SaleState state) override {
    return client_->write("set_state", deadline, &Sales::set_state, id, state);
  }

 private:
  std::shared_ptr<Client> client_;
};

}  // namespace

std::unique_ptr<SaleStore> create_sale_store(std::shared_ptr<Client> client) {
  return std::make_unique<SqliteSaleStore>(std::move(client));
}

}  // namespace sluice::sqlite
