#include <algorithm>
#include <limits>
#include <utility>

#include "adapters/sqlite/client.hpp"

namespace sluice::sqlite {
namespace {

Sale sale_of(const Statement::Run& row) {
  Sale sale;
  sale.id = row.integer(0);
  sale.terms.title = row.text(1);
  sale.terms.description = row.text(2);
  sale.terms.unit_price_minor = row.integer(3);
  sale.terms.currency = row.text(4);
  sale.terms.stock = row.integer(5);
  sale.terms.limit_per_order = static_cast<std::uint32_t>(row.integer(6));
  sale.terms.lanes = static_cast<std::uint32_t>(row.integer(7));
  sale.terms.starts_at = from_ms(row.integer(8));
  sale.terms.ends_at = from_ms(row.integer(9));
  const auto state = parse_name<SaleState>(row.text(10));
  if (!state) throw Failure(Errc::invalid, SQLITE_CORRUPT, "a sale has an unknown state");
  sale.state = *state;
  sale.revision = static_cast<std::uint32_t>(row.integer(11));
  sale.terms.pay_within = Millis(row.integer(12));
  return sale;
}

struct SaleStatements {
  Connection& c;
  Statement create{c,
                   "INSERT INTO sales (title, description, unit_price_minor, currency,"
                   " initial_stock, limit_per_order, lanes, starts_at_ms, ends_at_ms, state,"
                   " pay_within_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"};
  Statement create_lane{c, "INSERT INTO product_stock (sale_id, lane, stock) VALUES (?1, ?2, ?3)"};
  Statement list{c,
                 "SELECT sale_id, title, description, unit_price_minor, currency, initial_stock,"
                 " limit_per_order, lanes, starts_at_ms, ends_at_ms, state, revision, pay_within_ms"
                 " FROM sales ORDER BY sale_id DESC LIMIT ?1"};
  Statement get{c,
                "SELECT sale_id, title, description, unit_price_minor, currency, initial_stock,"
                " limit_per_order, lanes, starts_at_ms, ends_at_ms, state, revision, pay_within_ms"
                " FROM sales WHERE sale_id = ?1"};
  Statement set_state{c, "UPDATE sales SET state = ?2, revision = ?3 WHERE sale_id = ?1"};

  std::optional<Sale> find(SaleId sale) {
    auto row = get.run(sale);
    if (!row.next()) return std::nullopt;
    return sale_of(row);
  }
};

Result<Sale> create_sale(Connection& connection, const SaleDraft& draft) {
  if (check(draft)) return Errc::invalid;
  auto& statements = connection.prepared<SaleStatements>();
  Transaction transaction(connection);
  statements.create.change(draft.title, draft.description, draft.unit_price_minor, draft.currency,
                           draft.stock, draft.limit_per_order, draft.lanes, to_ms(draft.starts_at),
                           to_ms(draft.ends_at), name(SaleState::draft), draft.pay_within.count());
  Sale sale;
  sale.id = sqlite3_last_insert_rowid(connection.raw());
  sale.terms = draft;
  for (std::uint32_t lane = 0; lane < draft.lanes; ++lane) {
    statements.create_lane.change(sale.id, lane, lane_stock(draft.stock, draft.lanes, lane));
  }
  transaction.commit();
  return sale;
}

class SqliteSaleStore final : public SaleStore {
 public:
  explicit SqliteSaleStore(std::shared_ptr<Client> client) : client_(std::move(client)) {}

  Task<Sale> create(Ticks deadline, SaleDraft draft) override {
    const auto work = [draft = std::move(draft)](Connection& connection) {
      return create_sale(connection, draft);
    };
    return client_->write<Sale>({"create"}, deadline, work);
  }

  Task<std::vector<Sale>> list(Ticks deadline, std::size_t max) override {
    const auto work = [max](Connection& connection) -> Result<std::vector<Sale>> {
      const auto most = static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max());
      std::vector<Sale> sales;
      auto& list = connection.prepared<SaleStatements>().list;
      auto rows = list.run(static_cast<std::int64_t>(std::min(max, most)));
      while (rows.next()) sales.push_back(sale_of(rows));
      return sales;
    };
    return client_->write<std::vector<Sale>>({"list"}, deadline, work);
  }

  Task<std::optional<Sale>> get(Ticks deadline, SaleId sale) override {
    const auto work = [sale](Connection& connection) -> Result<std::optional<Sale>> {
      return connection.prepared<SaleStatements>().find(sale);
    };
    return client_->write<std::optional<Sale>>({"get"}, deadline, work);
  }

  Task<Sale> set_state(Ticks deadline, SaleId id, SaleState state) override {
    const auto work = [id, state](Connection& connection) -> Result<Sale> {
      auto& statements = connection.prepared<SaleStatements>();
      Transaction transaction(connection);
      auto sale = statements.find(id);
      if (!sale) return Errc::not_found;
      if (sale->state == state) return *sale;
      if (!may_become(sale->state, state)) return Errc::stale;
      ++sale->revision;
      statements.set_state.change(id, name(state), sale->revision);
      transaction.commit();
      sale->state = state;
      return *sale;
    };
    return client_->write<Sale>({"set_state"}, deadline, work);
  }

 private:
  std::shared_ptr<Client> client_;
};

}  // namespace

std::unique_ptr<SaleStore> create_sale_store(std::shared_ptr<Client> client) {
  return std::make_unique<SqliteSaleStore>(std::move(client));
}

}  // namespace sluice::sqlite
