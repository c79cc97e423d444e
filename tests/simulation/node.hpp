#pragma once

#include <functional>
#include <memory>
#include <string>

#include "sluice/base/metrics.hpp"
#include "sluice/domain/order_id.hpp"
#include "sluice/operations/operations.hpp"
#include "sluice/operations/shop.hpp"
#include "sluice/orders/order_service.hpp"
#include "sluice/orders/purchase_service.hpp"

#include "simulation/log.hpp"
#include "simulation/network.hpp"
#include "simulation/redis.hpp"
#include "simulation/results.hpp"
#include "simulation/store.hpp"

namespace sluice::simulation {

/// What all nodes share.
struct Services {
  Scheduler& scheduler;
  Story& story;
  Network& network;
  Store& store;
  Redis& redis;
  Log& log;
  Results& results;
  const OrderIdSeal& seal;
  Metrics& metrics;
};

/// One Sluice: the real use cases on an HTTP, a fulfilment and a control thread, wired as
/// `src/app/node.cpp` wires them. Its destruction is kill -9.
class Node {
 public:
  /// `life`: which of the lives of the node this is; a restart is a new one.
  Node(Services services, Who number, unsigned life);
  ~Node();

  using Bought = std::function<void(PurchaseAnswer)>;
  using Looked = std::function<void(LookUp)>;
  using Shopped = std::function<void(Operated<Order>)>;

  /// Requests, as they arrive. The answer is given on the node's side; it never is when the node
  /// dies first.
  void buy(SaleId sale, UserId user, std::uint32_t quantity, Bought answer);
  void find(SaleId sale, OrderId id, UserId user, Millis patience, Looked answer);
  void mine(SaleId sale, UserId user, Looked answer);
  void move(SaleId sale, OrderId id, UserId user, Move move, Looked answer);
  /// The same for the shop, by the admin listener.
  void move_for_shop(SaleId sale, OrderId id, UserId user, Move move, Shopped answer);

  // An operator's commands.
  void set_state(SaleId sale, SaleState state, std::function<void(bool)> answer);
  void rebuild(SaleId sale, bool force);
  void hold(std::optional<OperatingMode> mode, std::function<void(bool)> answer);

  void freeze(bool frozen);
  /// The wall clock jumps.
  void jump(Millis by);
  /// The wall clock is set right.
  void set_clock();

 private:
  struct Shared;
  struct Http;
  struct Fulfilment;
  struct Control;

  Services services_;
  Who number_;
  std::unique_ptr<Shared> shared_;
  std::unique_ptr<Http> http_;
  std::unique_ptr<Fulfilment> fulfilment_;
  std::unique_ptr<Control> control_;
};

}  // namespace sluice::simulation
