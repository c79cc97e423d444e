#include "sluice/fulfilment/guarded_results.hpp"

#include <utility>

namespace sluice {
namespace {

class GuardedResults final : public ResultFeed {
 public:
  GuardedResults(ResultFeed& inner, Breaker& breaker, Clock& clock)
      : inner_(inner), breaker_(breaker), clock_(clock) {}

  Task<> announce(Ticks deadline, In<Outcome> outcomes) override {
    const auto began = clock_.ticks();
    if (!breaker_.permit(began)) co_return Errc::unavailable;
    const auto announced = co_await inner_.announce(deadline, outcomes);
    const auto ended = clock_.ticks();
    breaker_.record(ended, announced.has_value(), std::chrono::floor<Millis>(ended - began));
    co_return announced;
  }

  void listen(Listener listener) override { inner_.listen(std::move(listener)); }

 private:
  ResultFeed& inner_;
  Breaker& breaker_;
  Clock& clock_;
};

}  // namespace

std::unique_ptr<ResultFeed> create_guarded_results(ResultFeed& inner, Breaker& breaker,
                                                   Clock& clock) {
  return std::make_unique<GuardedResults>(inner, breaker, clock);
}

}  // namespace sluice
