#include "adapters/kafka/in_flight.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <gtest/gtest.h>
#include <optional>
#include <thread>

namespace sluice::kafka {
namespace {

using Kind = Receipt::Kind;

constexpr Ticks kStart{std::chrono::hours(1)};
constexpr Ticks kDeadline = kStart + Millis{100};

/// Begins a call of `count` messages, as a publish does, and keeps what comes of it.
struct Begin {
  InFlight* in_flight;
  const void* owner;
  std::size_t count;
  InFlight::Call** call;

  void operator()(Completion<Receipts> answer) const {
    *call = in_flight->begin(owner, kDeadline, count, answer);
    if (*call == nullptr) answer(Errc::overloaded);
  }
};

boost::asio::awaitable<void> wait(Begin begin, std::optional<Receipts>& got) {
  got = co_await suspend<Receipts>(begin);
}

class InFlightTest : public testing::Test {
 protected:
  /// The call under way; its answer appears in `got_` after `run`.
  InFlight::Call* start(std::size_t count) {
    InFlight::Call* call = nullptr;
    const Begin begin{&in_flight_, this, count, &call};
    auto waiting = wait(begin, got_);
    boost::asio::co_spawn(context_, std::move(waiting), [](std::exception_ptr) {});
    run();
    return call;
  }

  void run() {
    context_.restart();
    context_.poll();
  }

  std::vector<Kind> kinds() {
    run();
    std::vector<Kind> kinds;
    if (got_ && got_->has_value()) {
      for (const auto& receipt : **got_) kinds.push_back(receipt.kind);
    }
    return kinds;
  }

  boost::asio::io_context context_{1};
  InFlight in_flight_;
  std::optional<Receipts> got_;
};

TEST_F(InFlightTest, a_call_is_answered_with_its_last_report) {
  auto* call = start(2);
  in_flight_.report(call->slots[1], Fate::queued);
  in_flight_.sent(*call);
  run();
  EXPECT_FALSE(got_.has_value());
  in_flight_.report(call->slots[0], Fate::lost);
  EXPECT_EQ(kinds(), (std::vector<Kind>{Kind::unknown, Kind::queued}));
}

TEST_F(InFlightTest, reports_that_come_while_sending_do_not_end_the_call) {
  auto* call = start(1);
  in_flight_.report(call->slots[0], Fate::queued);
  run();
  EXPECT_FALSE(got_.has_value());
  in_flight_.sent(*call);
  EXPECT_EQ(kinds(), std::vector<Kind>{Kind::queued});
}

TEST_F(InFlightTest, a_call_of_which_nothing_went_out_is_unavailable) {
  auto* call = start(2);
  in_flight_.report(call->slots[0], Fate::refused);
  in_flight_.report(call->slots[1], Fate::refused);
  in_flight_.sent(*call);
  run();
  ASSERT_TRUE(got_.has_value());
  EXPECT_EQ(got_->error(), Errc::unavailable);
}

TEST_F(InFlightTest, a_refused_message_among_others_is_unknown) {
  auto* call = start(2);
  in_flight_.report(call->slots[0], Fate::refused);
  in_flight_.report(call->slots[1], Fate::queued);
  in_flight_.sent(*call);
  EXPECT_EQ(kinds(), (std::vector<Kind>{Kind::unknown, Kind::queued}));
}

TEST_F(InFlightTest, at_the_deadline_what_is_open_is_unknown_and_late_reports_are_harmless) {
  auto* call = start(2);
  in_flight_.sent(*call);
  in_flight_.report(call->slots[0], Fate::queued);
  in_flight_.expire(kDeadline - Millis{1});
  run();
  EXPECT_FALSE(got_.has_value());
  in_flight_.expire(kDeadline);
  EXPECT_EQ(kinds(), (std::vector<Kind>{Kind::queued, Kind::unknown}));
  in_flight_.report(call->slots[1], Fate::queued);
  EXPECT_EQ(kinds(), (std::vector<Kind>{Kind::queued, Kind::unknown}));
}

TEST_F(InFlightTest, a_refused_message_and_an_open_one_are_both_unknown) {
  auto* call = start(2);
  in_flight_.report(call->slots[0], Fate::refused);
  in_flight_.sent(*call);
  in_flight_.expire(Ticks::max());
  EXPECT_EQ(kinds(), (std::vector<Kind>{Kind::unknown, Kind::unknown}));
}

TEST_F(InFlightTest, a_forgotten_call_is_never_answered_and_takes_its_reports) {
  auto* call = start(1);
  in_flight_.sent(*call);
  in_flight_.forget(this);
  in_flight_.report(call->slots[0], Fate::queued);
  run();
  EXPECT_FALSE(got_.has_value());
}

TEST_F(InFlightTest, no_call_begins_after_the_end) {
  in_flight_.refuse();
  EXPECT_EQ(start(1), nullptr);
  run();
  ASSERT_TRUE(got_.has_value());
  EXPECT_EQ(got_->error(), Errc::overloaded);
}

TEST_F(InFlightTest, reports_deadlines_and_forgetting_may_race) {
  for (int round = 0; round < 200; ++round) {
    got_.reset();
    auto* call = start(8);
    std::thread reporter([&] {
      for (const auto index : {0U, 1U, 2U, 3U}) in_flight_.report(call->slots[index], Fate::queued);
    });
    std::thread timer([&] { in_flight_.expire(kDeadline); });
    for (const auto index : {4U, 5U, 6U, 7U}) in_flight_.report(call->slots[index], Fate::refused);
    if (round % 2 == 0) in_flight_.forget(this);
    in_flight_.sent(*call);
    reporter.join();
    timer.join();
    const auto answered = kinds();
    if (round % 2 == 1) {
      EXPECT_EQ(answered.size(), 8U);
    }
  }
}

}  // namespace
}  // namespace sluice::kafka
