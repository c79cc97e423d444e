#include "dead_letters.hpp"

#include <algorithm>
#include <chrono>
#include <string>

#include "sluice/base/log.hpp"

#include "client.hpp"

namespace sluice::kafka {
namespace {

using std::chrono::steady_clock;

constexpr Millis kServe{10};
constexpr Millis kPurgeFor{1'000};

/// Counts the reports of one `write`; reset when all of them are in.
struct Reports {
  std::size_t open = 0;
  std::size_t failed = 0;
};

void on_report(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
  auto& reports = *static_cast<Reports*>(opaque);
  --reports.open;
  if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) ++reports.failed;
}

}  // namespace

struct DeadLetters::Connection {
  Reports reports;
  Client client;

  Result<void> start(const KafkaSettings& settings) {
    Config config(settings);
    config.set_producer(settings);
    rd_kafka_conf_set_opaque(config.get(), &reports);
    rd_kafka_conf_set_dr_msg_cb(config.get(), on_report);
    auto started = config.start(RD_KAFKA_PRODUCER);
    if (!started) return started.error();
    client = std::move(*started);
    return {};
  }

  bool send(const std::string& topic, const OffsetRange& range, const Poison& poison) {
    const auto partition = std::to_string(range.partition);
    const auto offsets = std::to_string(range.begin) + "-" + std::to_string(range.next);
    const auto failed = rd_kafka_producev(
        client.get(), RD_KAFKA_V_TOPIC(topic.c_str()), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_VALUE(const_cast<char*>(poison.bytes.data()), poison.bytes.size()),
        RD_KAFKA_V_HEADER("why", poison.why.data(), static_cast<ssize_t>(poison.why.size())),
        RD_KAFKA_V_HEADER("topic", range.topic.data(), static_cast<ssize_t>(range.topic.size())),
        RD_KAFKA_V_HEADER("partition", partition.data(), static_cast<ssize_t>(partition.size())),
        RD_KAFKA_V_HEADER("offsets", offsets.data(), static_cast<ssize_t>(offsets.size())),
        RD_KAFKA_V_END);
    if (failed == RD_KAFKA_RESP_ERR_NO_ERROR) ++reports.open;
    return failed == RD_KAFKA_RESP_ERR_NO_ERROR;
  }

  void wait(Ticks until) {
    while (reports.open > 0 && steady_clock::now() < until) {
      rd_kafka_poll(client.get(), remaining_ms(until, steady_clock::now(), kServe));
    }
  }
};

DeadLetters::DeadLetters(const KafkaSettings& settings) : settings_(settings) {}
DeadLetters::~DeadLetters() = default;

Result<void> DeadLetters::write(Ticks deadline, const OffsetRange& range, In<Poison> poison) {
  if (poison.empty()) return {};
  if (!connection_) {
    auto made = std::make_unique<Connection>();
    auto started = made->start(settings_);
    if (!started) return started;
    connection_ = std::move(made);
  }
  auto& reports = connection_->reports;
  reports = {};
  std::size_t sent = 0;
  for (const auto& one : poison) {
    if (!connection_->send(settings_.dead_letter_topic, range, one)) break;
    ++sent;
  }
  connection_->wait(deadline);
  const bool good = sent == poison.size() && reports.open == 0 && reports.failed == 0;
  if (good) return {};
  log().error("kafka: {} of {} dead letters of {}/{} were not acknowledged",
              poison.size() - sent + reports.open + reports.failed, poison.size(), range.topic,
              range.partition);
  // A connection with open reports, or one that a fatal error spoiled, is not used again.
  rd_kafka_purge(connection_->client.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  connection_->wait(steady_clock::now() + kPurgeFor);
  connection_.reset();
  return sent == 0 ? Errc::unavailable : Errc::unknown;
}

}  // namespace sluice::kafka
