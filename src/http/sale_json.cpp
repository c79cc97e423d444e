#include "http/sale_json.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <utility>

#include "http/page_query.hpp"
#include "http/time_text.hpp"

namespace sluice::http {
namespace {

using Json = nlohmann::ordered_json;

std::string_view name(WindowPhase phase) {
  constexpr std::string_view kNames[] = {"not_started", "open", "ended", "paused", "closed"};
  return kNames[static_cast<std::size_t>(phase)];
}

/// Titles were checked when the sale was made; a store that changed them must not cost the answer.
std::string text(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json public_json(const Sale& sale, TimePoint now) {
  const auto& terms = sale.terms;
  return {{"sale_id", sale.id},
          {"title", terms.title},
          {"description", terms.description},
          {"unit_price_minor", terms.unit_price_minor},
          {"currency", terms.currency},
          {"limit_per_order", terms.limit_per_order},
          {"pay_within_ms", terms.pay_within.count()},
          {"starts_at", rfc3339(terms.starts_at)},
          {"starts_at_ms", terms.starts_at.time_since_epoch().count()},
          {"ends_at", rfc3339(terms.ends_at)},
          {"ends_at_ms", terms.ends_at.time_since_epoch().count()},
          {"phase", name(phase(sale, now))}};
}

Json operator_json(const Sale& sale) {
  Json json = {{"sale_id", sale.id}, {"state", name(sale.state)}, {"finished", sale.finished}};
  json.update(terms_json(sale.terms));
  return json;
}

/// Each returns false when the value is of the wrong kind.
template <class T>
bool take(const JsonValue& value, T& to) {
  const auto* given = std::get_if<T>(&value);
  if (given != nullptr) to = *given;
  return given != nullptr;
}

/// A number out of range becomes one that `check` refuses.
bool take(const JsonValue& value, std::uint32_t& to) {
  std::int64_t number = 0;
  if (!take(value, number)) return false;
  const bool fits = number >= 0 && number <= std::numeric_limits<std::uint32_t>::max();
  to = fits ? static_cast<std::uint32_t>(number) : 0;
  return true;
}

bool take(const JsonValue& value, Millis& to) {
  std::int64_t number = 0;
  if (!take(value, number)) return false;
  to = Millis(number);
  return true;
}

bool take(const JsonValue& value, TimePoint& to) {
  constexpr std::int64_t kYear10000Ms = 253402300800000;
  if (const auto* number = std::get_if<std::int64_t>(&value)) {
    if (*number < 0 || *number >= kYear10000Ms) return false;
    to = TimePoint(Millis(*number));
    return true;
  }
  const auto* text = std::get_if<std::string>(&value);
  const auto time = text != nullptr ? parse_rfc3339(*text) : std::nullopt;
  if (time) to = *time;
  return time.has_value();
}

}  // namespace

Json terms_json(const SaleDraft& terms) {
  return {{"title", terms.title},
          {"description", terms.description},
          {"unit_price_minor", terms.unit_price_minor},
          {"currency", terms.currency},
          {"stock", terms.stock},
          {"limit_per_order", terms.limit_per_order},
          {"lanes", terms.lanes},
          {"pay_within_ms", terms.pay_within.count()},
          {"starts_at", rfc3339(terms.starts_at)},
          {"ends_at", rfc3339(terms.ends_at)}};
}

std::string public_sale(const Sale& sale, TimePoint now) { return text(public_json(sale, now)); }

std::string public_sales(const std::vector<const Sale*>& sales, bool more, TimePoint now) {
  Json json = {{"sales", Json::array()}};
  for (const auto* sale : sales) json["sales"].push_back(public_json(*sale, now));
  if (more) json["next_cursor"] = cursor_behind(sales.back()->id);
  return text(json);
}

std::string operator_sale(const Sale& sale) { return text(operator_json(sale)); }

std::string operator_sales(const std::vector<Sale>& sales, std::size_t limit) {
  Json json = {{"sales", Json::array()}};
  for (const auto& sale : std::span(sales).first(std::min(limit, sales.size()))) {
    json["sales"].push_back(operator_json(sale));
  }
  if (sales.size() > limit) json["next_cursor"] = cursor_behind(sales[limit - 1].id);
  return text(json);
}

Parsed<SaleDraft> read_sale_draft(const Request& request) {
  const auto members =
      read_members(request, {"title", "description", "unit_price_minor", "currency", "stock",
                             "lanes", "limit_per_order", "pay_within_ms", "starts_at", "ends_at"});
  if (!members) return members.error();

  SaleDraft draft;
  std::string_view wrong;
  const auto take_member = [&members, &wrong](std::string_view name, auto& to) {
    const auto member = members->find(name);
    if (member == members->end() || take(member->second, to)) return;
    if (wrong.empty()) wrong = name;
  };
  take_member("title", draft.title);
  take_member("description", draft.description);
  take_member("unit_price_minor", draft.unit_price_minor);
  take_member("currency", draft.currency);
  take_member("stock", draft.stock);
  take_member("lanes", draft.lanes);
  take_member("limit_per_order", draft.limit_per_order);
  take_member("pay_within_ms", draft.pay_within);
  take_member("starts_at", draft.starts_at);
  take_member("ends_at", draft.ends_at);
  if (!wrong.empty()) {
    return refused(Code::invalid_sale, fmt::format("{} is of the wrong kind", wrong));
  }
  for (const std::string_view required : {"title", "stock", "starts_at", "ends_at"}) {
    if (!members->contains(required)) {
      return refused(Code::invalid_sale, fmt::format("{} is missing", required));
    }
  }
  if (auto problem = check(draft)) return refused(Code::invalid_sale, std::move(*problem));
  return draft;
}

}  // namespace sluice::http
