#include "simulation/results.hpp"

#include <boost/asio/post.hpp>
#include <utility>

namespace sluice::simulation {

void Results::announce(const std::vector<Outcome>& outcomes) {
  for (const auto& listener : listeners_) {
    if (scheduler_.rng().ppm(lose)) continue;
    const std::weak_ptr<Listener> to = listener;
    if (instant_) {
      deliver(to, outcomes);
      continue;
    }
    scheduler_.in(scheduler_.rng().between(Micros{100}, Micros{5000}),
                  [to, outcomes] { deliver(to, outcomes); });
  }
}

void Results::deliver(std::weak_ptr<Listener> to, std::vector<Outcome> outcomes) {
  const auto there = to.lock();
  if (!there) return;
  there->thread->wake();
  boost::asio::post(there->thread->executor(),
                    [to = std::move(to), outcomes = std::move(outcomes)] {
                      if (const auto still = to.lock()) still->call(outcomes);
                    });
}

namespace {

class ResultPort final : public ResultFeed {
 public:
  ResultPort(Network& network, Caller caller, Results& results)
      : network_(network), caller_(caller), results_(results) {}

  ~ResultPort() override { leave(); }

  Task<> announce(Ticks deadline, In<Outcome> outcomes) override {
    std::vector<Outcome> copy(outcomes.begin(), outcomes.end());
    auto work = [&results = results_, copy = std::move(copy)]() -> Result<void> {
      results.announce(copy);
      return {};
    };
    return network_.call<void>(caller_, Service::redis, deadline, std::move(work));
  }

  void listen(Listener listener) override {
    leave();
    listening_ = std::make_shared<Results::Listener>();
    *listening_ = {&caller_.thread, std::move(listener)};
    results_.add(listening_);
  }

 private:
  void leave() {
    if (listening_) results_.remove(listening_);
    listening_.reset();
  }

  Network& network_;
  Caller caller_;
  Results& results_;
  std::shared_ptr<Results::Listener> listening_;
};

}  // namespace

std::unique_ptr<ResultFeed> create_result_feed(Network& network, Caller caller, Results& results) {
  return std::make_unique<ResultPort>(network, caller, results);
}

}  // namespace sluice::simulation
