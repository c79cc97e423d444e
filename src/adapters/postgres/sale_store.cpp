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

constexpr Statement kList{
    "list", "SELECT " SLUICE_SALE_COLUMNS " FROM sales s ORDER BY s.sale_id DESC LIMIT $1::bigint"};

constexpr Statement kGet{
    "get", "SELECT " SLUICE_SALE_COLUMNS " FROM sales s WHERE s.sale_id = $1::bigint"};

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

  Task<std::vector<Sale>> list(Ticks deadline, std::size_t max) override {
    return client_->list<Sale>(deadline, kList, Params(sql::at_most(max, kListMax)));
  }

  Task<std::optional<Sale>> get(Ticks deadline, SaleId sale) override {
    return client_->find<Sale>(deadline, kGet, Params(sale));
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
  std::shared_ptr<Client> client_;
};

}  // namespace

std::unique_ptr<SaleStore> create_sale_store(std::shared_ptr<Client> client) {
  return std::make_unique<PostgresSaleStore>(std::move(client));
}

}  // namespace sluice::postgres
