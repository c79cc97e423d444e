#include "support/result_feed_contract.hpp"

#include <gtest/gtest.h>
#include <utility>
#include <vector>

#include "support/run_on.hpp"
#include "support/store_values.hpp"

namespace sluice::test {
namespace {

std::vector<ResultFeedContract>& registry() {
  static std::vector<ResultFeedContract> contracts;
  return contracts;
}

std::vector<Outcome> outcomes(std::size_t count) {
  std::vector<Outcome> made;
  for (std::size_t i = 0; i < count; ++i) {
    made.push_back(confirmed(message_of({1, 0}, user_of(i))));
  }
  return made;
}

/// What one listener heard.
class Ear {
 public:
  ResultFeed::Listener listener() {
    return [this](const std::vector<Outcome>& news) {
      heard.insert(heard.end(), news.begin(), news.end());
    };
  }

  std::vector<Outcome> heard;
};

class ResultFeedSuite : public testing::TestWithParam<ResultFeedContract> {
 protected:
  /// Lets `feed` listen, and waits until `sender` reaches it.
  void connect(ResultFeed& feed, Ear& ear, ResultFeed& sender) {
    feed.listen(ear.listener());
    const auto probe = outcomes(1);
    while (ear.heard.empty()) {
      announce(sender, probe);
      world_->context().restart();
      world_->context().run_for(Millis{5});
    }
    // Each probe that is still on its way arrives before this one.
    const auto last = outcomes(1);
    announce(sender, last);
    run_until(world_->context(), [&] { return ear.heard.back() == last[0]; });
    ear.heard.clear();
  }

  void announce(ResultFeed& feed, const std::vector<Outcome>& news) {
    ASSERT_EQ(error_of(run_on(world_->context(), feed.announce(soon(), news))), "ok");
  }

  void wait_for(Ear& ear, std::size_t count) {
    run_until(world_->context(), [&] { return ear.heard.size() >= count; });
  }

  std::unique_ptr<ResultFeedWorld> world_ = GetParam().make();
};

TEST_P(ResultFeedSuite, DeliversWhatAnotherInstanceAnnounces) {
  const auto sender = world_->make_feed();
  const auto receiver = world_->make_feed();
  Ear ear;
  connect(*receiver, ear, *sender);
  const auto message = message_of({1, 0}, user_of(1));
  const std::vector<Outcome> news = {
      confirmed(message),
      rejected(message, RejectReason::stock),
      rejected(message, RejectReason::duplicate),
      rejected(message, RejectReason::fenced),
      rejected(message, RejectReason::invalid),
      Outcome{message.id, OrderStatus::paid, RejectReason::none},
      Outcome{message.id, OrderStatus::cancelled, RejectReason::none},
      Outcome{message.id, OrderStatus::expired, RejectReason::none},
  };
  announce(*sender, news);
  wait_for(ear, news.size());
  EXPECT_EQ(ear.heard, news);
}

TEST_P(ResultFeedSuite, DeliversToTheAnnouncerAndToEveryOther) {
  const auto first = world_->make_feed();
  const auto second = world_->make_feed();
  Ear own;
  Ear other;
  connect(*first, own, *first);
  connect(*second, other, *first);
  const auto news = outcomes(3);
  announce(*first, news);
  run_until(world_->context(), [&] { return !own.heard.empty() && own.heard.back() == news[2]; });
  wait_for(other, 3);
  // The first one also heard the probes of the second.
  own.heard.erase(own.heard.begin(), own.heard.end() - 3);
  EXPECT_EQ(own.heard, news);
  EXPECT_EQ(other.heard, news);
}

TEST_P(ResultFeedSuite, DeliversMoreThanFitsIntoOneMessageInOrder) {
  const auto sender = world_->make_feed();
  const auto receiver = world_->make_feed();
  Ear ear;
  connect(*receiver, ear, *sender);
  const auto news = outcomes(3000);
  announce(*sender, news);
  wait_for(ear, news.size());
  EXPECT_EQ(ear.heard, news);
}

TEST_P(ResultFeedSuite, AnnouncesNothingWithoutComplaint) {
  const auto sender = world_->make_feed();
  announce(*sender, {});
}

TEST_P(ResultFeedSuite, IsQuietAfterItsDestruction) {
  const auto sender = world_->make_feed();
  auto gone = world_->make_feed();
  const auto stays = world_->make_feed();
  Ear silent;
  Ear ear;
  connect(*gone, silent, *sender);
  connect(*stays, ear, *sender);
  gone.reset();
  silent.heard.clear();
  announce(*sender, outcomes(1));
  wait_for(ear, 1);
  EXPECT_TRUE(silent.heard.empty());
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(ResultFeedSuite);
INSTANTIATE_TEST_SUITE_P(Contract, ResultFeedSuite, testing::ValuesIn(registry()),
                         [](const auto& contract) { return contract.param.name; });

}  // namespace

bool register_result_feed_contract(ResultFeedContract contract) {
  registry().push_back(std::move(contract));
  return true;
}

}  // namespace sluice::test
