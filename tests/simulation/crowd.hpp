#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "simulation/ledger.hpp"
#include "simulation/node.hpp"

namespace sluice::simulation {

/// The nodes as clients see them: some of them dead.
using Cluster = std::vector<std::unique_ptr<Node>>;

/// What a user does with a confirmed order that must be paid.
enum class Habit : std::uint8_t {
  pays,
  waits,   ///< Until it expires, or somebody pays it.
  varies,  ///< Pays, cancels, or both at once.
};
inline constexpr std::size_t kHabits = 3;

/// The users: they buy, click twice, ask again when refused, look their orders up, pay or
/// cancel them, remember every answer and notice every contradiction.
class Crowd {
 public:
  Crowd(Services services, Cluster& nodes, Ledger& ledger);

  /// One more user, who comes at `at` and asks until `until`.
  void add(SaleId sale, UserId user, std::uint32_t quantity, Ticks at, Ticks until, Habit habit);

  /// Who still has a request to make, or an order whose end he does not know; empty: nobody.
  std::string missing() const;

  /// At rest: every acknowledged order must have come to the end that its row says, and every order
  /// must be known to its user.
  void settle_accounts();

  std::uint64_t requests() const { return requests_; }

 private:
  struct Known {
    OrderId id;
    OrderStatus seen = OrderStatus::queued;
    RejectReason reason = RejectReason::none;
  };

  struct User {
    UserId id;
    SaleId sale = 0;
    std::uint32_t quantity = 1;
    Ticks until;
    Ticks answered{};  ///< When a purchase was answered last.
    Habit habit = Habit::pays;
    std::vector<Known> orders;
    unsigned under_way = 0;
    unsigned revisits = 0;
    bool acting = false;
    bool doubt = false;  ///< An answer never came, or left open what happened.
    bool content = false;
  };

  /// One request, from the click to its answer or the client's patience.
  struct Request {
    std::size_t user = 0;
    std::vector<Known> known;  ///< When it was sent: what comes back must not contradict it.
    OrderId id;                ///< Of a look-up or a move.
    Move move = Move::pay;
    bool over = false;
  };
  using RequestPtr = std::shared_ptr<Request>;

  void act_later(std::size_t user, Millis first, Millis last);
  void act(std::size_t user);
  void buy(std::size_t user);
  void look(std::size_t user, const Known& order);
  void mine(std::size_t user);
  /// Pays, cancels or waits, as the user is.
  void settle_up(std::size_t user, const Known& order);
  /// Twice at once, now and then.
  void move_some(std::size_t user, const Known& order, Move move);
  void move(std::size_t user, const Known& order, Move move);
  void move_by_shop(std::size_t user, const Known& order, Move move);
  RequestPtr move_request(std::size_t user, const Known& order, Move move);
  void send(const RequestPtr& request, std::function<void(Node&)> work);
  RequestPtr request(std::size_t user);
  /// Carries an answer back, unless it is lost.
  void carry(const RequestPtr& request, std::function<void()> receive);
  bool end(const RequestPtr& request);

  void bought(const RequestPtr& request, const PurchaseAnswer& answer);
  void looked(const RequestPtr& request, const LookUp& answer);
  void was_mine(const RequestPtr& request, const LookUp& answer);
  void moved(const RequestPtr& request, const LookUp& answer);
  void moved_by_shop(const RequestPtr& request, const Operated<Order>& answer);
  void not_moved(const RequestPtr& request, Code code);
  void refused(std::size_t user, Code code);
  void learn(const RequestPtr& request, const OrderId& id, OrderStatus status, RejectReason reason);
  /// The first order that has not come to its end.
  const Known* open_order(const User& user) const;
  /// An order that is the user's for good.
  const Known* kept_order(const User& user) const;
  bool must_pay(const User& user) const;
  LaneId lane_of_user(const User& user) const;

  Who who(std::size_t user) const { return kUsers + static_cast<Who>(user); }

  Services services_;
  Cluster& nodes_;
  Ledger& ledger_;
  std::vector<User> users_;
  std::uint64_t requests_ = 0;

 public:
  std::uint32_t lose = 0;  ///< Answers lost on the way to the client, in a million.
};

}  // namespace sluice::simulation
