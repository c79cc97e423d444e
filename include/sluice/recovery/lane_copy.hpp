#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "sluice/base/result.hpp"
#include "sluice/base/time.hpp"
#include "sluice/domain/lane.hpp"
#include "sluice/inventory/inventory.hpp"
#include "sluice/orders/order_store.hpp"

namespace sluice {

/// How much of a lane's image is in the inventory's staging.
struct CopyProgress {
  std::int64_t staged_units = 0;
  std::int64_t units = 0;  ///< That live orders hold.
};

/// A lane's image on its way from the store into the inventory, page by page, all as of one
/// instant. Each call has a deadline of its own, the whole has none.
class LaneCopy {
 public:
  LaneCopy(StoredImage image, Millis call_timeout, const Clock& clock);

  /// Copies until `enough` or `all_staged`, but at least one page. After an error nothing goes on:
  /// the store has let the instant go.
  Task<> go_on(Inventory& inventory, Ticks enough);

  /// Opens the lane with what is staged.
  Task<> open(Inventory& inventory);

  /// Forgets what is staged.
  Task<> undo(Inventory& inventory);

  const LaneImage& lane() const { return image_.lane; }
  std::size_t orders() const { return staged_; }
  bool all_staged() const { return !image_.pages; }
  CopyProgress progress() const { return {staged_units_, image_.lane.sold}; }
  Ticks last_page() const { return last_page_; }

 private:
  Task<> copy_page(Inventory& inventory);
  Call call() const { return {lane().lane, lane().epoch, clock_.ticks() + call_timeout_}; }

  StoredImage image_;
  const Millis call_timeout_;
  const Clock& clock_;
  std::size_t staged_ = 0;
  std::int64_t staged_units_ = 0;
  Ticks last_page_;
};

}  // namespace sluice
