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
  const auto image = renew(*stores_.orders, lane_);
  using Winner = std::pair<UserId, OrderView>;
  EXPECT_THAT(image.winners, testing::UnorderedElementsAre(
                                 Winner{user_of(1), {paid.id, OrderStatus::paid, 1}},
                                 Winner{user_of(2), {again.id, OrderStatus::confirmed, 1}}));
}

TEST_F(PostgresStatuses, a_lane_at_the_last_epoch_gets_no_other) {
  auto& orders = *stores_.orders;
  world_.database().run("UPDATE product_stock SET newest_epoch = 65534");
  EXPECT_EQ(renew(orders, lane_).epoch, kEpochMax);
  const auto next =
      run_awaitable(orders.next_epoch(soon(), lane_, Authority::inventory, std::nullopt));
  EXPECT_EQ(next.error(), Errc::overloaded);
  const LaneHead last_head{kEpochMax, kEpochMax, 0, 0};
  EXPECT_EQ(run_awaitable(orders.head(soon(), lane_)).value(), last_head);
  const auto last = message_of(lane_, user_of(1), 1, kEpochMax);
  EXPECT_THAT(apply({last}), ElementsAre(confirmed(last)));
}

TEST_F(PostgresStatuses, the_audit_shows_an_order_that_was_edited_by_hand) {
  const std::vector<OrderMessage> messages{message_of(lane_, user_of(1), 2),
                                           message_of(lane_, user_of(2), 3)};
  apply(messages);
  const auto audit = [&] {
    return run_awaitable(stores_.orders->audit(soon(), lane_.sale)).value().at(0);
  };
  const auto id = "'" + messages[0].id.text() + "'";
  const auto& database = world_.database();
  EXPECT_TRUE(audit().conserved());
  set_status(messages[0], "paid");
  EXPECT_TRUE(audit().conserved()) << "it still has its units";
  for (const std::string edit :
       {"UPDATE orders SET status = 'cancelled' WHERE order_id = ",
        "UPDATE orders SET status = 'rejected', reason = 'stock' WHERE order_id = ",
        "UPDATE orders SET status = 'paid', reason = 'none', quantity = 1 WHERE order_id = ",
        "DELETE FROM orders WHERE order_id = "}) {
    database.run(edit + id);
    EXPECT_FALSE(audit().conserved()) << edit;
  }
  database.run("UPDATE product_stock SET stock = stock + 2");
  EXPECT_TRUE(audit().conserved()) << "the units of the missing order are back";
  database.run("UPDATE product_stock SET stock = stock - 1");
  EXPECT_FALSE(audit().conserved());
}

TEST_F(PostgresStatuses, the_schema_refuses_nonsense) {
  const auto message = message_of(lane_, user_of(1));
  apply({message});
  for (const std::string sql :
       {"UPDATE product_stock SET stock = -1", "UPDATE product_stock SET stock = initial + 1",
        "UPDATE product_stock SET lane = 256", "UPDATE product_stock SET fence_epoch = 1",
        "UPDATE product_stock SET newest_epoch = 65536", "UPDATE product_stock SET store_epoch = 1",
        "UPDATE product_stock SET store_epoch = -1", "UPDATE product_stock SET suspect_epoch = 1",
        "UPDATE product_stock SET suspect_epoch = -1", "INSERT INTO requests VALUES ('', 'x')",
        "UPDATE orders SET status = 'rejected'", "UPDATE orders SET reason = 'stock'",
        "UPDATE orders SET quantity = 0", "UPDATE orders SET user_id = ''",
        "UPDATE sales SET ends_at = starts_at", "UPDATE sales SET currency = 'eur'",
        "UPDATE sales SET pay_within_ms = 999", "UPDATE sales SET pay_within_ms = 604800001",
        "INSERT INTO product_stock VALUES (999999, 0, 1, 1)"}) {
    EXPECT_THROW(world_.database().run(sql), std::runtime_error) << sql;
  }
}

}  // namespace
}  // namespace sluice::test
