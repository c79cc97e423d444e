#include <gtest/gtest.h>
#include <malloc.h>
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

class FrontGateTest : public testing::Test {
 protected:
  static constexpr TimePoint kNow{Millis{1'800'000'000'000}};

  static IdentitySettings identity_settings() {
    IdentitySettings settings;
    settings.keys = {{"", "HS256", std::string(32, 'k')}};
    return settings;
  }
  static std::string token_of(const std::string& user, Millis lifetime = Millis{600'000}) {
    return sign_token(identity_settings(), *UserId::parse(user), kNow, lifetime);
  }

  std::optional<Refusal> from(std::string_view ip) {
    Admission admission{kNow, kStart, ip};
    return admit(gate_.addresses, admission);
  }
  /// The user, or the name of the refusal's code.
  std::string identify(std::string_view token, std::string_view ip, Ticks ticks = kStart) {
    const auto passed = ticks - kStart;
    Admission admission{kNow + std::chrono::floor<Millis>(passed), ticks, ip};
    const auto found = gate_.identify(token, std::move(admission));
    return found ? found->text() : std::string(problem(found.error().code).name);
  }

  Random random_ = std::mt19937_64(1);
  TokenBuckets ips_{rate(1, 2)};
  TokenBuckets users_{rate(1, 3)};
  TokenBuckets failures_{rate(0.1, 2)};
  FrontGate gate_{{create_address_rate_stage(ips_, random_)},
                  {create_failure_rate_stage(failures_, random_)},
                  Identity(identity_settings()),
                  {create_user_rate_stage(users_, random_)},
                  failures_};
};

TEST_F(FrontGateTest, LimitsAddressesAndUsersEachByTheirOwn) {
  EXPECT_FALSE(from("192.0.2.1"));
  EXPECT_FALSE(from("192.0.2.1"));
  const auto refusal = from("192.0.2.1");
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->code, Code::rate_limited);
  EXPECT_GE(refusal->retry_after, Millis{1000});
  EXPECT_LE(refusal->retry_after, Millis{2000});
  EXPECT_FALSE(from("192.0.2.2"));

  const auto alice = token_of("alice");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(identify(alice, "192.0.2.1"), "alice");
  EXPECT_EQ(identify(alice, "192.0.2.1"), "rate_limited");
  EXPECT_EQ(identify(token_of("bob"), "192.0.2.1"), "bob");
}

TEST_F(FrontGateTest, ChecksNoSignatureOfAnAddressThatFailedTooOften) {
  EXPECT_EQ(identify("bad1", "192.0.2.1"), "invalid_token");
  EXPECT_EQ(identify(token_of("old", Millis{-1000}), "192.0.2.1"), "expired_token");
  EXPECT_EQ(identify("bad2", "192.0.2.1"), "rate_limited");
  EXPECT_EQ(identify(token_of("alice"), "192.0.2.1"), "rate_limited") << "it would be checked";
  EXPECT_EQ(identify("bad2", "192.0.2.2"), "invalid_token") << "each address for itself";
  EXPECT_EQ(identify(token_of("alice"), "192.0.2.1", kStart + std::chrono::seconds(10)), "alice");
}

TEST_F(FrontGateTest, BuyersBehindAnAddressOfFailuresGoOn) {
  const auto alice = token_of("alice");
  ASSERT_EQ(identify(alice, "192.0.2.1"), "alice");
  for (int i = 0; i < 5; ++i) identify("bad", "192.0.2.1");
  ASSERT_EQ(identify("bad", "192.0.2.1"), "rate_limited");
  EXPECT_EQ(identify(alice, "192.0.2.1"), "alice");
}

TEST_F(FrontGateTest, WhatCostsNothingIsNoFailure) {
  for (int i = 0; i < 5; ++i) EXPECT_EQ(identify("", "192.0.2.1"), "missing_token");
  for (const std::string user : {"ann", "bob", "eve"}) {
    EXPECT_EQ(identify(token_of(user), "192.0.2.1"), user) << "nor is a good token";
  }
}

TEST_F(FrontGateTest, MemoryStaysTheSameHoweverManyAddressesFail) {
  const auto spray = [this](int begin, int end) {
    for (int i = begin; i < end; ++i) failures_.take("192.0.2." + std::to_string(i), kStart);
  };
  spray(0, 1000);
  const auto before = ::mallinfo2().uordblks;
  spray(1000, 500'000);
  EXPECT_EQ(::mallinfo2().uordblks, before);
}

}  // namespace
}  // namespace sluice
