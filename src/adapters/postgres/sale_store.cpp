#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "adapters/postgres/store_parts.hpp"

namespace sluice::postgres {
namespace {

constexpr std::size_t kListMax = 10'000;

#define SLUICE_SALE_COLUMNS                                                      \
  "s.sale_id, s.title, s.description, s.unit_price_minor, s.currency, s.stock, " \
  "s.limit_per_order, s.lanes, s.starts_at, s.ends_at, s.state, s.revision, s.pay_within_ms"

constexpr Statement kCreate{
    "create",
    "WITH s AS ("
    "  INSERT INTO sales (title, description, unit_price_minor, currency, stock,"
    "                     limit_per_order, lanes, starts_at, ends_at, pay_within_ms)"
    "  VALUES ($1::text, $2::text, $3::bigint, $4::text, $5::bigint, $6::integer, $7::integer,"
    "          $8::timestamptz, $9::timestamptz, $12::bigint)"
    "  RETURNING *),"
    " lanes AS ("
    "  INSERT INTO product_stock (sale_id, lane, initial, stock)"
    "  SELECT s.sale_id, l.lane, l.stock, l.stock"
    "    FROM s, unnest($10::integer[], $11::bigint[]) AS l (lane, stock))"
    " SELECT " SLUICE_SALE_COLUMNS " FROM s"};

constexpr Statement kList{
    "list", "SELECT " SLUICE_SALE_COLUMNS " FROM sales s ORDER BY s.sale_id DESC LIMIT $1::bigint"};

constexpr Statement kGet{
    "get", "SELECT " SLUICE_SALE_COLUMNS " FROM sales s WHERE s.sale_id = $1::bigint"};

constexpr Statement kSetState{"set_state",
                              "UPDATE sales s SET state = $2::text::sale_state,"
                              " revision = revision + (state <> $2::text::sale_state)::integer"
                              " WHERE s.sale_id = $1::bigint AND s.state::text = ANY ($3::text[])"
                              " RETURNING " SLUICE_SALE_COLUMNS};

/// The sale of one row; `Errc::invalid` when its state is beyond this program's domain.
Result<Sale> read_sale(const Rows& rows, std::size_t row) {
  const auto state = parse_name<SaleState>(rows.text(row, 10));
  if (!state) return Errc::invalid;
  Sale sale;
  sale.id = rows.int8(row, 0);
  sale.terms.title = rows.text(row, 1);
  sale.terms.description = rows.text(row, 2);
  sale.terms.unit_price_minor = rows.int8(row, 3);
  sale.terms.currency = rows.text(row, 4);
  sale.terms.stock = rows.int8(row, 5);
  sale.terms.limit_per_order = static_cast<std::uint32_t>(rows.int4(row, 6));
  sale.terms.lanes = static_cast<std::uint32_t>(rows.int4(row, 7));
  sale.terms.starts_at = rows.time(row, 8);
  sale.terms.ends_at = rows.time(row, 9);
  sale.state = *state;
  sale.revision = static_cast<std::uint32_t>(rows.int4(row, 11));
  sale.terms.pay_within = Millis(rows.int8(row, 12));
  return sale;
}

Params create_params(const SaleDraft& draft) {
  std::vector<std::uint32_t> lanes(draft.lanes);
  std::iota(lanes.begin(), lanes.end(), 0u);
  Params params(draft.title, draft.description, draft.unit_price_minor, draft.currency, draft.stock,
                to_int4(draft.limit_per_order), to_int4(draft.lanes), draft.starts_at,
                draft.ends_at);
  params.int4s(lanes, [](std::uint32_t lane) { return to_int4(lane); });
  params.int8s(lanes,
               [&](std::uint32_t lane) { return lane_stock(draft.stock, draft.lanes, lane); });
  params.int8(draft.pay_within.count());
  return params;
}

class PostgresSaleStore final : public SaleStore {
 public:
  explicit PostgresSaleStore(std::shared_ptr<Client> client) : client_(std::move(client)) {}

  Task<Sale> create(Ticks deadline, SaleDraft draft) override {
    // Before anything is sized by the number of lanes.
    if (check(draft)) co_return Errc::invalid;
    auto params = create_params(draft);
    const auto rows = co_await client_->run(deadline, kCreate, std::move(params));
    if (rows.has_error()) co_return rows.error();
    co_return read_sale(*rows, 0);
  }

  Task<std::vector<Sale>> list(Ticks deadline, std::size_t max) override {
    Params params(static_cast<std::int64_t>(std::min(max, kListMax)));
    const auto rows = co_await client_->run(deadline, kList, std::move(params));
    if (rows.has_error()) co_return rows.error();
    std::vector<Sale> sales;
    for (std::size_t i = 0; i < rows->size(); ++i) {
      auto sale = read_sale(*rows, i);
      if (sale.has_error()) co_return sale.error();
      sales.push_back(std::move(*sale));
    }
    co_return sales;
  }

  Task<std::optional<Sale>> get(Ticks deadline, SaleId sale) override {
    Params params(sale);
    const auto rows = co_await client_->run(deadline, kGet, std::move(params));
    if (rows.has_error()) co_return rows.error();
    if (rows->size() == 0) co_return std::optional<Sale>();
    auto found = read_sale(*rows, 0);
    if (found.has_error()) co_return found.error();
    co_return std::optional<Sale>(std::move(*found));
  }

  Task<Sale> set_state(Ticks deadline, SaleId sale, SaleState state) override {
    std::vector<SaleState> from;
    for (const auto s : {SaleState::draft, SaleState::open, SaleState::paused, SaleState::closed}) {
      if (s == state || may_become(s, state)) from.push_back(s);
    }
    Params params(sale, name(state));
    params.texts(from, [](SaleState s) { return name(s); });
    const auto rows = co_await client_->run(deadline, kSetState, std::move(params));
    if (rows.has_error()) co_return rows.error();
    if (rows->size() == 1) co_return read_sale(*rows, 0);
    const auto present = co_await get(deadline, sale);
    if (present.has_error()) co_return present.error();
    co_return *present ? Errc::stale : Errc::not_found;
  }

 private:
  std::shared_ptr<Client> client_;
};

}  // namespace

std::unique_ptr<SaleStore> create_sale_store(std::shared_ptr<Client> client) {
  return std::make_unique<PostgresSaleStore>(std::move(client));
}

}  // namespace sluice::postgres
