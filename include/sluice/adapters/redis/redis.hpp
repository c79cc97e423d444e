#pragma once

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "sluice/base/result.hpp"
#include "sluice/base/time.hpp"
#include "sluice/dependency/dependency.hpp"
#include "sluice/fulfilment/result_feed.hpp"
#include "sluice/inventory/inventory.hpp"

namespace sluice {

struct RedisSettings {
  /// redis://[user:password@]host[:port][/db], or rediss:// for TLS, by which the server's
  /// certificate must be for that host; reserved characters in user and password as %XX.
  std::string url = "redis://127.0.0.1:6379";
  std::string tls_ca_file;             ///< Certificates to trust, as PEM; empty: the system's.
  std::string tls_cert_file;           ///< The own certificate and its chain, as PEM; empty: none.
  std::string tls_key_file;            ///< The certificate's private key, as PEM.
  std::string client_name = "sluice";  ///< Shown by CLIENT LIST; no spaces.
  Millis connect_timeout{1000};        ///< Resolving, connecting and the greeting together.
  Millis backoff_min{50};              ///< Before the first attempt to connect again.
  Millis backoff_max{250};           ///< It doubles up to this; jitter takes up to half of it away.
  Millis silence_max{5000};          ///< A connection that answers nothing for so long is dropped.
  std::size_t in_flight_max = 1024;  ///< Commands without an answer; more are `Errc::overloaded`.
};

/// True when the URL, which `check_redis_url` takes, asks for TLS.
bool is_tls(std::string_view redis_url);

/// Empty when `create_…` and `connect_redis` take this URL, else what is wrong with it. The text
/// never holds the password.
std::optional<std::string> check_redis_url(std::string_view url);

namespace redis {
class Connection;
}

/// One connection, which connects itself again whenever it is lost. It belongs to one executor,
/// whose thread alone may use it and what is created on it.
using RedisConnection = std::shared_ptr<redis::Connection>;

/// Starts to connect and returns at once. Calls made without a connection fail with
/// `Errc::unavailable`. It does not serve while the server's maxmemory-policy may evict keys. No
/// call on it or on its ports may be awaited when the last holder destroys it, which happens on the
/// executor's thread or when that no longer runs, and before the executor's io_context is
/// destroyed. Throws std::invalid_argument when the URL is bad or a file cannot be used, which is
/// read once.
RedisConnection connect_redis(boost::asio::any_io_executor executor, RedisSettings settings);

/// Becomes true when the connection serves for the first time, and stays so. Any thread may read
/// it, also after the connection's end.
std::shared_ptr<const std::atomic<bool>> was_up(const RedisConnection& connection);

/// Waits until the connection serves and Redis answers a PING. `Errc::unavailable` when there is no
/// connection by `deadline`, `Errc::unknown` when the answer does not come by then.
Task<> ping(RedisConnection connection, Ticks deadline);

/// The lanes of a Redis, by scripts that act on one lane at once (see lua/). Several instances,
/// also of several processes, may work on the same Redis. Every script is a call of `dependency`,
/// which outlives it.
std::unique_ptr<Inventory> create_redis_inventory(RedisConnection connection,
                                                  Dependency& dependency);

/// News over PUBLISH on `channel`. `listen` opens a second connection of the same settings and
/// subscribes it, again after each loss. Announcements are calls of `dependency`, which outlives
/// it.
std::unique_ptr<ResultFeed> create_redis_result_feed(RedisConnection connection,
                                                     Dependency& dependency,
                                                     std::string channel = "seckill:results");

}  // namespace sluice
