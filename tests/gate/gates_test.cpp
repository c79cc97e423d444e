#include <gtest/gtest.h>
#include <optional>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include "sluice/gate/admission.hpp"
#include "sluice/gate/concurrency_limit.hpp"
#include "sluice/gate/front_gate.hpp"

#include "support/free_permits.hpp"
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
  two.reset();
  EXPECT_EQ(test::free_permits(credits), 1U);
  EXPECT_TRUE(credits.take());
}

TEST(ConcurrencyLimit, AMovedCreditIsGivenBackOnce) {
  ConcurrencyLimit credits(1);
  {
    auto one = credits.take();
    ConcurrencyLimit::Permit moved(std::move(one));
    EXPECT_TRUE(moved);
    std::optional<ConcurrencyLimit::Permit> kept(std::move(moved));
    EXPECT_EQ(test::free_permits(credits), 0U);
  }
  EXPECT_EQ(test::free_permits(credits), 1U);
}

TEST(ConcurrencyLimit, NoneMeansNone) {
  ConcurrencyLimit credits(0);
  EXPECT_FALSE(credits.take());
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
  EXPECT_EQ(test::free_permits(credits), std::size_t{kTotal});
}

TEST(Jitter, IsBetweenOneAndTwoWaits) {
  Random random = std::mt19937_64(1);
  std::set<Millis> seen;
  for (int i = 0; i < 200; ++i) {
    const auto wait = jittered(Millis{100}, random);
    EXPECT_GE(wait, Millis{100});
    EXPECT_LE(wait, Millis{200});
    seen.insert(wait);
  }
  EXPECT_GT(seen.size(), 50U);
  EXPECT_EQ(jittered(Millis{0}, random), Millis{0});
}

class AdmissionChainTest : public testing::Test {
 protected:
  AdmissionChainTest() {
    sale_.id = 7;
    sale_.terms = test::draft_of(10);
    sale_.state = SaleState::open;
    chain_ = {create_sale_window_stage(), create_sale_rate_stage(buckets_, random_),
              create_node_rate_stage(limiter_, random_),
              create_concurrency_stage(concurrency_, random_)};
  }

  /// What the window alone says.
  std::optional<Refusal> window(TimePoint now) {
    Admission admission{now, kStart, {}, &user_, &sale_, {sale_.id, 0}};
    return create_sale_window_stage()(admission);
  }

  /// An admission that passed, with its permit, or its refusal.
  std::variant<ConcurrencyLimit::Permit, Refusal> admit(Ticks now) {
    Admission admission{sale_.terms.starts_at, now, {}, &user_, &sale_, {sale_.id, 0}};
    if (const auto refusal = sluice::admit(chain_, admission)) return *refusal;
    return std::move(admission.permit);
  }

  Random random_ = std::mt19937_64(1);
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
    EXPECT_EQ(test::free_permits(concurrency_), 0U);
    const auto no_credit = admit(kStart);
    ASSERT_TRUE(std::holds_alternative<Refusal>(no_credit));
    EXPECT_EQ(std::get<Refusal>(no_credit).code, Code::busy);
    EXPECT_GE(std::get<Refusal>(no_credit).retry_after, Millis{500});
  }
  EXPECT_EQ(test::free_permits(concurrency_), 1U);
  const auto too_fast = admit(kStart);
  ASSERT_TRUE(std::holds_alternative<Refusal>(too_fast));
  EXPECT_EQ(std::get<Refusal>(too_fast).code, Code::busy);
  EXPECT_GE(std::get<Refusal>(too_fast).retry_after, Millis{1000}) << "as long as the bucket says";
  EXPECT_EQ(test::free_permits(concurrency_), 1U);
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
  EXPECT_EQ(test::free_permits(concurrency_), 1U);

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
  Random random = std::mt19937_64(1);
  TokenBuckets ips(rate(1, 2));
  TokenBuckets users(rate(1, 1));
  IdentitySettings settings;
  settings.key = std::string(32, 'k');
  FrontGate gate{{create_address_rate_stage(ips, random)},
                 Identity(settings),
                 {create_user_rate_stage(users, random)}};
  const auto from = [&](std::string_view ip) {
    Admission admission{kNow, kStart, ip};
    return admit(gate.addresses, admission);
  };
  const auto of = [&](const UserId& user) {
    Admission admission{kNow, kStart, {}, &user};
    return admit(gate.users, admission);
  };

  EXPECT_FALSE(from("192.0.2.1"));
  EXPECT_FALSE(from("192.0.2.1"));
  const auto refusal = from("192.0.2.1");
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->code, Code::rate_limited);
  EXPECT_GE(refusal->retry_after, Millis{1000});
  EXPECT_LE(refusal->retry_after, Millis{2000});
  EXPECT_FALSE(from("192.0.2.2"));

  const auto alice = *UserId::parse("alice");
  EXPECT_FALSE(of(alice));
  EXPECT_EQ(of(alice)->code, Code::rate_limited);
  EXPECT_FALSE(of(*UserId::parse("bob")));

  const auto token = sign_token(settings, alice, kNow, Millis{60'000});
  EXPECT_EQ(*gate.identity.verify(token, kNow), alice);
  EXPECT_EQ(gate.identity.verify("", kNow).error().code, Code::missing_token);
}

}  // namespace
}  // namespace sluice
