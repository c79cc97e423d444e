#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>

#include "sluice/base/time.hpp"
#include "sluice/fulfilment/result_feed.hpp"
#include "sluice/inventory/inventory.hpp"

namespace sluice {

namespace memory {
class Lanes;
class ResultHub;
}  // namespace memory

/// The lanes of one process. Thread-safe; whoever makes an inventory on it shares it.
using MemoryLanes = std::shared_ptr<memory::Lanes>;

/// Without any lane: each comes into being by `rebuild`, which also bounds its size. `clock` is the
/// inventory's own clock.
MemoryLanes create_memory_lanes(std::shared_ptr<const Clock> clock);

/// Calls are decided inline, under one mutex per lane, and never suspend; deadlines play no part.
/// Thread-safe.
std::unique_ptr<Inventory> create_memory_inventory(MemoryLanes lanes);

/// Carries announcements between the feeds of one process. Thread-safe.
using MemoryResultHub = std::shared_ptr<memory::ResultHub>;
MemoryResultHub create_memory_result_hub();

/// One feed for each executor; its listener runs there. Announcements that a listener does not keep
/// up with (more than 1,024 behind) are dropped. Destroy the feed on its executor's thread or when
/// that no longer runs.
std::unique_ptr<ResultFeed> create_memory_result_feed(MemoryResultHub hub,
                                                      boost::asio::any_io_executor executor);

}  // namespace sluice
