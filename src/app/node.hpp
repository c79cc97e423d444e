#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sluice/base/metrics.hpp"
#include "sluice/base/readiness.hpp"
#include "sluice/base/time.hpp"
#include "sluice/catalog/sale_book.hpp"
#include "sluice/domain/order_id.hpp"
#include "sluice/gate/concurrency_limit.hpp"
#include "sluice/gate/token_buckets.hpp"
#include "sluice/http/admin_server.hpp"
#include "sluice/http/public_server.hpp"
#include "sluice/settings/secrets.hpp"
#include "sluice/settings/settings.hpp"

#include "app/backend.hpp"
#include "app/guards.hpp"
#include "app/worker.hpp"

namespace sluice {

/// One running Sluice: HTTP threads, fulfilment threads, the control thread and the admin listener.
/// Use it from one thread, which is none of its own.
class Node {
 public:
  /// Binds its ports; throws when it cannot, with a sentence for the operator.
  Node(Settings settings, const Secrets& secrets,
       std::function<std::string(const UserId&)> demo_token, std::shared_ptr<Clock> clock);
  ~Node();

  void start();

  /// Takes the rates of these settings and these keys, which were checked; the rest stays.
  void reload(const Settings& settings, const Secrets& secrets);

  Metrics& metrics() { return metrics_; }

  /// Says at once that it is not ready, and serves on until `stop`.
  void drain();

  /// Unready, then no new connections, then the purchases in flight are answered, then the queue is
  /// flushed and the fulfilment ends between two batches. False when `drain_timeout` cut it short.
  bool stop();

  bool ready() const { return readiness_.get()->ready(); }
  std::uint16_t port() const;
  std::uint16_t admin_port() const;

  /// What operators ask for, to be called on the executor of `control` alone.
  Operations& operations();
  boost::asio::any_io_executor control();

 private:
  struct Http;
  struct FulfilmentThread;
  struct ControlThread;
  struct AdminThread;

  Settings settings_;
  std::shared_ptr<Clock> clock_;
  Metrics metrics_;
  Guards guards_;
  Backend backend_;
  SaleBook book_;
  Readiness readiness_;
  OrderIdSeal seal_;
  TokenBuckets ip_buckets_;
  TokenBuckets failure_buckets_;
  TokenBuckets user_buckets_;
  TokenBuckets sale_buckets_;
  TokenBuckets old_sale_buckets_;
  ConcurrencyLimit concurrency_;
  std::shared_ptr<ConnectionLimits> connections_;
  std::unique_ptr<ControlThread> control_;
  std::vector<std::unique_ptr<FulfilmentThread>> fulfilment_;
  std::vector<std::unique_ptr<Http>> http_;
  std::unique_ptr<AdminThread> admin_;
};

}  // namespace sluice
