"""The checker finds what may go wrong after a confirmation: payments, cancellations, expiries."""

import pytest

from .client import Reply
from .ledger import answer_of
from .snapshot import LaneRow, Logged, OrderRow, Projected
from .test_invariants import ANN, BOB, World, order_id

DAN, EVE, FAY = order_id(5), order_id(6), order_id(7)
DECIDED_MS, PAY_BY_MS = 1_700_000_001_000, 1_700_000_004_000


class PaidWorld(World):
    """Ann paid. Dan cancelled, Eve let her order expire, and Fay bought what they gave back."""

    def __init__(self):
        super().__init__()
        self.pay_within_ms = 3000
        self.lanes = [LaneRow(0, 3, 0, 1)]
        self.orders = [OrderRow(order, user, 0, 1, units, status, "none", PAY_BY_MS)
                       for order, user, units, status in (
                           (ANN, "ann", 2, "paid"), (DAN, "dan", 1, "cancelled"),
                           (EVE, "eve", 1, "expired"), (FAY, "fay", 1, "paid"))]
        self.projected = {0: Projected(True, 1, 0, {}, {"ann": (ANN, "c", 2),
                                                        "fay": (FAY, "c", 1)})}
        self.log = {0: [Logged(order, 1) for order in (ANN, DAN, EVE, FAY)]}
        self.outcomes = {ANN: ("paid", ""), DAN: ("cancelled", ""), EVE: ("expired", ""),
                         FAY: ("paid", "")}
        self.said = []
        for user, order in (("ann", ANN), ("dan", DAN), ("eve", EVE), ("fay", FAY)):
            self.say(user, 1, 2, "a", "buy", 202, order=order, state="queued")
            self.say(user, 2, 2.1, "a", "find", 200, order=order, state="confirmed")
        for user, order in (("ann", ANN), ("fay", FAY)):
            self.say(user, 2.5, 3, "a", "pay", 200, order=order, state="paid")
        self.say("dan", 2.5, 3, "a", "cancel", 200, order=DAN, state="cancelled")
        self.say("eve", 4.1, 4.2, "a", "find", 200, order=EVE, state="expired")

    def change(self, order, **fields):
        self.orders = [row._replace(**fields) if row.order == order else row
                       for row in self.orders]


@pytest.fixture
def paid_world():
    return PaidWorld()


def test_what_is_right_passes_where_orders_must_be_paid(paid_world):
    assert paid_world.broken() == set()


def test_unit_that_did_not_come_back(paid_world):
    paid_world.lanes = [LaneRow(0, 4, 0, 1)]
    assert paid_world.broken() == {"conservation"}


def test_unit_that_came_back_twice(paid_world):
    paid_world.lanes = [LaneRow(0, 3, 1, 1)]
    paid_world.projected[0].units = 1
    assert paid_world.broken() == {"conservation", "everything_sold"}


def test_unit_that_never_reached_redis(paid_world):
    paid_world.outbox = [DAN]
    assert paid_world.broken() == {"returned"}


@pytest.mark.parametrize("order", [DAN, EVE])
def test_record_of_an_order_that_is_over(paid_world, order):
    user = "dan" if order == DAN else "eve"
    paid_world.projected[0].success[user] = (order, "c", 1)
    assert paid_world.broken() == {"winners"}


@pytest.mark.parametrize("order,ask", [(ANN, "pay"), (DAN, "cancel")])
def test_move_that_nobody_asked_for(paid_world, order, ask):
    paid_world.said = [(user, one) for user, one in paid_world.said
                       if (one.ask, one.order) != (ask, order)]
    assert paid_world.broken() == {"moved_rightly"}


@pytest.mark.parametrize("order", [ANN, DAN, EVE])
@pytest.mark.parametrize("pay_by", [None, DECIDED_MS])
def test_time_to_pay_that_is_missing_or_too_short(paid_world, order, pay_by):
    paid_world.change(order, pay_by_ms=pay_by)
    assert paid_world.broken() == {"moved_rightly"}


def test_order_that_expired_early(paid_world):
    paid_world.change(EVE, pay_by_ms=PAY_BY_MS + 500)
    assert paid_world.broken() == {"moved_rightly"}


def test_moves_in_a_sale_without_payment(paid_world):
    paid_world.pay_within_ms = 0
    for row in paid_world.orders:
        paid_world.change(row.order, pay_by_ms=None)
    assert paid_world.broken() == {"moved_rightly"}


def test_rejected_order_has_nothing_to_pay(paid_world):
    paid_world.orders.append(OrderRow(BOB, "bob", 0, 1, 1, "rejected", "stock"))
    assert paid_world.broken() == set()
    paid_world.change(BOB, pay_by_ms=PAY_BY_MS)
    assert paid_world.broken() == {"moved_rightly"}


@pytest.mark.parametrize("order,status", [(ANN, "cancelled"), (ANN, "confirmed"),
                                          (DAN, "expired"), (EVE, "cancelled")])
def test_outcome_that_is_not_the_rows(paid_world, order, status):
    paid_world.outcomes[order] = (status, "")
    assert "one_outcome" in paid_world.broken()


def test_paid_order_that_was_lost(paid_world):
    paid_world.change(ANN, status="expired")
    assert "confirmed_stays" in paid_world.broken()


@pytest.mark.parametrize("user,order", [("dan", DAN), ("eve", EVE)])
def test_order_that_lives_again(paid_world, user, order):
    paid_world.change(order, status="paid")
    assert "over_stays" in paid_world.broken()


def test_paid_and_cancelled_at_once(paid_world):
    paid_world.say("ann", 2.6, 2.9, "b", "cancel", 200, order=ANN, state="cancelled")
    assert paid_world.broken() == {"over_stays"}


@pytest.mark.parametrize("user,order,ask,right", [
    ("ann", ANN, "cancel", True), ("ann", ANN, "pay", False), ("dan", DAN, "pay", True),
    ("dan", DAN, "cancel", False), ("eve", EVE, "pay", True), ("eve", EVE, "cancel", True)])
def test_move_that_is_refused_for_good(paid_world, user, order, ask, right):
    paid_world.say(user, 5, 6, "b", ask, 409, code="order_final", order=order)
    assert paid_world.broken() == (set() if right else {"refused_rightly"})


@pytest.mark.parametrize("user,order,later", [
    ("ann", ANN, "confirmed"), ("ann", ANN, "queued"), ("dan", DAN, "confirmed"),
    ("eve", EVE, "confirmed")])
def test_status_that_regressed_after_the_confirmation(paid_world, user, order, later):
    paid_world.say(user, 5, 6, "b", "find", 200, order=order, state=later)
    assert paid_world.broken() == {"never_regressed"}


def test_confirmed_order_that_is_called_undecided(paid_world):
    undecided = answer_of(Reply(409, {"code": "order_undecided"}), "cancel", "b", 2.2, 2.3, DAN)
    paid_world.said.append(("dan", undecided))
    assert paid_world.broken() == {"never_regressed"}


@pytest.mark.parametrize("user,order,ask,sent,right", [
    ("ann", ANN, "find", 5, False), ("dan", DAN, "find", 5, False),
    ("dan", DAN, "cancel", 5, False),
    ("ann", ANN, "pay", 1.5, True), ("ann", ANN, "pay", 2.2, False),
    ("dan", "mine", "mine", 2.6, True), ("dan", "mine", "mine", 2.2, False),
    ("eve", "mine", "mine", 4.1, True), ("eve", "mine", "mine", 3, False),
    ("ann", "mine", "mine", 5, False)])
def test_order_denied_where_it_must_be_paid(paid_world, user, order, ask, sent, right):
    paid_world.say(user, sent, sent + 0.1, "b", ask, 404, code="unknown_order", order=order)
    assert paid_world.broken() == (set() if right else {"never_denied"})


@pytest.mark.parametrize("user,sent,right", [("ann", 5, False), ("ann", 3.5, True),
                                             ("dan", 5, True), ("eve", 3.7, False),
                                             ("eve", 4.1, True), ("ann", 1.5, True)])
def test_holder_who_hears_that_all_is_sold(paid_world, user, sent, right):
    paid_world.say(user, sent, sent + 0.1, "b", "buy", 409, code="sold_out_for_now")
    assert paid_world.broken() == (set() if right else {"holders_are_known"})


@pytest.mark.parametrize("user,done,right", [("dan", 2.4, False), ("dan", 3.5, True),
                                             ("eve", 3.5, False), ("eve", 4.5, True),
                                             ("ann", 9, False)])
def test_second_order_after_the_first_is_over(paid_world, user, done, right):
    again = order_id(20, ms=1_700_000_002_300)
    paid_world.say(user, 2.3, done, "b", "buy", 202, order=again, state="queued")
    paid_world.say(user, done, done + 1, "b", "pay", 200, order=again, state="paid")
    paid_world.orders.append(OrderRow(again, user, 0, 1, 1, "paid", "none", PAY_BY_MS + 5000))
    paid_world.lanes = [LaneRow(0, 4, 0, 1)]
    if user != "ann":
        paid_world.projected[0].success[user] = (again, "c", 1)
    paid_world.outcomes[again] = ("paid", "")
    paid_world.log[0].append(Logged(again, 1))
    broken = paid_world.broken()
    assert broken == set() if right else "one_id" in broken


def test_last_word_where_units_may_come_back(paid_world):
    paid_world.say("cid", 5, 6, "a", "buy", 409, code="sold_out_for_now")
    assert paid_world.broken() == set()
    paid_world.say("cid", 7, 8, "a", "buy", 409, code="sold_out")
    assert paid_world.broken() == {"final_is_final"}


def test_unpaid_orders_although_buyers_asked_on(paid_world):
    paid_world.change(FAY, status="confirmed")
    paid_world.outcomes[FAY] = ("confirmed", "")
    paid_world.said = [one for one in paid_world.said if one[1].state != "paid"
                       or one[0] != "fay"]
    assert paid_world.broken() == {"everything_sold"}
