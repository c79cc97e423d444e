#include "http/sale_pages.hpp"

#include <algorithm>
#include <fmt/format.h>

#include "sluice/base/hash.hpp"

#include "http/sale_json.hpp"
#include "http/static_files.hpp"

namespace sluice::http {
namespace {

constexpr std::size_t kBytesMax = 8 << 20;  // Of the bodies that a thread keeps.

/// When the phase of the sale changes next, unless an operator changes it.
TimePoint phase_ends(const Sale& sale, TimePoint now) {
  if (now < sale.terms.starts_at) return sale.terms.starts_at;
  return now < sale.terms.ends_at ? sale.terms.ends_at : TimePoint::max();
}

SalePage page_of(std::string body, TimePoint now) {
  // The key is fixed: nodes behind one balancer must give the same tag.
  const HashKey key{};
  SalePage page;
  page.etag = fmt::format("\"{:016x}\"", keyed_hash(key, body));
  page.headers = fmt::format("Cache-Control: public, max-age=1\r\nETag: {}\r\n", page.etag);
  page.body = std::move(body);
  page.from = now;
  page.until = TimePoint::max();
  return page;
}

}  // namespace

SalePage render_sale(const Sale& sale, TimePoint now) {
  auto page = page_of(public_sale(sale, now), now);
  page.until = phase_ends(sale, now);
  return page;
}

Answer answer_with(std::shared_ptr<const SalePage> page, const Request& request, TimePoint now) {
  Answer answer;
  answer.headers = page->headers;
  fmt::format_to(std::back_inserter(answer.headers), "Server-Time-Ms: {}\r\n",
                 now.time_since_epoch().count());
  if (names_etag(request.if_none_match, page->etag)) {
    answer.status = 304;
    return answer;
  }
  answer.type = kJson;
  answer.shared_body = {page, &page->body};
  return answer;
}

std::shared_ptr<const SalePage> SalePages::list(const Snapshot& snapshot, PageQuery query,
                                                TimePoint now) {
  follow(snapshot);
  const auto render = [&] { return render_list(query, now); };
  return kept({query.before, query.limit}, now, render);
}

std::shared_ptr<const SalePage> SalePages::one(const Snapshot& snapshot, const Sale& sale,
                                               TimePoint now) {
  follow(snapshot);
  const auto render = [&] { return render_sale(sale, now); };
  return kept({sale.id, 0}, now, render);
}

void SalePages::follow(const Snapshot& snapshot) {
  if (snapshot_ == snapshot) return;
  snapshot_ = snapshot;
  pages_.clear();
  bytes_ = 0;
  newest_first_.clear();
  for (const auto& [id, sale] : snapshot->sales) newest_first_.push_back(&sale);
  std::ranges::sort(newest_first_, std::greater{}, &Sale::id);
}

template <class Render>
std::shared_ptr<const SalePage> SalePages::kept(Key key, TimePoint now, Render render) {
  auto& page = pages_[key];
  if (page && page->from <= now && now < page->until) return page;
  ++rendered_;
  auto fresh = std::make_shared<const SalePage>(render());
  bytes_ += fresh->body.size();
  if (page) bytes_ -= page->body.size();
  page = fresh;
  if (bytes_ > kBytesMax) {
    pages_.clear();
    bytes_ = 0;
  }
  return fresh;
}

SalePage SalePages::render_list(PageQuery query, TimePoint now) const {
  const auto first =
      std::ranges::upper_bound(newest_first_, query.before, std::greater{}, &Sale::id);
  const auto left = static_cast<std::size_t>(newest_first_.end() - first);
  const std::vector<const Sale*> sales(
      first, first + static_cast<std::ptrdiff_t>(std::min(left, query.limit)));
  auto page = page_of(public_sales(sales, left > query.limit, now), now);
  for (const auto* sale : sales) page.until = std::min(page.until, phase_ends(*sale, now));
  return page;
}

}  // namespace sluice::http
