#pragma once

#include <cstddef>

#include "sluice/base/time.hpp"

namespace sluice {

struct PurchaseSettings {
  std::size_t batch_max = 256;   ///< Purchases reserved by one call; 1 … 1,024.
  std::size_t batches_max = 16;  ///< Publishes under way for each lane and thread.
  Millis reserve_timeout{500};   ///< For one reserve call.
  Millis publish_timeout{2000};  ///< From the reservation until the queue's acknowledgement.
  Millis answer_timeout{3000};   ///< After this a purchase whose outcome is open is said to be so.
  Millis sold_out_fresh{1000};   ///< How long a "sold out" is repeated without asking the lane.
};

}  // namespace sluice
