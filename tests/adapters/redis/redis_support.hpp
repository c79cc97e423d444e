#pragma once

#include <boost/asio/io_context.hpp>
#include <hiredis/hiredis.h>
#include <memory>
#include <string>
#include <vector>

#include "sluice/adapters/redis/redis.hpp"

#include "support/inventory_contract.hpp"

namespace sluice::test {

/// The Redis that several programs share: touch only keys of your own.
std::string shared_redis_url();

/// A blocking connection of the test's own, to look behind the adapter. Errors throw.
class RedisAdmin {
 public:
  explicit RedisAdmin(const std::string& url);

  /// The reply as text: strings and integers as they are, arrays joined by spaces, nil as "(nil)".
  std::string ask(const std::vector<std::string>& words);

 private:
  struct Free {
    void operator()(redisContext* context) const noexcept { redisFree(context); }
  };
  std::unique_ptr<redisContext, Free> context_;
};

/// A redis-server of the test's own on a free port, without persistence; gone with this object.
class PrivateRedis {
 public:
  explicit PrivateRedis(std::vector<std::string> options = {});
  ~PrivateRedis();
  PrivateRedis(const PrivateRedis&) = delete;
  PrivateRedis& operator=(const PrivateRedis&) = delete;

  std::string url() const { return "redis://" + address(); }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

  void start();
  void stop();    ///< At once, like a crash.
  void freeze();  ///< It keeps its connections and answers nothing, until `thaw`.
  void thaw();

 private:
  std::vector<std::string> options_;
  int port_ = 0;
  int pid_ = 0;
};

/// One connection with an inventory on it, connected.
class RedisWorld final : public InventoryWorld {
 public:
  explicit RedisWorld(RedisSettings settings);
  ~RedisWorld() override;

  boost::asio::io_context& context() override { return context_; }
  Inventory& inventory() override { return *inventory_; }
  LaneId make_lane(std::uint32_t index) override;
  void lose(LaneId lane) override;

  const RedisConnection& connection() const { return connection_; }
  RedisAdmin& admin() { return admin_; }

  /// Waits until the connection serves.
  Result<void> ping(Millis patience = Millis{10'000});

 private:
  boost::asio::io_context context_{1};
  RedisConnection connection_;
  std::unique_ptr<Inventory> inventory_;
  RedisAdmin admin_;
  std::vector<LaneId> lanes_;
};

/// sale, stock, success and pending: a lane's keys as docs/ and operators know them.
std::vector<std::string> keys_of(LaneId lane);

RedisSettings settings_of(const std::string& url);

/// A connection string in which no Redis listens.
std::string url_without_redis();

}  // namespace sluice::test
