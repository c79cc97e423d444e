#include "sluice/settings/descriptors.hpp"

#include <fmt/format.h>

namespace sluice {
namespace {

constexpr std::size_t kOfProcess = 64;      // Standard streams, database, secrets.
constexpr std::size_t kOfThread = 8;        // Event loop, timer, waker, listener.
constexpr std::size_t kOfRedis = 8;         // Commands, look-ups, news, each twice at times.
constexpr std::size_t kOfKafkaClient = 64;  // Sockets and wakers for each broker.
constexpr std::size_t kOtherThreads = 3;    // Main, control, admin.
constexpr std::size_t kOfImage = 3;         // SQLite: database, log, the log's index.

}  // namespace

std::size_t reserved_descriptors(const Settings& settings) {
  const std::size_t http = http_thread_count(settings);
  auto reserve = kOfProcess + (http + kOtherThreads) * kOfThread +
                 settings.admin.connections.connections_max + (http + 1) * kRefusedConnectionsMax;
  // Each image has a connection, also those of which it is only seen whether they are large.
  const auto images = settings.recovery.rebuilds_max + settings.recovery.lanes_at_once;
  if (settings.mode == Mode::embedded) return reserve + images * kOfImage;
  reserve += images;
  const std::size_t fulfilment = settings.fulfilment_workers;
  // A pool opens another connection in the place of one that was given up.
  const auto of_pool = 2 * std::size_t{settings.postgres.pool_size};
  // The control thread has both, and so have the sold-out views; shop and audits have only the
  // pool.
  reserve += fulfilment * kOfThread + (http + fulfilment + 2) * (kOfRedis + of_pool) + 2 * of_pool +
             (fulfilment + 1) * kOfKafkaClient;
  return reserve;
}

std::string fit_connections(Settings& settings, std::size_t descriptors_max) {
  const auto reserve = reserved_descriptors(settings);
  auto& connections_max = settings.connections.connections_max;
  if (descriptors_max <= reserve) {
    throw SettingsError(fmt::format(
        "the limit of open files is {} and these settings need {} beside buyers' connections: "
        "raise it (ulimit -n, LimitNOFILE=, --ulimit nofile=), to {} for http.connections_max = {}",
        descriptors_max, reserve, reserve + connections_max, connections_max));
  }
  const auto room = descriptors_max - reserve;
  if (connections_max <= room) return {};
  auto said = fmt::format(
      "http.connections_max is {} and not {}: the limit of open files is {}, of which {} are "
      "reserved; raise it (ulimit -n, LimitNOFILE=, --ulimit nofile=) to {}",
      room, connections_max, descriptors_max, reserve, reserve + connections_max);
  connections_max = room;
  return said;
}

}  // namespace sluice
