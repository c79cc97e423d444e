#include "dead_letters.hpp"

#include <string>
#include <string_view>
#include <utility>

#include "sluice/base/log.hpp"

namespace sluice::kafka {
namespace {

constexpr int kPurgeMs = 1'000;

void on_report(rd_kafka_t*, const rd_kafka_message_t* message, void* acknowledged) {
  if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) ++*static_cast<std::size_t*>(acknowledged);
}

}  // namespace

Result<void> DeadLetters::connect() {
  Config config(settings_);
  config.set_producer(settings_, &acknowledged_, on_report);
  auto client = config.start(RD_KAFKA_PRODUCER);
  if (!client) return client.error();
  client_ = std::move(*client);
  return {};
}

bool DeadLetters::send(const OffsetRange& range, const Poison& poison) {
  const auto partition = std::to_string(range.partition);
  const auto offsets = std::to_string(range.begin) + "-" + std::to_string(range.next);
  const auto failed = rd_kafka_producev(
      client_.get(), RD_KAFKA_V_TOPIC(settings_.dead_letter_topic.c_str()),
      RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
      RD_KAFKA_V_VALUE(const_cast<char*>(poison.bytes.data()), poison.bytes.size()),
      RD_KAFKA_V_HEADER("why", poison.why.c_str(), -1),
      RD_KAFKA_V_HEADER("topic", range.topic.c_str(), -1),
      RD_KAFKA_V_HEADER("partition", partition.c_str(), -1),
      RD_KAFKA_V_HEADER("offsets", offsets.c_str(), -1), RD_KAFKA_V_END);
  return failed == RD_KAFKA_RESP_ERR_NO_ERROR;
}

Result<void> DeadLetters::write(Ticks deadline, const OffsetRange& range, In<Poison> poison) {
  if (poison.empty()) return {};
  const auto connected = client_ ? Result<void>() : connect();
  if (!connected) return connected;
  acknowledged_ = 0;
  std::size_t sent = 0;
  while (sent < poison.size() && send(range, poison[sent])) ++sent;
  rd_kafka_flush(client_.get(), remaining_ms(deadline));
  if (acknowledged_ == poison.size()) return {};
  log().error("kafka: {} of {} dead letters of {}/{} were not acknowledged",
              poison.size() - acknowledged_, poison.size(), range.topic, range.partition);
  // A connection with open reports, or one that a fatal error spoiled, is not used again.
  rd_kafka_purge(client_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  rd_kafka_flush(client_.get(), kPurgeMs);
  client_.reset();
  return sent == 0 ? Errc::unavailable : Errc::unknown;
}

}  // namespace sluice::kafka
