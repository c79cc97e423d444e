#include "app/demo.hpp"

#include <algorithm>

namespace sluice {
namespace {

using std::chrono::hours;

SaleDraft demo_draft(TimePoint now) {
  SaleDraft draft;
  draft.title = "Demo: a thousand mugs";
  draft.description = "A mug with a sluice gate on it. Two to a person, until they are gone.";
  draft.unit_price_minor = 990;
  draft.currency = "EUR";
  draft.stock = 1000;
  draft.limit_per_order = 2;
  draft.starts_at = now;
  draft.ends_at = now + hours(24 * 30);
  return draft;
}

bool sellable(const Sale& sale, TimePoint now) { return phase(sale, now) == WindowPhase::open; }

}  // namespace

Operated<Sale> ensure_demo_sale(Node& node, TimePoint now) {
  const auto sales = node.list_sales();
  if (!sales) return sales.error();
  const auto open =
      std::ranges::find_if(*sales, [&](const Sale& sale) { return sellable(sale, now); });
  if (open != sales->end()) return *open;

  auto created = node.create_sale(demo_draft(now));
  if (!created) return created;
  return node.set_sale_state(created->id, SaleState::open);
}

std::string demo_greeting(const std::string& url, const Sale& sale, const std::string& token) {
  return "\n  The page:  " + url + "/\n" +
         "  Or buy from a shell:\n\n"
         "    curl -X POST " +
         url + "/v1/sales/" + std::to_string(sale.id) +
         "/orders \\\n"
         "      -H 'Content-Type: application/json' -d '{\"quantity\": 1}' \\\n"
         "      -H 'Authorization: Bearer " +
         token + "'\n\n";
}

}  // namespace sluice
