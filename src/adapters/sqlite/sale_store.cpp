#include <algorithm>
#include <limits>
#include <utility>

#include "adapters/sqlite/stores.hpp"

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
  const auto state = parse_sale_state(row.text(10));
  if (!state) throw Failure(Errc::invalid, SQLITE_CORRUPT, "a sale has an unknown state");
  sale.state = *state;
  sale.revision = static_cast<std::uint32_t>(row.integer(11));
  sale.terms.pay_within = Millis(row.integer(12));
  return sale;
}

class SaleStoreImpl final : public SaleStore {
 public:
  explicit SaleStoreImpl(std::shared_ptr<Database> database) : database_(std::move(database)) {}

  Task<Sale> create(Ticks deadline, SaleDraft draft) override {
    const auto work = [&] {
      return create_now(draft);
    };
    co_return database_->answer(deadline, work);
  }

  Task<std::vector<Sale>> list(Ticks deadline, std::size_t max) override {
    const auto work = [&]() -> Result<std::vector<Sale>> {
      const auto most = static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max());
      std::vector<Sale> sales;
      auto rows = list_.run(static_cast<std::int64_t>(std::min(max, most)));
      while (rows.next()) sales.push_back(sale_of(rows));
      return sales;
    };
    co_return database_->answer(deadline, work);
  }

  Task<std::optional<Sale>> get(Ticks deadline, SaleId sale) override {
    const auto work = [&]() -> Result<std::optional<Sale>> {
      return get_now(sale);
    };
    co_return database_->answer(deadline, work);
  }

  Task<Sale> set_state(Ticks deadline, SaleId sale, SaleState state) override {
    const auto work = [&] {
      return set_state_now(sale, state);
    };
    co_return database_->answer(deadline, work);
  }

 private:
  Result<Sale> create_now(const SaleDraft& draft) {
    if (check(draft)) return Errc::invalid;
    Transaction transaction(*database_);
    create_.change(draft.title, draft.description, draft.unit_price_minor, draft.currency,
                   draft.stock, draft.limit_per_order, draft.lanes, to_ms(draft.starts_at),
                   to_ms(draft.ends_at), name(SaleState::draft), draft.pay_within.count());
    Sale sale;
    sale.id = sqlite3_last_insert_rowid(database_->raw());
    sale.terms = draft;
    for (std::uint32_t lane = 0; lane < draft.lanes; ++lane) {
      create_lane_.change(sale.id, lane, lane_stock(draft.stock, draft.lanes, lane));
    }
    transaction.commit();
    return sale;
  }

  std::optional<Sale> get_now(SaleId sale) {
    auto row = get_.run(sale);
    if (!row.next()) return std::nullopt;
    return sale_of(row);
  }

  Result<Sale> set_state_now(SaleId id, SaleState state) {
    Transaction transaction(*database_);
    auto sale = get_now(id);
    if (!sale) return Errc::not_found;
    if (sale->state == state) return *sale;
    if (!may_become(sale->state, state)) return Errc::stale;
    ++sale->revision;
    set_state_.change(id, name(state), sale->revision);
    transaction.commit();
    sale->state = state;
    return *sale;
  }

  std::shared_ptr<Database> database_;
  Statement create_{*database_,
                    "INSERT INTO sales (title, description, unit_price_minor, currency,"
                    " initial_stock, limit_per_order, lanes, starts_at_ms, ends_at_ms, state,"
                    " pay_within_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"};
  Statement create_lane_{*database_,
                         "INSERT INTO product_stock (sale_id, lane, stock) VALUES (?1, ?2, ?3)"};
  Statement list_{
      *database_,
      "SELECT sale_id, title, description, unit_price_minor, currency, initial_stock,"
      " limit_per_order, lanes, starts_at_ms, ends_at_ms, state, revision, pay_within_ms"
      " FROM sales ORDER BY sale_id DESC LIMIT ?1"};
  Statement get_{*database_,
                 "SELECT sale_id, title, description, unit_price_minor, currency, initial_stock,"
                 " limit_per_order, lanes, starts_at_ms, ends_at_ms, state, revision, pay_within_ms"
                 " FROM sales WHERE sale_id = ?1"};
  Statement set_state_{*database_, "UPDATE sales SET state = ?2, revision = ?3 WHERE sale_id = ?1"};
};

}  // namespace

std::unique_ptr<SaleStore> create_sale_store(std::shared_ptr<Database> database) {
  return std::make_unique<SaleStoreImpl>(std::move(database));
}

}  // namespace sluice::sqlite
