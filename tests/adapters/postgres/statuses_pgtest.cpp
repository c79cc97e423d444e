#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "adapters/postgres/postgres_world.hpp"
#include "support/run_awaitable.hpp"
#include "support/store_values.hpp"

namespace sluice::test {
namespace {

using testing::ElementsAre;

/// A lane whose rows a test changes as other programs would.
class PostgresStatuses : public testing::Test {
 protected:
  PostgresStatuses() : stores_(world_.open()) {
    lane_.sale = run_awaitable(stores_.sales->create(soon(), draft_of(10))).value().id;
  }

  std::vector<Outcome> apply(const std::vector<OrderMessage>& messages) {
    return run_awaitable(stores_.orders->apply(soon(), messages, std::nullopt)).value();
  }

  void set_status(const OrderMessage& message, const std::string& status) {
    world_.database().run("UPDATE orders SET status = '" + status + "' WHERE order_id = '" +
                          message.id.text() + "'");
  }

  PostgresWorld world_;
  StoreSet stores_;
  LaneId lane_;
};

TEST_F(PostgresStatuses, an_order_applied_again_keeps_its_later_status) {
  const std::vector<OrderMessage> messages{
      message_of(lane_, user_of(1)), message_of(lane_, user_of(2)), message_of(lane_, user_of(3))};
  apply(messages);
  set_status(messages[0], "paid");
  set_status(messages[1], "cancelled");
  set_status(messages[2], "expired");
  EXPECT_THAT(apply(messages),
              ElementsAre(Outcome{messages[0].id, OrderStatus::paid, RejectReason::none},
                          Outcome{messages[1].id, OrderStatus::cancelled, RejectReason::none},
                          Outcome{messages[2].id, OrderStatus::expired, RejectReason::none}));
}

TEST_F(PostgresStatuses, a_paid_order_holds_its_users_place_and_a_cancelled_one_does_not) {
  const auto paid = message_of(lane_, user_of(1));
  const auto cancelled = message_of(lane_, user_of(2));
  apply({paid, cancelled});
  set_status(paid, "paid");
  set_status(cancelled, "cancelled");
  const auto second = message_of(lane_, user_of(1));
  const auto again = message_of(lane_, user_of(2));
  EXPECT_THAT(apply({second, again}),
              ElementsAre(rejected(second, RejectReason::duplicate), confirmed(again)));
  const auto image = run_awaitable(stores_.orders->fence(soon(), lane_)).value();
  using Winner = std::pair<UserId, OrderView>;
  EXPECT_THAT(image.winners, testing::UnorderedElementsAre(
                                 Winner{user_of(1), {paid.id, OrderStatus::paid, 1}},
                                 Winner{user_of(2), {again.id, OrderStatus::confirmed, 1}}));
}

TEST_F(PostgresStatuses, a_lane_at_the_last_epoch_is_not_fenced_again) {
  world_.database().run("UPDATE product_stock SET fence_epoch = 65535");
  EXPECT_EQ(run_awaitable(stores_.orders->fence(soon(), lane_)).error(), Errc::overloaded);
  EXPECT_EQ(run_awaitable(stores_.orders->fence_epoch(soon(), lane_)).value(), kEpochMax);
  const auto last = message_of(lane_, user_of(1), 1, kEpochMax);
  EXPECT_THAT(apply({last}), ElementsAre(confirmed(last)));
}

TEST_F(PostgresStatuses, the_schema_refuses_nonsense) {
  const auto message = message_of(lane_, user_of(1));
  apply({message});
  for (const std::string sql :
       {"UPDATE product_stock SET stock = -1", "UPDATE product_stock SET stock = initial + 1",
        "UPDATE product_stock SET lane = 256", "UPDATE product_stock SET fence_epoch = 65536",
        "UPDATE orders SET status = 'rejected'", "UPDATE orders SET reason = 'stock'",
        "UPDATE orders SET quantity = 0", "UPDATE orders SET user_id = ''",
        "UPDATE sales SET ends_at = starts_at", "UPDATE sales SET currency = 'eur'",
        "INSERT INTO product_stock VALUES (999999, 0, 1, 1)"}) {
    EXPECT_THROW(world_.database().run(sql), std::runtime_error) << sql;
  }
}

}  // namespace
}  // namespace sluice::test
