#pragma once

#include <memory>
#include <utility>

namespace sluice::simulation {

/// Something to do once. Unlike std::function it may hold what cannot be copied.
class Action {
 public:
  Action() = default;

  template <class Do>
  explicit Action(std::in_place_t, Do work) : held_(std::make_unique<Model<Do>>(std::move(work))) {}

  void operator()() { held_->run(); }

 private:
  struct Held {
    virtual ~Held() = default;
    virtual void run() = 0;
  };

  template <class Do>
  struct Model final : Held {
    explicit Model(Do w) : work(std::move(w)) {}
    void run() override { work(); }
    Do work;
  };

  std::unique_ptr<Held> held_;
};

}  // namespace sluice::simulation
