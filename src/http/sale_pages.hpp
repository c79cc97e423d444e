#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "sluice/base/time.hpp"
#include "sluice/catalog/sale_book.hpp"

#include "http/answer.hpp"
#include "http/page_query.hpp"
#include "http/request.hpp"

namespace sluice::http {

/// Sales as everybody sees them, as bytes with an entity tag.
struct SalePage {
  std::string body;
  std::string etag;
  std::string headers;  ///< Cache-Control and ETag.
  /// While the clock is within, no sale of it begins or ends.
  TimePoint from;
  TimePoint until;
};

SalePage render_sale(const Sale& sale, TimePoint now);

/// 200 with the page, or 304 when the client has it; either says what time it is here.
Answer answer_with(std::shared_ptr<const SalePage> page, const Request& request, TimePoint now);

/// The pages of one snapshot: each is written when it is first asked for, and kept until the
/// snapshot is replaced or a sale of the page begins or ends. One per thread.
class SalePages {
 public:
  using Snapshot = std::shared_ptr<const SaleSnapshot>;

  std::shared_ptr<const SalePage> list(const Snapshot& snapshot, PageQuery query, TimePoint now);
  std::shared_ptr<const SalePage> one(const Snapshot& snapshot, const Sale& sale, TimePoint now);

  /// How many pages were ever written.
  std::size_t rendered() const { return rendered_; }

 private:
  /// Where a page begins, and its limit; that of one sale is 0.
  using Key = std::pair<SaleId, std::size_t>;

  void follow(const Snapshot& snapshot);
  SalePage render_list(PageQuery query, TimePoint now) const;

  template <class Render>
  std::shared_ptr<const SalePage> kept(Key key, TimePoint now, Render render);

  Snapshot snapshot_;
  std::vector<const Sale*> newest_first_;
  std::map<Key, std::shared_ptr<const SalePage>> pages_;
  std::size_t bytes_ = 0;
  std::size_t rendered_ = 0;
};

}  // namespace sluice::http
