#include "sluice/operations/operations.hpp"

#include <memory>
#include <utility>

#include "sluice/base/log.hpp"
#include "sluice/base/mutation.hpp"
#include "sluice/orders/order_store.hpp"
#include "sluice/recovery/control.hpp"
#include "sluice/recovery/control_store.hpp"

#include "operations/refusals.hpp"

namespace sluice {
namespace {

namespace asio = boost::asio;

using Role = ServiceProbe::Role;

constexpr Millis kLookAgain{100};  // Between two looks at lanes that do not follow yet.

class NodeOperations final : public Operations {
 public:
  NodeOperations(RecoverySettings settings, OperationsPorts ports)
      : settings_(settings), ports_(ports) {}

  asio::awaitable<Operated<Sale>> create(SaleDraft draft) override {
    if (const auto problem = check(draft)) co_return OperatorRefusal{Code::invalid_sale, *problem};
    auto sale = co_await ports_.sales.create(deadline(), std::move(draft));
    if (!sale) co_return refusal_of(sale.error());
    log().info("sale {} created: \"{}\", {} units", sale->id, printable(sale->terms.title),
               sale->terms.stock);
    co_return std::move(*sale);
  }

  asio::awaitable<Operated<std::vector<Sale>>> list(SaleFilter which, SaleId before,
                                                    std::size_t max) override {
    auto sales = co_await ports_.sales.list(deadline(), which, before, max);
    if (!sales) co_return refusal_of(sales.error());
    co_return std::move(*sales);
  }

  asio::awaitable<Operated<Sale>> show(SaleId id) override {
    auto sale = co_await ports_.sales.get(deadline(), id);
    if (!sale) co_return refusal_of(sale.error());
    if (!*sale) co_return refusal_of(Errc::not_found);
    co_return std::move(**sale);
  }

  asio::awaitable<Operated<Sale>> set_state(SaleId id, SaleState state) override {
    auto sale = co_await ports_.sales.set_state(deadline(), id, state);
    if (!sale) co_return refusal_of(sale.error());
    log().info("sale {} is {}", id, name(state));

    // Another node may have to rebuild the lanes; it does so in its next round.
    const auto give_up = ports_.clock.ticks() + settings_.call_timeout + 2 * settings_.tick;
    for (;;) {
      const auto kept = co_await ports_.control.keep_now(*sale);
      if (kept || mutant("window.told_too_early")) break;
      if (ports_.clock.ticks() >= give_up) {
        co_return OperatorRefusal{Code::not_ready,
                                  "the sale's state is stored, but its lanes do not "
                                  "follow yet: " +
                                      kept.error().message()};
      }
      co_await ports_.clock.sleep_until(ports_.clock.ticks() + kLookAgain);
    }
    if (const auto refreshed = co_await ports_.control.refresh_sales(); !refreshed) {
      co_return refusal_of(refreshed.error());
    }
    co_return std::move(*sale);
  }

  asio::awaitable<Operated<SaleAudit>> audit(SaleId id) override {
    const auto sale = co_await show(id);
    if (!sale) co_return sale.error();
    const bool inventory_up = ports_.control.services().up(Role::inventory);
    auto audit = co_await ports_.auditor.audit(id, sale->terms.lanes, inventory_up);
    if (!audit) co_return refusal_of(audit.error());
    for (auto& lane : audit->lanes) lane.copy = ports_.control.copying(lane.figures.lane);
    co_return std::move(*audit);
  }

  asio::awaitable<Operated<SaleAudit>> rebuild(SaleId id, bool force) override {
    const auto sale = co_await show(id);
    if (!sale) co_return sale.error();
    if (sale->state == SaleState::draft || sale->state == SaleState::closed) {
      co_return OperatorRefusal{Code::invalid_state,
                                "only the lanes of a sale that sells are rebuilt"};
    }
    log().warn("an operator asks for new epochs for sale {}{}", id, force ? ", by force" : "");
    std::vector<Fence> under_way;
    std::vector<LaneId> others;
    for (std::uint32_t index = 0; index < sale->terms.lanes; ++index) {
      const LaneId lane{id, index};
      const auto head = co_await ports_.orders.head(deadline(), lane);
      if (!head) co_return refusal_of(head.error());
      const bool fencing = head->newest > head->fence;
      if (force && fencing) under_way.push_back({lane, head->newest});
      if (!fencing) others.push_back(lane);
    }
    // An operator who forces the fences that do not pass asks for no rebuild of the other lanes.
    if (!under_way.empty()) others.clear();
    for (const auto& fence : under_way) {
      const auto raised =
          co_await ports_.orders.raise_fence(deadline(), fence, std::nullopt, std::nullopt);
      if (!raised) co_return refusal_of(raised.error());
    }
    for (const auto lane : others) {
      const auto asked = co_await ports_.orders.suspect(deadline(), lane);
      if (!asked) co_return refusal_of(asked.error());
    }
    co_return co_await audit(id);
  }

  asio::awaitable<Operated<ModeReport>> flow() override { co_return ports_.control.mode(); }

  asio::awaitable<Operated<ModeReport>> hold(std::optional<OperatingMode> mode) override {
    if (!ports_.control.services().has(Role::queue)) {
      co_return OperatorRefusal{Code::invalid_state, "the embedded server has one mode"};
    }
    std::string request(mode ? name(*mode) : "auto");
    const auto set = co_await ports_.requests.request(deadline(), kModeRequest, std::move(request));
    if (!set) co_return refusal_of(set.error());
    const auto followed = co_await ports_.control.follow_mode_request();
    if (!followed) co_return refusal_of(followed.error());
    co_return ports_.control.mode();
  }

 private:
  Ticks deadline() const { return ports_.clock.ticks() + settings_.call_timeout; }

  RecoverySettings settings_;
  OperationsPorts ports_;
};

}  // namespace

std::unique_ptr<Operations> create_operations(RecoverySettings settings, OperationsPorts ports) {
  return std::make_unique<NodeOperations>(settings, ports);
}

}  // namespace sluice
