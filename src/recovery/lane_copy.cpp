#include "sluice/recovery/lane_copy.hpp"

#include <utility>

namespace sluice {

LaneCopy::LaneCopy(StoredImage image, Millis call_timeout, const Clock& clock)
    : image_(std::move(image)),
      call_timeout_(call_timeout),
      clock_(clock),
      last_page_(clock.ticks()) {}

Task<> LaneCopy::go_on(Inventory& inventory, Ticks enough) {
  do {
    const auto copied = co_await copy_page(inventory);
    if (!copied) co_return copied;
  } while (!all_staged() && clock_.ticks() < enough);
  co_return boost::system::in_place_value;
}

Task<> LaneCopy::copy_page(Inventory& inventory) {
  const auto page = co_await image_.pages->next(clock_.ticks() + call_timeout_);
  if (!page) co_return page.error();
  // Also an image without orders is staged.
  if (!page->orders.empty() || staged_ == 0) {
    const auto staged = co_await inventory.stage(call(), staged_, page->orders);
    if (!staged) co_return staged;
  }
  staged_ += page->orders.size();
  for (const auto& [user, order] : page->orders) staged_units_ += order.quantity;
  last_page_ = clock_.ticks();
  if (page->last) image_.pages.reset();
  co_return boost::system::in_place_value;
}

Task<> LaneCopy::open(Inventory& inventory) { return inventory.rebuild(call(), lane(), staged_); }

Task<> LaneCopy::undo(Inventory& inventory) {
  image_.pages.reset();
  return inventory.unstage(call());
}

}  // namespace sluice
