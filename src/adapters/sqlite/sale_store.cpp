#include <limits>
#include <utility>

#include "adapters/sqlite/client.hpp"

namespace sluice::sqlite {
namespace {

constexpr std::size_t kListMax = std::numeric_limits<std::int32_t>::max();

const std::string kSaleQuery =
    "SELECT sale_id, title, description, unit_price_minor, currency, initial_stock,"
    " limit_per_order, lanes, starts_at_ms, ends_at_ms, state, revision, pay_within_ms FROM sales";

struct Sales {
  Connection& c;
  Statement create_{c,
                    "INSERT INTO sales (title, description, unit_price_minor, currency,"
                    " initial_stock, limit_per_order, lanes, starts_at_ms, ends_at_ms, state,"
                    " pay_within_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"};
  Statement create_lane_{c, "INSERT INTO product_stock (sale_id, lane, stock) VALUES (?1, ?2, ?3)"};
  Statement list_{c, kSaleQuery + " ORDER BY sale_id DESC LIMIT ?1"};
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

  Result<std::vector<Sale>> list(std::size_t max) {
    return list_.all<Sale>(sql::at_most(max, kListMax));
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
    transaction.commit();
    sale->state = state;
    return *sale;
  }
};

class SqliteSaleStore final : public SaleStore {
 public:
  explicit SqliteSaleStore(std::shared_ptr<Client> client) : client_(std::move(client)) {}

  Task<Sale> create(Ticks deadline, SaleDraft draft) override {
    return client_->write("create", deadline, &Sales::create, draft);
  }

  Task<std::vector<Sale>> list(Ticks deadline, std::size_t max) override {
    return client_->write("list", deadline, &Sales::list, max);
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
