#include "client.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <fmt/format.h>
#include <future>
#include <openssl/x509_vfy.h>
#include <string_view>
#include <thread>
#include <utility>

#include "sluice/base/log.hpp"

namespace sluice::kafka {
namespace {

constexpr std::size_t kLogLineMax = 512;
constexpr Millis kLetGoFor{5'000};
constexpr std::chrono::seconds kRefusalsEvery{10};
constexpr Millis kWaitMax{60'000};

/// Clients name a refused certificate at each of their attempts. True once in a while, for one.
bool is_due() {
  static std::atomic<Ticks::rep> next{0};
  const auto now = std::chrono::steady_clock::now();
  auto due = next.load();
  return due <= now.time_since_epoch().count() &&
         next.compare_exchange_strong(due, (now + kRefusalsEvery).time_since_epoch().count());
}

// The levels of syslog. A broker that is away is an error to librdkafka and a warning to us: the
// breaker and readiness speak up when it matters.
void on_log(const rd_kafka_t*, int level, const char* facility, const char* text) {
  if (std::string_view(facility) == "SSLCERTVRFY" && !is_due()) return;
  const auto ours = level <= 2   ? spdlog::level::err
                    : level <= 4 ? spdlog::level::warn
                    : level == 5 ? spdlog::level::info
                                 : spdlog::level::debug;
  log().log(ours, "kafka: {}: {}", facility, printable(text, kLogLineMax));
}

/// Agrees with what librdkafka found, and names it: by itself it says only that the check failed.
int on_certificate(rd_kafka_t*, const char*, std::int32_t, int* problem, int, const char*,
                   std::size_t, char* why, std::size_t why_size, void*) {
  if (*problem == X509_V_OK) return 1;
  *fmt::format_to_n(why, why_size - 1, "{}", X509_verify_cert_error_string(*problem)).out = '\0';
  return 0;
}

}  // namespace

Config::Config(const KafkaSettings& settings)
    : conf_(rd_kafka_conf_new()), refused_(check(settings).value_or("")) {
  for (const auto& [name, value] : settings.extra) set(name.c_str(), value);
  set("bootstrap.servers", settings.brokers);
  set("client.id", "sluice");
  set("reconnect.backoff.max.ms", 1'000);
  set("socket.timeout.ms", 10'000);
  set("socket.nagle.disable", "true");
  rd_kafka_conf_set_log_cb(conf_.get(), on_log);
  rd_kafka_conf_set_ssl_cert_verify_cb(conf_.get(), on_certificate);
}

void Config::set(const char* name, const std::string& value) {
  std::array<char, 256> why{};
  const auto done = rd_kafka_conf_set(conf_.get(), name, value.c_str(), why.data(), why.size());
  if (done != RD_KAFKA_CONF_OK && refused_.empty()) refused_ = why.data();
}

void Config::set_producer(const KafkaSettings& settings, void* opaque,
                          void (*on_report)(rd_kafka_t*, const rd_kafka_message_t*, void*)) {
  rd_kafka_conf_set_opaque(conf_.get(), opaque);
  rd_kafka_conf_set_dr_msg_cb(conf_.get(), on_report);
  set("enable.idempotence", "true");
  set("acks", "all");
  set("linger.ms", settings.linger.count());
  set("message.timeout.ms", settings.delivery_timeout.count());
  set("queue.buffering.max.messages", settings.client_messages_max);
  set("queue.buffering.max.kbytes", settings.client_kbytes_max);
}

Result<Client> Config::start(rd_kafka_type_t type) {
  std::array<char, 256> why{};
  rd_kafka_t* started = nullptr;
  if (refused_.empty()) {
    started = rd_kafka_new(type, conf_.get(), why.data(), why.size());
    if (started == nullptr) refused_ = why.data();
  }
  if (started == nullptr) {
    log().critical("kafka: the settings are refused: {}", printable(refused_, kLogLineMax));
    return Errc::invalid;
  }
  static_cast<void>(conf_.release());
  return Client(started);
}

void let_go(Client client) {
  std::promise<void> ended;
  const auto end = ended.get_future();
  auto destroy = [raw = client.release(), done = std::move(ended)]() mutable {
    rd_kafka_destroy(raw);
    done.set_value();
  };
  std::thread(std::move(destroy)).detach();
  if (end.wait_for(kLetGoFor) == std::future_status::ready) return;
  log().error("kafka: a client does not end and is left behind");
}

Result<int> count_partitions(rd_kafka_t* client, rd_kafka_topic_t* topic, int timeout_ms) {
  const rd_kafka_metadata_t* answer = nullptr;
  const auto failed = rd_kafka_metadata(client, 0, topic, &answer, timeout_ms);
  if (failed != RD_KAFKA_RESP_ERR_NO_ERROR) return Errc::unavailable;
  const Metadata metadata(answer);
  if (metadata->topic_cnt != 1) return Errc::not_found;
  const auto& found = metadata->topics[0];
  if (found.err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) return Errc::not_found;
  if (found.err != RD_KAFKA_RESP_ERR_NO_ERROR) return Errc::not_ready;
  for (int i = 0; i < found.partition_cnt; ++i) {
    if (found.partitions[i].leader < 0) return Errc::not_ready;
  }
  return found.partition_cnt;
}

int remaining_ms(Ticks deadline) {
  const auto left = std::chrono::ceil<Millis>(deadline - std::chrono::steady_clock::now());
  return static_cast<int>(std::clamp(left, Millis{0}, kWaitMax).count());
}

}  // namespace sluice::kafka
