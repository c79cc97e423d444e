#include <gtest/gtest.h>
#include <optional>
#include <set>
#include <thread>
#include <vector>

#include "sluice/gate/admission.hpp"
#include "sluice/gate/concurrency_limit.hpp"
#include "sluice/gate/front_gate.hpp"

#include "support/store_values.hpp"

namespace sluice {
namespace {

constexpr Ticks kStart{std::chrono::hours(1)};

BucketSettings rate(double per_s, double burst) {
  BucketSettings settings;
  settings.rate_per_s = per_s;
  settings.burst = burst;
  return settings;
}

TEST(ConcurrencyLimit, AreTakenAndGivenBack) {
  ConcurrencyLimit credits(2);
  auto one = credits.take();
  auto two = credits.take();
  EXPECT_TRUE(one);
  EXPECT_TRUE(two);
  EXPECT_FALSE(credits.take());
  EXPECT_EQ(credits.taken(), 2);
  two = ConcurrencyLimit::Permit();
  EXPECT_EQ(credits.taken(), 1);
  EXPECT_TRUE(credits.take());
}

TEST(ConcurrencyLimit, AMovedCreditIsGivenBackOnce) {
  ConcurrencyLimit credits(1);
  {
    auto one = credits.take();
    ConcurrencyLimit::Permit moved(std::move(one));
    EXPECT_TRUE(moved);
    std::optional<ConcurrencyLimit::Permit> kept(std::move(moved));
    EXPECT_EQ(credits.taken(), 1);
  }
  EXPECT_EQ(credits.taken(), 0);
}

TEST(ConcurrencyLimit, NoneMeansNone) {
  ConcurrencyLimit credits(0);
  EXPECT_FALSE(credits.take());
  EXPECT_EQ(credits.taken(), 0);
}

TEST(ConcurrencyLimit, ThreadsNeverHoldMoreThanThereAre) {
  constexpr int kTotal = 3;
  ConcurrencyLimit credits(kTotal);
  std::atomic<int> held{0};
  std::atomic<int> most{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 6; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 2000; ++i) {
        const auto credit = credits.take();
        if (!credit) continue;
        const int now = ++held;
        int seen = most;
        while (now > seen && !most.compare_exchange_weak(seen, now)) continue;
        --held;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_LE(most, kTotal);
  EXPECT_GE(most, 1);
  EXPECT_EQ(credits.taken(), 0);
}

TEST(Jitter, IsBetweenOneAndTwoWaits) {
  const auto random = seeded_random(1);
  std::set<Millis> seen;
  for (int i = 0; i < 200; ++i) {
    const auto wait = jittered(Millis{100}, *random);
    EXPECT_GE(wait, Millis{100});
    EXPECT_LE(wait, Millis{200});
    seen.insert(wait);
  }
  EXPECT_GT(seen.size(), 50U);
  EXPECT_EQ(jittered(Millis{0}, *random), Millis{0});
}

class AdmissionChainTest : public testing::Test {
 protected:
  AdmissionChainTest() {
    sale_.id = 7;
    sale_.terms = test::draft_of(10);
    sale_.state = SaleState::open;
    chain_.add(create_sale_window_stage())
        .add(create_sale_rate_stage(buckets_, *random_))
        .add(create_node_rate_stage(limiter_, *random_))
        .add(create_concurrency_stage(concurrency_, *random_));
  }

  /// What the window alone says.
  std::optional<Refusal> window(TimePoint now) {
    Admission admission{now, kStart, {}, &user_, &sale_, {sale_.id, 0}};
    return create_sale_window_stage()(admission);
  }

  /// An admission that passed, with its permit, or its refusal.
  std::variant<ConcurrencyLimit::Permit, Refusal> admit(Ticks now) {
    Admission admission{sale_.terms.starts_at, now, {}, &user_, &sale_, {sale_.id, 0}};
    if (const auto refusal = chain_.admit(admission)) return *refusal;
    return std::move(admission.permit);
  }

  std::unique_ptr<Random> random_ = seeded_random(1);
  TokenBuckets buckets_{rate(1, 2)};
  ConcurrencyLimit concurrency_{1};
  RateLimiter limiter_;
  AdmissionChain chain_;
  UserId user_ = *UserId::parse("alice");
  Sale sale_;
};

TEST_F(AdmissionChainTest, NobodyPassesBeforeTheStart) {
  const auto refusal = window(sale_.terms.starts_at - Millis{5000});
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->code, Code::sale_not_started);
  EXPECT_EQ(refusal->retry_after, Millis{5000});
  EXPECT_EQ(window(sale_.terms.starts_at - Millis{1})->retry_after, Millis{1000});
  EXPECT_EQ(window(TimePoint{})->retry_after, Millis{60'000});
  sale_.state = SaleState::draft;
  EXPECT_EQ(window(sale_.terms.ends_at)->code, Code::sale_not_started);
}

TEST_F(AdmissionChainTest, LaterAndWhilePausedOrClosedTheLaneAnswers) {
  EXPECT_FALSE(window(sale_.terms.starts_at));
  EXPECT_FALSE(window(sale_.terms.ends_at));
  sale_.state = SaleState::paused;
  EXPECT_FALSE(window(sale_.terms.starts_at));
  sale_.state = SaleState::closed;
  EXPECT_FALSE(window(sale_.terms.starts_at - Millis{1}));
}

TEST_F(AdmissionChainTest, RoomIsBoundedByTheSalesRateAndByCredits) {
  {
    const auto room = admit(kStart);
    ASSERT_TRUE(std::holds_alternative<ConcurrencyLimit::Permit>(room));
    EXPECT_EQ(concurrency_.taken(), 1);
    const auto no_credit = admit(kStart);
    ASSERT_TRUE(std::holds_alternative<Refusal>(no_credit));
    EXPECT_EQ(std::get<Refusal>(no_credit).code, Code::busy);
    EXPECT_GE(std::get<Refusal>(no_credit).retry_after, Millis{500});
  }
  EXPECT_EQ(concurrency_.taken(), 0);
  const auto too_fast = admit(kStart);
  ASSERT_TRUE(std::holds_alternative<Refusal>(too_fast));
  EXPECT_EQ(std::get<Refusal>(too_fast).code, Code::busy);
  EXPECT_GE(std::get<Refusal>(too_fast).retry_after, Millis{1000}) << "as long as the bucket says";
  EXPECT_EQ(concurrency_.taken(), 0);
  sale_.id = 8;
  EXPECT_TRUE(std::holds_alternative<ConcurrencyLimit::Permit>(admit(kStart)))
      << "another sale has its own rate";
}

TEST_F(AdmissionChainTest, AThrottledNodeIsBusyAndSaysWhenToReturn) {
  limiter_.set_rate(0.5, kStart);
  const auto later = kStart + Millis{2000};
  EXPECT_TRUE(std::holds_alternative<ConcurrencyLimit::Permit>(admit(later)));
  sale_.id = 8;
  const auto throttled = admit(later);
  ASSERT_TRUE(std::holds_alternative<Refusal>(throttled)) << "the rate is that of all sales";
  EXPECT_EQ(std::get<Refusal>(throttled).code, Code::busy);
  EXPECT_GE(std::get<Refusal>(throttled).retry_after, Millis{2000}) << "as long as it says";
  EXPECT_LE(std::get<Refusal>(throttled).retry_after, Millis{4000});
  EXPECT_EQ(concurrency_.taken(), 0);

  limiter_.set_rate(0, kStart);
  const auto shut = admit(kStart + Millis{60'000});
  ASSERT_TRUE(std::holds_alternative<Refusal>(shut));
  EXPECT_GE(std::get<Refusal>(shut).retry_after, RateLimiter::kWaitMax);

  limiter_.set_rate({}, kStart);
  EXPECT_TRUE(std::holds_alternative<ConcurrencyLimit::Permit>(admit(kStart + Millis{60'000})));
}

TEST(WindowCode, NamesWhyTheWindowIsShut) {
  EXPECT_EQ(window_code(WindowPhase::not_started), Code::sale_not_started);
  EXPECT_EQ(window_code(WindowPhase::ended), Code::sale_ended);
  EXPECT_EQ(window_code(WindowPhase::paused), Code::sale_paused);
  EXPECT_EQ(window_code(WindowPhase::closed), Code::sale_closed);
  EXPECT_EQ(window_code(WindowPhase::open), Code::not_ready);
}

TEST(FrontGate, LimitsAddressesAndUsersEachByTheirOwn) {
  constexpr TimePoint kNow{Millis{1'800'000'000'000}};
  const auto random = seeded_random(1);
  TokenBuckets ips(rate(1, 2));
  TokenBuckets users(rate(1, 1));
  IdentitySettings settings;
  settings.key = std::string(32, 'k');
  FrontGate gate(AdmissionChain().add(create_address_rate_stage(ips, *random)), Identity(settings),
                 AdmissionChain().add(create_user_rate_stage(users, *random)));

  EXPECT_FALSE(gate.admit("192.0.2.1", kNow, kStart));
  EXPECT_FALSE(gate.admit("192.0.2.1", kNow, kStart));
  const auto refusal = gate.admit("192.0.2.1", kNow, kStart);
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->code, Code::rate_limited);
  EXPECT_GE(refusal->retry_after, Millis{1000});
  EXPECT_LE(refusal->retry_after, Millis{2000});
  EXPECT_FALSE(gate.admit("192.0.2.2", kNow, kStart));

  const auto alice = *UserId::parse("alice");
  EXPECT_FALSE(gate.admit(alice, kNow, kStart));
  EXPECT_EQ(gate.admit(alice, kNow, kStart)->code, Code::rate_limited);
  EXPECT_FALSE(gate.admit(*UserId::parse("bob"), kNow, kStart));

  const auto token = sign_token(settings, alice, kNow, Millis{60'000});
  EXPECT_EQ(*gate.identify(token, kNow), alice);
  EXPECT_EQ(gate.identify("", kNow).error().code, Code::missing_token);
}

}  // namespace
}  // namespace sluice
