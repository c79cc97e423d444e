#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>

#include "sluice/adapters/kafka/settings.hpp"
#include "sluice/base/result.hpp"
#include "sluice/base/time.hpp"
#include "sluice/fulfilment/order_feed.hpp"
#include "sluice/orders/order_store.hpp"

namespace sluice {

/// One member of the consumer group, for one fulfilment thread. Partitions are shared out over the
/// group's members by the brokers; where to read comes from `positions`, and nothing is ever
/// committed to Kafka. On every rebalance what was read ahead is dropped and the positions are read
/// again; a delivery still being applied then is protected by the store's `WHERE next = begin`.
///
/// It belongs to `executor`, on which it is awaited and destroyed, and ends before its io_context.
///
/// `next` takes up to its deadline, and up to half a second more when a partition's leader does not
/// answer; it must be called again within `max_poll_interval` or the partitions are
/// lost. Its errors, after which the caller pauses and calls it again:
/// - what `positions` answered, while positions of new partitions cannot be read: nothing is
///   consumed;
/// - `Errc::unavailable` when the group refuses this member for good.
///
/// A fence ends a stretch: it lies behind all messages of the delivery. Several in a row may share
/// one. Poison: no value, an empty one, one above `message_bytes_max` (its first 64 KiB are kept),
/// a fence of a lane of another partition, and whatever is neither order message nor fence; `why`
/// names the offset.
///
/// When a position is outside of its partition (records deleted, topic truncated or created anew),
/// the log says so and a stretch without messages moves the position to the oldest record there is,
/// forward or back, where reading goes on; applying a message again changes nothing. A position
/// that happens to lie inside of a topic created anew cannot be told from a good one: what is
/// before it is not read, and recovery decides it from the pending records.
///
/// `dead_letter` returns when the brokers acknowledged. Headers: why, topic, partition, offsets.
///
/// `positions` must outlive the feed. The destructor leaves the group, which takes a moment.
/// `Errc::invalid` when the settings are refused; the log says why.
Result<std::unique_ptr<OrderFeed>> create_kafka_feed(const boost::asio::any_io_executor& executor,
                                                     const KafkaSettings& settings,
                                                     OrderStore& positions,
                                                     std::shared_ptr<const Clock> clock);

}  // namespace sluice
