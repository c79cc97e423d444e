#include <string>
#include <utility>
#include <vector>

#include "adapters/postgres/store_parts.hpp"

namespace sluice::postgres {
namespace {

#define SLUICE_SALE_COLUMNS                                                                    \
  "s.sale_id, s.title, s.description, s.unit_price_minor, s.currency, s.stock, "               \
  "s.limit_per_order, s.lanes, s.starts_at, s.ends_at, s.state, s.revision, s.pay_within_ms, " \
  "s.finished, s.change"

/// The lanes' parts are those of `lane_stock`.
constexpr Statement kCreate{
    "create",
    "WITH s AS ("
    "  INSERT INTO sales (title, description, unit_price_minor, currency, stock,"
    "                     limit_per_order, lanes, starts_at, ends_at, pay_within_ms)"
    "  VALUES ($1::text, $2::text, $3::bigint, $4::text, $5::bigint, $6::integer, $7::integer,"
    "          $8::timestamptz, $9::timestamptz, $10::bigint)"
    "  RETURNING *),"
    " lanes AS ("
    "  INSERT INTO product_stock (sale_id, lane, initial, stock)"
    "  SELECT s.sale_id, l.lane, l.stock, l.stock"
    "    FROM s, LATERAL ("
    "      SELECT lane, s.stock / s.lanes + (lane < s.stock % s.lanes)::integer AS stock"
    "        FROM generate_series(0, s.lanes - 1) AS lane) l)"
    " SELECT " SLUICE_SALE_COLUMNS " FROM s"};

#define SLUICE_SALES_BEFORE " s.sale_id < $1::bigint ORDER BY s.sale_id DESC LIMIT $2::bigint"

constexpr Statement kList{"list",
                          "SELECT " SLUICE_SALE_COLUMNS " FROM sales s WHERE" SLUICE_SALES_BEFORE};

/// Each has an index of its own.
constexpr Statement kListUnfinished{"list_unfinished",
                                    "SELECT " SLUICE_SALE_COLUMNS
                                    " FROM sales s WHERE s.state <> 'draft' AND NOT s.finished"
                                    " AND" SLUICE_SALES_BEFORE};
constexpr Statement kListFinished{"list_finished",
                                  "SELECT " SLUICE_SALE_COLUMNS
                                  " FROM sales s WHERE s.finished AND" SLUICE_SALES_BEFORE};

constexpr Statement kLastChange{"last_change", "SELECT newest FROM sale_changes"};

constexpr Statement kChanged{"changed", "SELECT " SLUICE_SALE_COLUMNS
                                        " FROM sales s"
                                        " WHERE s.change > $1::bigint AND s.state <> 'draft'"
                                        " ORDER BY s.change LIMIT $2::bigint"};

constexpr Statement kGet{
    "get", "SELECT " SLUICE_SALE_COLUMNS " FROM sales s WHERE s.sale_id = $1::bigint"};

constexpr Statement kFind{"find_sales", "SELECT " SLUICE_SALE_COLUMNS
                                        " FROM sales s WHERE s.sale_id = ANY ($1::bigint[])"};

constexpr Statement kFinish{
    "finish",
    "UPDATE sales s SET finished = true"
    " WHERE s.sale_id = ANY ($1::bigint[]) AND s.state = 'closed' AND NOT s.finished"
    " AND NOT EXISTS (SELECT FROM outbox b WHERE b.sale_id = s.sale_id)"
    " AND NOT EXISTS (SELECT FROM late_orders l WHERE l.sale_id = s.sale_id AND l.reason = 'none')"
    " AND NOT EXISTS (SELECT FROM orders o WHERE o.sale_id = s.sale_id"
    "                    AND o.status = 'confirmed' AND o.pay_by IS NOT NULL)"};

constexpr Statement kSetState{"set_state",
                              "UPDATE sales s SET state = $2::text::sale_state,"
                              " revision = revision + (state <> $2::text::sale_state)::integer"
                              " WHERE s.sale_id = $1::bigint AND s.state::text = ANY ($3::text[])"
                              " RETURNING " SLUICE_SALE_COLUMNS};

class PostgresSaleStore final : public SaleStore {
 public:
  explicit PostgresSaleStore(std::shared_ptr<Client> client) : client_(std::move(client)) {}

  Task<Sale> create(Ticks deadline, SaleDraft draft) override {
    if (check(draft)) co_return Errc::invalid;
    Params params(draft.title, draft.description, draft.unit_price_minor, draft.currency,
                  draft.stock, draft.limit_per_order, draft.lanes, draft.starts_at, draft.ends_at,
                  draft.pay_within.count());
    co_return co_await client_->get<Sale>(deadline, kCreate, std::move(params));
  }

  Task<std::vector<Sale>> list(Ticks deadline, SaleFilter which, SaleId before,
                               std::size_t max) override {
    const auto& statement = which == SaleFilter::all          ? kList
                            : which == SaleFilter::unfinished ? kListUnfinished
                                                              : kListFinished;
    return client_->list<Sale>(deadline, statement,
                               Params(before, sql::at_most(max, kSalesPageMax)));
  }

  Task<std::uint64_t> last_change(Ticks deadline) override {
    return client_->get<std::uint64_t>(deadline, kLastChange, Params());
  }

  Task<std::vector<Sale>> changed(Ticks deadline, std::uint64_t after, std::size_t max) override {
    Params params(static_cast<std::int64_t>(after), sql::at_most(max, kSalesPageMax));
    return client_->list<Sale>(deadline, kChanged, std::move(params));
  }

  Task<std::optional<Sale>> get(Ticks deadline, SaleId sale) override {
    return client_->find<Sale>(deadline, kGet, Params(sale));
  }

  Task<std::vector<Sale>> find(Ticks deadline, std::vector<SaleId> sales) override {
    if (sales.size() > kSalesPageMax) co_return Errc::overloaded;
    co_return co_await client_->list<Sale>(deadline, kFind, ids_of(sales));
  }

  Task<> finish(Ticks deadline, std::vector<SaleId> sales) override {
    if (sales.size() > kSalesPageMax) co_return Errc::overloaded;
    co_return co_await client_->change(deadline, kFinish, ids_of(sales));
  }

  Task<Sale> set_state(Ticks deadline, SaleId sale, SaleState state) override {
    std::vector<SaleState> from;
    for (const auto s : {SaleState::draft, SaleState::open, SaleState::paused, SaleState::closed}) {
      if (s == state || may_become(s, state)) from.push_back(s);
    }
    Params params(sale, name(state));
    params.array(from, [](SaleState s) { return name(s); });
    auto set = co_await client_->find<Sale>(deadline, kSetState, std::move(params));
    if (!set) co_return set.error();
    if (*set) co_return std::move(**set);
    const auto present = co_await get(deadline, sale);
    if (!present) co_return present.error();
    co_return *present ? Errc::stale : Errc::not_found;
  }

 private:
  static Params ids_of(const std::vector<SaleId>& sales) {
    Params params;
    params.array(sales, [](SaleId sale) { return sale; });
    return params;
  }

  std::shared_ptr<Client> client_;
};

}  // namespace

std::unique_ptr<SaleStore> create_sale_store(std::shared_ptr<Client> client) {
  return std::make_unique<PostgresSaleStore>(std::move(client));
}

}  // namespace sluice::postgres
