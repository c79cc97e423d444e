#include "sluice/operations/shop.hpp"

#include <string>
#include <utility>

#include "sluice/base/batcher.hpp"
#include "sluice/base/log.hpp"

#include "operations/refusals.hpp"

namespace sluice {
namespace {

namespace asio = boost::asio;

using Moves = Batcher<Transition, Result<std::optional<Order>>>;

constexpr Moves::Limits kLimits{256, 1, 4'096};
/// From one call to the next at least: a transaction costs the store more than its orders.
constexpr Millis kCallEvery{5};

OperatorRefusal no_answer(const boost::system::error_code& error) {
  return refusal_of(error, "the store did not answer in time; ask the same again");
}

class NodeShop final : public Shop {
 public:
  NodeShop(asio::any_io_executor executor, Millis timeout, ShopPorts ports)
      : timeout_(timeout),
        ports_(std::move(ports)),
        sales_(ports_.book),
        moves_(std::move(executor), kLimits, Errc::unknown,
               [this](Moves::Batch& batch) { return move_batch(batch); }) {}

  asio::awaitable<Operated<Order>> move(SaleId id, OrderId order, UserId user, Move move) override {
    const auto sale = co_await sale_of(id);
    if (!sale) co_return no_answer(sale.error());
    if (!must_be_paid(sale->terms)) {
      co_return OperatorRefusal{Code::order_final, "orders of this sale are final once confirmed"};
    }
    if (move == Move::expire) {
      co_return OperatorRefusal{Code::order_final, "only time lets an order expire"};
    }
    if (moves_.full()) co_return no_answer(Errc::overloaded);

    const Transition transition{{order, id, std::move(user)}, move};
    const auto moved = co_await moves_.submit(transition);
    if (!moved) co_return no_answer(moved.error());
    const auto& now = *moved;
    if (!now) {
      co_return OperatorRefusal{Code::unknown_order, "that user has no such order in that sale"};
    }
    if (now->status != after(move)) {
      co_return OperatorRefusal{Code::order_final,
                                "the order is " + std::string(name(now->status))};
    }
    log().debug("order {} of sale {} is {}", order.text(), id, name(now->status));
    if (!is_live(now->status)) ports_.returned();
    co_return *now;
  }

 private:
  /// As far as its terms, which never change.
  Task<Sale> sale_of(SaleId id) {
    if (const auto* known = sales_.get().find(id)) co_return *known;
    auto sale = co_await ports_.sales.get(deadline(), id);
    if (!sale) co_return sale.error() == Errc::unknown ? Errc::unavailable : sale.error();
    if (!*sale) co_return Errc::not_found;
    co_return std::move(**sale);
  }

  asio::awaitable<void> move_batch(Moves::Batch& batch) {
    const auto next_at = ports_.clock.ticks() + kCallEvery;
    const auto transitions = requests_of(batch);
    auto moved = co_await ports_.moves.move(deadline(), transitions);
    answer_each(batch, std::move(moved));
    // Whoever comes meanwhile shares the next call.
    co_await ports_.clock.sleep_until(next_at);
  }

  Ticks deadline() const { return ports_.clock.ticks() + timeout_; }

  const Millis timeout_;
  const ShopPorts ports_;
  SaleBook::Reader sales_;
  Moves moves_;
};

}  // namespace

std::unique_ptr<Shop> create_shop(asio::any_io_executor executor, Millis timeout, ShopPorts ports) {
  return std::make_unique<NodeShop>(std::move(executor), timeout, std::move(ports));
}

}  // namespace sluice
