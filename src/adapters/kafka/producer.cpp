#include "sluice/adapters/kafka/producer.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "sluice/base/log.hpp"

#include "client.hpp"
#include "in_flight.hpp"

namespace sluice::kafka {
namespace {

using std::chrono::steady_clock;

constexpr Step kFence{"fence"};

constexpr std::size_t kPublishMax = 1'024;
constexpr int kServeMs = 10;  // How late a deadline may be noticed.
constexpr Millis kLookEvery{1'000};
constexpr Millis kLookSoon{100};  // While the topic is not fit for use.
constexpr int kLookMs = 900;
constexpr int kStatisticsMs = 250;
constexpr std::string_view kHasId = R"("idemp_state": "Assigned")";
constexpr int kEndMs = 500;
constexpr Millis kPurgeFor{1'000};
constexpr int kPurgeAll = RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT;

/// What is sent as one record.
struct Record {
  std::string value;
  std::string request_id{};  ///< The header of that name; without one when it is empty.
};

rd_kafka_vu_t part(rd_kafka_vtype_t type, const void* bytes, std::size_t size) {
  rd_kafka_vu_t made{};
  made.vtype = type;
  made.u.mem.ptr = const_cast<void*>(bytes);
  made.u.mem.size = size;
  return made;
}

/// Hands one record over to the client, which copies it. `slot`: what its report names. False when
/// the client does not take it.
bool produce(rd_kafka_t* client, rd_kafka_topic_t* topic, std::int32_t partition,
             const std::string& key, const Record& record, void* slot) {
  std::array<rd_kafka_vu_t, 7> parts{};
  parts[0].vtype = RD_KAFKA_VTYPE_RKT;
  parts[0].u.rkt = topic;
  parts[1].vtype = RD_KAFKA_VTYPE_PARTITION;
  parts[1].u.i32 = partition;
  parts[2].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
  parts[2].u.i = RD_KAFKA_MSG_F_COPY;
  parts[3].vtype = RD_KAFKA_VTYPE_OPAQUE;
  parts[3].u.ptr = slot;
  parts[4] = part(RD_KAFKA_VTYPE_KEY, key.data(), key.size());
  parts[5] = part(RD_KAFKA_VTYPE_VALUE, record.value.data(), record.value.size());
  parts[6].vtype = RD_KAFKA_VTYPE_HEADER;
  parts[6].u.header.name = kRequestIdHeader;
  parts[6].u.header.val = record.request_id.data();
  parts[6].u.header.size = static_cast<std::int64_t>(record.request_id.size());
  const auto count = record.request_id.empty() ? parts.size() - 1 : parts.size();
  auto* const failed = rd_kafka_produceva(client, parts.data(), count);
  if (failed != nullptr) rd_kafka_error_destroy(failed);
  return failed == nullptr;
}

/// A client and its topic. Shared, because a publish may still use one that is being replaced.
struct Connection {
  Client client;
  Topic topic;  // Destroyed before the client, as librdkafka asks.
  Topic heartbeats;
};

Fate fate_of(const rd_kafka_message_t& message) {
  if (message.err == RD_KAFKA_RESP_ERR_NO_ERROR) return Fate::queued;
  // Only "not persisted" is a definite no; releasing on "possibly persisted" would oversell.
  return rd_kafka_message_status(&message) == RD_KAFKA_MSG_STATUS_NOT_PERSISTED ? Fate::refused
                                                                                : Fate::lost;
}

class Producer final : public KafkaProducer, public std::enable_shared_from_this<Producer> {
 public:
  explicit Producer(const KafkaSettings& settings) : settings_(settings) {}
  ~Producer() override { close(Millis{0}); }

  Result<void> start();

  std::unique_ptr<OrderQueue> create_queue(Dependency& dependency) override;
  Result<void> ping() const override;
  KafkaFigures figures() const override;
  void send_heartbeat() override;
  void close(Millis flush_for) override;

  /// Hands the messages over; `answer` is called once, from any thread.
  void send(const void* owner, Ticks deadline, LaneId lane, In<Record> records,
            Completion<Receipts> answer);
  void forget(const void* owner) { in_flight_.forget(owner); }

 private:
  static void on_report(rd_kafka_t*, const rd_kafka_message_t* message, void* self);
  static int on_statistics(rd_kafka_t* client, char* json, std::size_t bytes, void* self);
  void report(void* slot, Fate fate);

  Result<std::shared_ptr<Connection>> connect();
  std::shared_ptr<Connection> connection();

  void deliver(std::stop_token stop);
  void replace_broken();
  void serve_retired();
  void flush();

  void look_after(std::stop_token stop);
  Result<void> look();
  std::optional<std::int64_t> look_for_end();
  std::optional<std::int64_t> look_for_heartbeats();

  const KafkaSettings settings_;
  InFlight in_flight_;

  std::mutex connection_mutex_;
  std::shared_ptr<Connection> connection_;
  std::vector<std::shared_ptr<Connection>> retired_;  // Of the delivery thread.

  std::atomic<std::uint64_t> outstanding_{0};
  std::atomic<std::uint64_t> acknowledged_{0};
  std::atomic<std::uint64_t> failed_{0};
  std::atomic<std::int64_t> log_end_{-1};  // -1: not known.
  std::atomic<std::int64_t> heartbeats_{-1};
  std::atomic<bool> has_id_{false};  // Without its producer id the client keeps all messages back.
  std::atomic<int> health_{static_cast<int>(Errc::unavailable)};  // 0: good, else an Errc.

  std::mutex close_mutex_;
  Millis flush_for_{0};  // Of the delivery thread, once it is told to stop.

  std::jthread delivery_;
  std::jthread lookout_;
};

Result<std::shared_ptr<Connection>> Producer::connect() {
  Config config(settings_);
  config.set_producer(settings_, this, &Producer::on_report);
  rd_kafka_conf_set_stats_cb(config.get(), &Producer::on_statistics);
  config.set("statistics.interval.ms", kStatisticsMs);
  auto client = config.start(RD_KAFKA_PRODUCER);
  if (!client) return client.error();
  auto made = std::make_shared<Connection>();
  made->client = std::move(*client);
  made->topic.reset(rd_kafka_topic_new(made->client.get(), settings_.topic.c_str(), nullptr));
  made->heartbeats.reset(
      rd_kafka_topic_new(made->client.get(), heartbeat_topic(settings_).c_str(), nullptr));
  if (!made->topic || !made->heartbeats) return Errc::invalid;
  return made;
}

Result<void> Producer::start() {
  auto made = connect();
  if (!made) return made.error();
  connection_ = std::move(*made);
  delivery_ = std::jthread(std::bind_front(&Producer::deliver, this));
  lookout_ = std::jthread(std::bind_front(&Producer::look_after, this));
  return {};
}

std::shared_ptr<Connection> Producer::connection() {
  std::lock_guard lock(connection_mutex_);
  return connection_;
}

void Producer::send(const void* owner, Ticks deadline, LaneId lane, In<Record> records,
                    Completion<Receipts> answer) {
  auto* call = in_flight_.begin(owner, deadline, records.size(), answer);
  if (call == nullptr) {
    answer(Errc::unavailable);
    return;
  }
  const auto key = std::to_string(lane.sale) + ":" + std::to_string(lane.index);
  outstanding_.fetch_add(records.size(), std::memory_order_relaxed);
  const auto used = connection();
  const auto partition = lane_partition(lane, settings_.partitions);
  for (std::size_t i = 0; i < records.size(); ++i) {
    auto* const slot = &call->slots[i];
    const bool taken =
        produce(used->client.get(), used->topic.get(), partition, key, records[i], slot);
    if (!taken) report(slot, Fate::refused);
  }
  in_flight_.sent(*call);
}

void Producer::on_report(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
  auto& self = *static_cast<Producer*>(opaque);
  const bool heartbeat = message->_private == nullptr;
  if (!heartbeat) self.report(message->_private, fate_of(*message));
}

void Producer::send_heartbeat() {
  const auto used = connection();
  std::string value = R"({"v":1})";
  rd_kafka_produce(used->heartbeats.get(), 0, RD_KAFKA_MSG_F_COPY, value.data(), value.size(),
                   nullptr, 0, nullptr);
}

void Producer::report(void* slot, Fate fate) {
  outstanding_.fetch_sub(1, std::memory_order_relaxed);
  (fate == Fate::queued ? acknowledged_ : failed_).fetch_add(1, std::memory_order_relaxed);
  in_flight_.report(*static_cast<InFlight::Slot*>(slot), fate);
}

// librdkafka tells only in its statistics whether the brokers gave the client a producer id.
int Producer::on_statistics(rd_kafka_t* client, char* json, std::size_t bytes, void* opaque) {
  auto& self = *static_cast<Producer*>(opaque);
  if (self.has_id_ || client != self.connection_->client.get()) return 0;
  self.has_id_ = std::string_view(json, bytes).find(kHasId) != std::string_view::npos;
  return 0;
}

void Producer::deliver(std::stop_token stop) {
  while (!stop.stop_requested()) {
    rd_kafka_poll(connection_->client.get(), kServeMs);
    in_flight_.expire(steady_clock::now());
    replace_broken();
    serve_retired();
  }
  flush();
  in_flight_.expire(Ticks::max());
}

// An idempotent producer that lost the thread of its sequence refuses all work for good; a new one
// starts a new sequence. A message sent twice because of it changes nothing: applying is
// idempotent.
void Producer::replace_broken() {
  std::array<char, 256> why{};
  auto* broken = connection_->client.get();
  if (rd_kafka_fatal_error(broken, why.data(), why.size()) == RD_KAFKA_RESP_ERR_NO_ERROR) return;
  log().critical("kafka: the producer is replaced after a fatal error: {}", printable(why.data()));
  auto fresh = connect();
  if (!fresh) return;
  rd_kafka_purge(broken, kPurgeAll | RD_KAFKA_PURGE_F_NON_BLOCKING);
  has_id_ = false;
  std::lock_guard lock(connection_mutex_);
  retired_.push_back(std::exchange(connection_, std::move(*fresh)));
}

void Producer::serve_retired() {
  std::erase_if(retired_, [](const std::shared_ptr<Connection>& old) {
    rd_kafka_poll(old->client.get(), 0);
    return old.use_count() == 1 && rd_kafka_outq_len(old->client.get()) == 0;
  });
}

void Producer::flush() {
  auto* client = connection_->client.get();
  const Ticks until = steady_clock::now() + flush_for_;
  while (rd_kafka_outq_len(client) > 0 && steady_clock::now() < until) {
    rd_kafka_flush(client, kServeMs);
    in_flight_.expire(steady_clock::now());
  }
  const Ticks purged = steady_clock::now() + kPurgeFor;
  while (rd_kafka_outq_len(client) > 0 && steady_clock::now() < purged) {
    rd_kafka_purge(client, kPurgeAll);
    rd_kafka_poll(client, kServeMs);
  }
}

void Producer::look_after(std::stop_token stop) {
  std::mutex mutex;
  std::unique_lock lock(mutex);
  std::condition_variable_any pause;
  while (!stop.stop_requested()) {
    const auto found = look();
    log_end_ = found ? look_for_end().value_or(-1) : -1;
    heartbeats_ = found ? look_for_heartbeats().value_or(-1) : -1;
    const auto health = found ? 0 : found.error().value();
    if (health_.exchange(health) != health) {
      log().log(found ? spdlog::level::info : spdlog::level::warn, "kafka: topic {}: {}",
                settings_.topic, found ? "ready" : found.error().message());
    }
    pause.wait_for(lock, stop, found ? kLookEvery : kLookSoon, [] { return false; });
  }
}

Result<void> Producer::look() {
  const auto used = connection();
  const auto count = count_partitions(used->client.get(), used->topic.get(), kLookMs);
  if (!count) return count.error() == Errc::not_found ? Errc::not_found : Errc::unavailable;
  if (*count != settings_.partitions) return Errc::invalid;
  if (!has_id_) return Errc::unavailable;
  return {};
}

std::optional<std::int64_t> Producer::look_for_end() {
  const Partitions list(rd_kafka_topic_partition_list_new(settings_.partitions));
  for (std::int32_t partition = 0; partition < settings_.partitions; ++partition) {
    rd_kafka_topic_partition_list_add(list.get(), settings_.topic.c_str(), partition)->offset =
        RD_KAFKA_OFFSET_END;
  }
  const auto failed = rd_kafka_offsets_for_times(connection()->client.get(), list.get(), kEndMs);
  if (failed != RD_KAFKA_RESP_ERR_NO_ERROR) return std::nullopt;
  std::int64_t sum = 0;
  for (int i = 0; i < list->cnt; ++i) {
    const auto& end = list->elems[i];
    if (end.err != RD_KAFKA_RESP_ERR_NO_ERROR || end.offset < 0) return std::nullopt;
    sum += end.offset;
  }
  return sum;
}

std::optional<std::int64_t> Producer::look_for_heartbeats() {
  const auto topic = heartbeat_topic(settings_);
  std::int64_t low = 0;
  std::int64_t high = 0;
  const auto failed = rd_kafka_query_watermark_offsets(connection()->client.get(), topic.c_str(), 0,
                                                       &low, &high, kEndMs);
  if (failed != RD_KAFKA_RESP_ERR_NO_ERROR) return std::nullopt;
  return high;
}

Result<void> Producer::ping() const {
  const auto health = health_.load();
  if (health != 0) return static_cast<Errc>(health);
  return {};
}

KafkaFigures Producer::figures() const {
  KafkaFigures figures{outstanding_.load(), acknowledged_.load(), failed_.load(), {}, {}};
  if (const auto end = log_end_.load(); end >= 0) figures.log_end = end;
  if (const auto sent = heartbeats_.load(); sent >= 0) figures.heartbeats = sent;
  return figures;
}

void Producer::close(Millis flush_for) {
  std::lock_guard closing(close_mutex_);
  if (!delivery_.joinable()) return;
  in_flight_.refuse();
  flush_for_ = flush_for;
  lookout_.request_stop();
  delivery_.request_stop();
  lookout_.join();
  delivery_.join();
  health_ = static_cast<int>(Errc::unavailable);
  log_end_ = -1;
  heartbeats_ = -1;
}

class ProducerQueue final : public OrderQueue {
 public:
  ProducerQueue(std::shared_ptr<Producer> producer, Dependency& dependency)
      : producer_(std::move(producer)), dependency_(dependency) {}
  ~ProducerQueue() override { producer_->forget(this); }

  bool decides() const noexcept override { return false; }

  Task<std::vector<Receipt>> publish(Ticks deadline, In<OrderMessage> messages) override {
    if (messages.empty()) co_return std::vector<Receipt>{};
    const auto lane = messages.front().lane;
    const bool mixed = std::any_of(messages.begin(), messages.end(),
                                   [&](const OrderMessage& m) { return m.lane != lane; });
    if (messages.size() > kPublishMax) co_return Errc::overloaded;
    if (mixed) co_return Errc::invalid;
    std::vector<Record> records;
    records.reserve(messages.size());
    for (const auto& message : messages) {
      records.push_back({to_json(message), message.request_id});
    }
    Dependency::Operation<std::vector<Receipt>> work = [&] {
      return send(deadline, lane, records);
    };
    co_return co_await publish_through(dependency_, deadline, messages.size(), std::move(work));
  }

  Task<> fence(Ticks deadline, Fence fence) override {
    const std::vector<Record> records(1, Record{to_json(fence)});
    Dependency::Operation<void> work = [&]() -> Task<> {
      const auto receipts = co_await send(deadline, fence.lane, records);
      if (!receipts) co_return receipts.error();
      if (receipts->front().kind != Receipt::Kind::queued) co_return Errc::unknown;
      co_return Result<void>{};
    };
    co_return co_await dependency_.call<void>(kFence, deadline, std::move(work));
  }

 private:
  Task<std::vector<Receipt>> send(Ticks deadline, LaneId lane, In<Record> records) {
    const auto hand_over = [&](Completion<Receipts> answer) {
      producer_->send(this, deadline, lane, records, std::move(answer));
    };
    co_return co_await suspend<Receipts>(hand_over);
  }

  std::shared_ptr<Producer> producer_;
  Dependency& dependency_;
};

std::unique_ptr<OrderQueue> Producer::create_queue(Dependency& dependency) {
  return std::make_unique<ProducerQueue>(shared_from_this(), dependency);
}

}  // namespace
}  // namespace sluice::kafka

namespace sluice {

Result<std::shared_ptr<KafkaProducer>> create_kafka_producer(const KafkaSettings& settings) {
  auto producer = std::make_shared<kafka::Producer>(settings);
  auto started = producer->start();
  if (!started) return started.error();
  return std::shared_ptr<KafkaProducer>(std::move(producer));
}

}  // namespace sluice
