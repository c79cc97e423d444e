#include "simulation/log.hpp"

#include <algorithm>
#include <utility>

namespace sluice::simulation {
namespace {

constexpr Millis kSessionMax{4000};
constexpr Millis kNoticeMax{2000};
constexpr Millis kTardyMax{8000};

}  // namespace

Log::Log(Scheduler& scheduler, Story& story, const Clock& clock, std::int32_t partitions)
    : scheduler_(scheduler),
      story_(story),
      clock_(clock),
      records_(static_cast<std::size_t>(partitions)) {}

std::int32_t Log::partition_of(LaneId lane) const {
  return static_cast<std::int32_t>((static_cast<std::size_t>(lane.sale) + lane.index) %
                                   records_.size());
}

void Log::append(std::int32_t partition, Record record) {
  on_append(record);
  records_.at(static_cast<std::size_t>(partition)).push_back(std::move(record));
  auto sleepers = std::move(sleepers_);
  sleepers_.clear();
  for (const auto& wake : sleepers) wake();
}

std::int64_t Log::end() const {
  std::size_t end = 0;
  for (const auto& partition : records_) end += partition.size();
  return static_cast<std::int64_t>(end);
}

Delivery Log::read(std::int32_t partition, std::int64_t begin, std::size_t max) const {
  const auto& records = records_.at(static_cast<std::size_t>(partition));
  Delivery delivery;
  OffsetRange range;
  range.topic = kTopic;
  range.partition = partition;
  range.begin = range.next = begin;
  range.log_time = clock_.now();
  auto at = static_cast<std::size_t>(begin);
  const auto full = at + max;
  for (; at < records.size() && at < full; ++at) {
    const auto& record = records[at];
    if (const auto* message = std::get_if<OrderMessage>(&record)) {
      // A stretch ends behind its fences: what follows them belongs to the next.
      if (!range.fences.empty()) break;
      delivery.messages.push_back(*message);
    } else if (const auto* fence = std::get_if<Fence>(&record)) {
      range.fences.push_back(*fence);
    } else {
      if (!range.fences.empty()) break;
      delivery.poison.push_back({std::get<std::string>(record), "not an order"});
    }
  }
  range.next = static_cast<std::int64_t>(at);
  delivery.range = std::move(range);
  return delivery;
}

void Log::join(Consumer* consumer) {
  consumers_.push_back(consumer);
  rebalance();
}

void Log::leave(Consumer* consumer) {
  std::erase(consumers_, consumer);
  rebalance();
}

void Log::lose(Consumer* consumer) {
  std::erase(consumers_, consumer);
  const auto session = scheduler_.rng().between(Millis{100}, kSessionMax);
  const auto generation = generation_;
  scheduler_.in(session, [this, generation] {
    if (generation == generation_) rebalance();
  });
}

void Log::rebalance() {
  ++generation_;
  std::vector<Consumer*> able;
  for (auto* consumer : consumers_) {
    if (consumer->responsive()) able.push_back(consumer);
  }
  if (able.empty()) able = consumers_;
  if (able.empty()) return;
  std::vector<std::vector<std::int32_t>> shares(able.size());
  for (std::int32_t partition = 0; partition < partitions(); ++partition) {
    const auto owner = scheduler_.rng().below(able.size());
    shares[owner].push_back(partition);
    story_.note(kWorld, "partition {} goes to consumer {} of {}", partition,
                static_cast<std::int64_t>(owner), static_cast<std::int64_t>(able.size()));
  }
  for (auto* consumer : consumers_) {
    const auto found = std::ranges::find(able, consumer);
    std::vector<std::int32_t> share;
    if (found != able.end()) share = shares[static_cast<std::size_t>(found - able.begin())];
    tell(consumer, std::move(share));
  }
}

void Log::tell(Consumer* consumer, std::vector<std::int32_t> partitions) {
  const auto notice = scheduler_.rng().between(Millis{1}, kNoticeMax);
  auto news = [this, consumer, generation = generation_, partitions = std::move(partitions)] {
    if (generation != generation_) return;
    if (std::ranges::find(consumers_, consumer) == consumers_.end()) return;
    if (consumer->responsive()) {
      consumer->assign(partitions);
    } else {
      tell(consumer, partitions);
    }
  };
  scheduler_.in(notice, std::move(news));
}

Receipt Log::take(std::int32_t partition, const OrderMessage& message) {
  Receipt receipt;
  if (scheduler_.rng().ppm(tardy)) {
    const auto late = scheduler_.rng().between(Millis{10}, kTardyMax);
    scheduler_.in(late, [this, partition, message] { append(partition, message); });
    return receipt;
  }
  append(partition, message);
  receipt.kind = Receipt::Kind::queued;
  return receipt;
}

}  // namespace sluice::simulation
