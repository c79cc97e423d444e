#include "sluice/adapters/kafka/feed.hpp"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <map>
#include <pthread.h>
#include <string>
#include <sys/eventfd.h>
#include <type_traits>
#include <utility>

#include "sluice/base/log.hpp"
#include "sluice/base/text.hpp"

#include "client.hpp"
#include "dead_letters.hpp"
#include "partition_log.hpp"

namespace sluice::kafka {
namespace {

namespace asio = boost::asio;

constexpr std::size_t kReadAheadMessages = 8'192;
constexpr std::size_t kReadAheadPoisonBytes = 16U << 20U;
constexpr Millis kWaitMax{1'000};
constexpr Millis kEndEvery{1'000};
constexpr Millis kEndRetry{10'000};
constexpr int kEndMs = 500;
constexpr int kSeekMs = 2'000;
constexpr Millis kReturnRetry{1'000};
constexpr int kWatermarksMs = 500;
// What librdkafka writes when an empty queue gets its first event: one more, as an eventfd counts.
constexpr std::uint64_t kOne = 1;

Result<Client> start_consumer(const KafkaSettings& settings) {
  Config config(settings);
  config.set("group.id", settings.group);
  config.set("enable.auto.commit", "false");
  config.set("enable.auto.offset.store", "false");
  // A position that does not exist must be told and moved in the store, never change silently.
  config.set("auto.offset.reset", "error");
  config.set("enable.partition.eof", "true");
  // Eager: everything is revoked, then assigned; the simplest protocol, and rebalances are rare.
  config.set("partition.assignment.strategy", "roundrobin");
  config.set("session.timeout.ms", settings.session_timeout.count());
  config.set("heartbeat.interval.ms", 1'000);
  config.set("max.poll.interval.ms", settings.max_poll_interval.count());
  config.set("queued.max.messages.kbytes", settings.prefetch_kbytes_max);
  config.set("fetch.wait.max.ms", 100);
  config.set("fetch.error.backoff.ms", 100);
  config.set("topic.metadata.refresh.interval.ms", 10'000);
  rd_kafka_conf_set_events(config.get(), RD_KAFKA_EVENT_REBALANCE | RD_KAFKA_EVENT_ERROR);
  auto client = config.start(RD_KAFKA_CONSUMER);
  if (!client) return client;
  rd_kafka_poll_set_consumer(client->get());
  return client;
}

/// What the header says; empty when there is none, or no id in it.
std::string request_id_of(const rd_kafka_message_t& message) {
  rd_kafka_headers_t* headers = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  if (rd_kafka_message_headers(&message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR ||
      rd_kafka_header_get_last(headers, kRequestIdHeader, &value, &size) !=
          RD_KAFKA_RESP_ERR_NO_ERROR) {
    return {};
  }
  const std::string_view id(static_cast<const char*>(value), size);
  return std::string(is_request_id(id) ? id : std::string_view());
}

class Feed final : public OrderFeed {
 public:
  Feed(const asio::any_io_executor& executor, const KafkaSettings& settings, OrderStore& positions,
       std::shared_ptr<const Clock> clock, Client client)
      : settings_(settings),
        positions_(positions),
        clock_(std::move(clock)),
        client_(std::move(client)),
        topic_(rd_kafka_topic_new(client_.get(), settings_.topic.c_str(), nullptr)),
        queue_(rd_kafka_queue_get_consumer(client_.get())),
        signal_(executor, ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
        until_(executor),
        dead_letters_(settings) {
    rd_kafka_queue_io_event_enable(queue_.get(), signal_.native_handle(), &kOne, sizeof(kOne));
    asio::post(thread_, [] { ::pthread_setname_np(::pthread_self(), "kafka-feed"); });
  }

  ~Feed() override {
    thread_.join();
    rd_kafka_queue_io_event_enable(queue_.get(), -1, nullptr, 0);
    rd_kafka_consumer_close(client_.get());
    queue_.reset();
    topic_.reset();
    let_go(std::move(client_));
  }

  Task<Delivery> next(Ticks deadline, std::size_t max) override;
  Task<> leave(Ticks deadline) override;
  Task<> rewind(Ticks deadline, OffsetRange range) override;
  Task<> dead_letter(Ticks deadline, const OffsetRange& range, In<Poison> poison) override;

 private:
  template <class Work>
  asio::awaitable<std::invoke_result_t<Work&>> block(Work work);
  asio::awaitable<void> wait_for_event(Ticks until);
  asio::awaitable<void> pump(Ticks deadline);
  void drain();
  void handle(rd_kafka_event_t* event);
  void handle_rebalance(rd_kafka_event_t* event);
  void handle_error(rd_kafka_event_t* event);
  void add(const rd_kafka_message_t& message);

  Task<> join();
  Task<> locate(Ticks deadline);
  bool assign();
  asio::awaitable<void> return_inside();
  asio::awaitable<void> look_for_ends();
  Result<Delivery> take(std::size_t max);

  bool anything_to_do() const;
  bool full() const;

  const KafkaSettings settings_;
  OrderStore& positions_;
  const std::shared_ptr<const Clock> clock_;
  Client client_;
  Topic topic_;
  Queue queue_;
  asio::posix::stream_descriptor signal_;  // Readable when the empty queue got an event.
  std::uint64_t signals_ = 0;
  asio::steady_timer until_;
  DeadLetters dead_letters_;
  asio::thread_pool thread_{1};  // For what librdkafka only does blocking.

  std::map<std::int32_t, PartitionLog> partitions_;  // The assigned ones.
  bool joined_ = false;                              // The group, or asked to.
  bool must_assign_ = false;  // Kafka waits for, or needs, a whole assignment.
  bool fatal_ = false;
  std::int32_t cursor_ = -1;  // The partition of the last delivery.
  Ticks look_at_{};           // When to look for ends again.
  Ticks return_at_{};         // When to look for ways back inside again.
};

Task<Delivery> Feed::next(Ticks deadline, std::size_t max) {
  if (max == 0) co_return Errc::invalid;
  if (const auto joined = co_await join(); !joined) co_return joined.error();
  for (;;) {
    co_await pump(deadline);
    if (fatal_) co_return Errc::unavailable;
    co_await return_inside();
    auto located = co_await locate(deadline);
    if (!located) co_return located.error();
    co_await look_for_ends();
    auto delivery = take(max);
    if (delivery->range || clock_->ticks() >= deadline) co_return std::move(delivery);
  }
}

Task<> Feed::join() {
  if (joined_) co_return Result<void>{};
  const Partitions wanted(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(wanted.get(), settings_.topic.c_str(), RD_KAFKA_PARTITION_UA);
  const auto ask = [&] { return rd_kafka_subscribe(client_.get(), wanted.get()); };
  const auto failed = co_await block(ask);
  joined_ = failed == RD_KAFKA_RESP_ERR_NO_ERROR;
  if (joined_) co_return Result<void>{};
  log().critical("kafka: cannot subscribe to {}: {}", settings_.topic, rd_kafka_err2str(failed));
  co_return Errc::unavailable;
}

Task<> Feed::leave(Ticks deadline) {
  if (joined_) {
    // An assignment that nobody answered would hold the group up. Not by a null: that answers a
    // revocation, and librdkafka 2.0.2 then waits for good.
    const Partitions none(rd_kafka_topic_partition_list_new(0));
    if (std::exchange(must_assign_, false)) rd_kafka_assign(client_.get(), none.get());
    const auto ask = [this] { return rd_kafka_unsubscribe(client_.get()); };
    const auto failed = co_await block(ask);
    joined_ = failed != RD_KAFKA_RESP_ERR_NO_ERROR;
    if (!joined_) log().warn("kafka: leaves the consumers of {}", settings_.topic);
  }
  // What was read ahead is of no use any more, and would keep the revocation unread.
  for (auto& [partition, log] : partitions_) log.lose();
  // The group lets this member go once the revocation is answered.
  for (drain(); !partitions_.empty() && clock_->ticks() < deadline; drain()) {
    co_await wait_for_event(deadline);
  }
  if (joined_ || !partitions_.empty()) co_return Errc::unavailable;
  co_return Result<void>{};
}

Task<> Feed::rewind(Ticks deadline, OffsetRange range) {
  if (range.topic != settings_.topic) co_return Errc::invalid;
  const auto found = partitions_.find(range.partition);
  // Taken away meanwhile: its next owner reads the position.
  if (found == partitions_.end()) co_return Result<void>{};
  found->second.lose();
  co_return co_await locate(deadline);
}

Task<> Feed::dead_letter(Ticks deadline, const OffsetRange& range, In<Poison> poison) {
  const auto write = [&] { return dead_letters_.write(deadline, range, poison); };
  co_return co_await block(write);
}

// Does the work on the thread that may block, while the caller is suspended.
template <class Work>
asio::awaitable<std::invoke_result_t<Work&>> Feed::block(Work work) {
  co_await asio::post(asio::bind_executor(thread_, asio::use_awaitable));
  auto answer = work();
  // Back to the caller's executor.
  co_await asio::post(asio::use_awaitable);
  co_return answer;
}

asio::awaitable<void> Feed::wait_for_event(Ticks until) {
  using namespace asio::experimental::awaitable_operators;
  constexpr auto quiet = asio::as_tuple(asio::use_awaitable);
  until_.expires_at(until);
  auto late = until_.async_wait(quiet);
  auto signalled = signal_.async_read_some(asio::buffer(&signals_, sizeof(signals_)), quiet);
  auto either = std::move(signalled) || std::move(late);
  co_await std::move(either);
}

bool Feed::anything_to_do() const {
  return must_assign_ || std::any_of(partitions_.begin(), partitions_.end(), [](const auto& each) {
           return each.second.ready() || each.second.state() == PartitionLog::State::lost;
         });
}

bool Feed::full() const {
  std::size_t messages = 0;
  std::size_t poison = 0;
  for (const auto& [partition, log] : partitions_) {
    messages += log.size();
    poison += log.poison_bytes();
  }
  return messages >= kReadAheadMessages || poison >= kReadAheadPoisonBytes;
}

// Takes what is there, and waits for the first event if there is nothing at all to do. Reading
// ahead over all partitions makes the stretch of each one longer.
asio::awaitable<void> Feed::pump(Ticks deadline) {
  drain();
  if (anything_to_do() || fatal_) co_return;
  auto until = std::min<Ticks>(deadline, clock_->ticks() + kWaitMax);
  if (!partitions_.empty()) until = std::min(until, look_at_);
  co_await wait_for_event(until);
  drain();
}

void Feed::drain() {
  for (int checked = 0; checked % 256 != 0 || !full(); ++checked) {
    const Event event(rd_kafka_queue_poll(queue_.get(), 0));
    if (!event) return;
    handle(event.get());
    // An assignment must be answered before anything else happens.
    if (must_assign_ || fatal_) return;
  }
}

void Feed::handle(rd_kafka_event_t* event) {
  const auto type = rd_kafka_event_type(event);
  if (type == RD_KAFKA_EVENT_REBALANCE) return handle_rebalance(event);
  if (type == RD_KAFKA_EVENT_ERROR) return handle_error(event);
  if (type != RD_KAFKA_EVENT_FETCH) return;
  while (const auto* message = rd_kafka_event_message_next(event)) add(*message);
}

void Feed::add(const rd_kafka_message_t& message) {
  const auto found = partitions_.find(message.partition);
  if (found == partitions_.end() || found->second.state() != PartitionLog::State::reading) return;
  rd_kafka_timestamp_type_t kind{};
  const auto stamp = rd_kafka_message_timestamp(&message, &kind);
  std::optional<TimePoint> log_time;
  // A producer's own time is not in the order of the log and proves nothing.
  if (kind == RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME) log_time = TimePoint{Millis{stamp}};
  auto content = read_record(message, settings_);
  if (auto* order = std::get_if<OrderMessage>(&content)) order->request_id = request_id_of(message);
  found->second.add(message.offset, log_time, std::move(content));
}

void Feed::handle_rebalance(rd_kafka_event_t* event) {
  const auto kind = rd_kafka_event_error(event);
  partitions_.clear();
  if (kind != RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
    const bool lost = rd_kafka_assignment_lost(client_.get()) != 0;
    log().log(lost ? spdlog::level::warn : spdlog::level::info, "kafka: partitions of {} {}",
              settings_.topic, lost ? "lost" : "revoked");
    must_assign_ = false;
    rd_kafka_assign(client_.get(), nullptr);
    return;
  }
  const auto* assigned = rd_kafka_event_topic_partition_list(event);
  for (int i = 0; i < assigned->cnt; ++i) partitions_[assigned->elems[i].partition];
  must_assign_ = true;
  log().info("kafka: {} partitions of {} assigned", partitions_.size(), settings_.topic);
}

void Feed::handle_error(rd_kafka_event_t* event) {
  const auto error = rd_kafka_event_error(event);
  const std::unique_ptr<rd_kafka_topic_partition_t, Destroy<rd_kafka_topic_partition_destroy>>
      where(rd_kafka_event_topic_partition(event));
  const auto found = where ? partitions_.find(where->partition) : partitions_.end();
  if (error == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
    if (found != partitions_.end()) found->second.end_at(where->offset);
    return;
  }
  if (error == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET) {
    if (found == partitions_.end()) return;
    if (found->second.state() == PartitionLog::State::reading) found->second.fall_outside();
    return;
  }
  fatal_ = fatal_ || rd_kafka_event_error_is_fatal(event) != 0;
  const auto* text = rd_kafka_event_error_string(event);
  log().log(fatal_ ? spdlog::level::critical : spdlog::level::warn, "kafka: consumer of {}: {}",
            settings_.topic, printable(text == nullptr ? rd_kafka_err2str(error) : text, 512));
}

// Gives every lost partition its position, and Kafka the assignment it waits for.
Task<> Feed::locate(Ticks deadline) {
  for (auto& [partition, log] : partitions_) {
    if (log.state() != PartitionLog::State::lost) continue;
    auto position = co_await positions_.position(deadline, settings_.topic, partition);
    if (!position) co_return position.error();
    log.read_from(*position);
    if (must_assign_) continue;
    // Not rd_kafka_seek_partitions: in 2.0.2 its timeout is a thousandth of what was asked for.
    const auto seek = [topic = topic_.get(), at = partition, offset = *position] {
      return rd_kafka_seek(topic, at, offset, kSeekMs);
    };
    must_assign_ = co_await block(seek) != RD_KAFKA_RESP_ERR_NO_ERROR;
  }
  if (must_assign_ && !assign()) co_return Errc::unavailable;
  co_return Result<void>{};
}

bool Feed::assign() {
  const Partitions list(rd_kafka_topic_partition_list_new(static_cast<int>(partitions_.size())));
  for (auto& [partition, log] : partitions_) {
    if (log.state() == PartitionLog::State::reading) log.read_again();
    rd_kafka_topic_partition_list_add(list.get(), settings_.topic.c_str(), partition)->offset =
        log.resume();
  }
  const auto failed = rd_kafka_assign(client_.get(), list.get());
  if (failed != RD_KAFKA_RESP_ERR_NO_ERROR) {
    log().error("kafka: assignment of {}: {}", settings_.topic, rd_kafka_err2str(failed));
    return false;
  }
  must_assign_ = false;
  return true;
}

// Reading goes on with the oldest record there is: what was applied before is applied again, which
// changes nothing. What is gone is decided by recovery.
asio::awaitable<void> Feed::return_inside() {
  if (clock_->ticks() < return_at_) co_return;
  for (auto& [partition, log] : partitions_) {
    if (log.state() != PartitionLog::State::outside) continue;
    std::int64_t low = 0;
    std::int64_t high = 0;
    const auto ask = [this, at = partition, &low, &high] {
      return rd_kafka_query_watermark_offsets(client_.get(), settings_.topic.c_str(), at, &low,
                                              &high, kWatermarksMs);
    };
    const auto failed = co_await block(ask);
    if (failed != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return_at_ = clock_->ticks() + kReturnRetry;
      sluice::log().warn("kafka: {}/{}: its ends are not known: {}", settings_.topic, partition,
                         rd_kafka_err2str(failed));
      co_return;
    }
    sluice::log().critical(
        "kafka: {}/{} has the offsets {} to {} and cannot be read at the store's position {}: the "
        "topic was truncated or created anew. Reading goes on at {}; recovery decides what is gone",
        settings_.topic, partition, low, high, log.next(), low);
    log.jump_to(low);
    // librdkafka stopped the partition: only a new assignment starts it again.
    must_assign_ = true;
  }
}

// Once a second, for the partitions with nothing to deliver: where do they end? If that is where
// reading stands, everything that was in the log when we asked is delivered, so the partition is
// complete up to the time before the question. What a leader has and its replicas have not yet is
// not part of the end, and its clock is not ours: hence the margin.
asio::awaitable<void> Feed::look_for_ends() {
  const auto now = clock_->ticks();
  if (now < look_at_ || partitions_.empty()) co_return;
  look_at_ = now + kEndEvery;
  const Partitions list(rd_kafka_topic_partition_list_new(static_cast<int>(partitions_.size())));
  for (const auto& [partition, log] : partitions_) {
    if (log.state() != PartitionLog::State::reading || log.has_stretch()) continue;
    rd_kafka_topic_partition_list_add(list.get(), settings_.topic.c_str(), partition)->offset =
        RD_KAFKA_OFFSET_END;
  }
  if (list->cnt == 0) co_return;
  const auto complete_to = clock_->now() - settings_.end_margin;
  const auto ask = [&] { return rd_kafka_offsets_for_times(client_.get(), list.get(), kEndMs); };
  const auto failed = co_await block(ask);
  if (failed != RD_KAFKA_RESP_ERR_NO_ERROR) {
    // A leader that is away must not cost half a second each second.
    look_at_ = now + kEndRetry;
    log().warn("kafka: the ends of {} are not known: {}", settings_.topic,
               rd_kafka_err2str(failed));
    co_return;
  }
  for (int i = 0; i < list->cnt; ++i) {
    const auto& end = list->elems[i];
    if (end.err == RD_KAFKA_RESP_ERR_NO_ERROR) {
      partitions_[end.partition].ended(end.offset, complete_to);
    }
  }
}

// Round robin from the partition after the last one.
Result<Delivery> Feed::take(std::size_t max) {
  const auto start = partitions_.upper_bound(cursor_);
  auto it = start;
  for (std::size_t i = 0; i < partitions_.size(); ++i, ++it) {
    if (it == partitions_.end()) it = partitions_.begin();
    if (!it->second.ready()) continue;
    cursor_ = it->first;
    return it->second.take(settings_.topic, it->first, max);
  }
  return Delivery{};
}

}  // namespace
}  // namespace sluice::kafka

namespace sluice {

Result<std::unique_ptr<OrderFeed>> create_kafka_feed(const boost::asio::any_io_executor& executor,
                                                     const KafkaSettings& settings,
                                                     OrderStore& positions,
                                                     std::shared_ptr<const Clock> clock) {
  auto client = kafka::start_consumer(settings);
  if (!client) return client.error();
  return std::unique_ptr<OrderFeed>(std::make_unique<kafka::Feed>(
      executor, settings, positions, std::move(clock), std::move(*client)));
}

}  // namespace sluice
