"""The checker of the campaigns finds what it is there to find: each check is fed broken records."""

import dataclasses
from pathlib import Path

import pytest

from .invariants import CHECKS, Case, audit, broken_promises, check, in_time
from .ledger import Answer, Ledger, epoch_of, lane_in, lane_of, made_at_ms
from .snapshot import LaneRow, Logged, OrderRow, Projected, Snapshot


def order_id(number, lane=0, epoch=1, ms=1_700_000_000_000):
    high = ms << 16 | 8 << 12 | epoch >> 4
    low = 2 << 62 | (epoch & 15) << 58 | lane << 50 | number
    text = f"{high << 64 | low:032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


ANN, BOB, CID = order_id(1), order_id(2), order_id(3)


class World:
    """Ann has an order, Bob's was rejected for stock, Cid came too late. Tests break it."""

    def __init__(self):
        self.lanes = [LaneRow(0, 2, 0, 1)]
        self.orders = [OrderRow(ANN, "ann", 0, 1, 2, "confirmed", "none"),
                       OrderRow(BOB, "bob", 0, 1, 1, "rejected", "stock")]
        self.projected = {0: Projected(True, 1, 0, {}, {"ann": (ANN, "c", 2)})}
        self.log = {0: [Logged(ANN, 1), Logged(BOB, 1)]}
        self.outcomes = {ANN: ("confirmed", ""), BOB: ("rejected", "stock")}
        self.outbox = []
        self.sells_out = True
        self.pay_within_ms = 0
        self.said = [
            ("ann", Answer(1, 2, "a", "buy", 202, order=ANN, state="queued", quantity=2)),
            ("ann", Answer(3, 4, "b", "find", 200, order=ANN, state="confirmed")),
            ("bob", Answer(1, 2, "a", "buy", 202, order=BOB, state="queued", quantity=1)),
            ("bob", Answer(3, 4, "a", "find", 200, order=BOB, state="rejected", reason="stock")),
            ("cid", Answer(5, 6, "a", "buy", 409, code="sold_out"))]

    def say(self, user, *fields, **named):
        self.said.append((user, Answer(*fields, **named)))

    def case(self):
        ledger = Ledger()
        for user, answer in self.said:
            ledger.note(7, user, answer)
        snapshot = Snapshot(7, self.lanes, self.orders, self.projected, self.log, self.outbox)
        return Case(snapshot, ledger, self.outcomes, self.sells_out, clock_offset=1_700_000_000,
                    pay_within_ms=self.pay_within_ms)

    def broken(self):
        return set(check(self.case()))


@pytest.fixture
def world():
    return World()


def test_what_is_right_passes(world):
    assert world.broken() == set()


def test_units_that_vanished(world):
    world.lanes = [LaneRow(0, 3, 0, 1)]
    assert world.broken() == {"conservation"}


def test_negative_stock(world):
    world.lanes = [LaneRow(0, 1, -1, 1)]
    world.projected[0].units = -1
    assert "conservation" in world.broken()


def test_units_that_moved_between_lanes(world):
    world.lanes = [LaneRow(0, 2, 1, 1), LaneRow(1, 1, 0, 1)]
    world.projected = {0: Projected(True, 1, 1, {}, {"ann": (ANN, "c", 2)}),
                       1: Projected(True, 1, 0)}
    assert "conservation" in world.broken()


def test_two_live_orders_of_one_user(world):
    world.lanes = [LaneRow(0, 3, 0, 1)]
    world.orders.append(OrderRow(CID, "ann", 0, 1, 1, "confirmed", "none"))
    assert "once_per_user" in world.broken()


def test_one_id_in_two_rows(world):
    world.orders.append(OrderRow(BOB, "bob", 0, 1, 1, "rejected", "stock"))
    assert world.broken() == {"once_per_user"}


def test_row_under_an_earlier_epoch_than_its_id(world):
    world.orders[1] = world.orders[1]._replace(epoch=2)
    assert world.broken() == set(), "it was late, and granted again"
    world.orders[1] = world.orders[1]._replace(epoch=0)
    assert world.broken() == {"right_rows"}


def test_row_in_another_lane_than_its_users(world):
    world.lanes.append(LaneRow(1, 0, 0, 1))
    world.projected[1] = Projected(True, 1)
    assert {lane_of("ann", 2), lane_of("bob", 2)} == {0, 1}
    assert world.broken() == {"right_rows"}


@pytest.mark.parametrize("change", [{"ready": False}, {"epoch": 2}, {"units": 1},
                                    {"pending": {CID: 1}}])
def test_projection_that_differs(world, change):
    world.projected[0] = dataclasses.replace(world.projected[0], **change)
    assert world.broken() == {"projection"}


def test_pending_units_count(world):
    world.sells_out = False
    world.lanes = [LaneRow(0, 5, 3, 1)]
    world.projected[0] = Projected(True, 1, 1, {CID: 2}, {"ann": (ANN, "c", 2),
                                                          "cid": (CID, "q", 2)})
    world.said = world.said[:-1]
    assert world.broken() == set()


@pytest.mark.parametrize("records", [{}, {"ann": (BOB, "c", 2)},
                                     {"ann": (ANN, "c", 2), "bob": (BOB, "q", 1)}])
def test_success_records_that_are_not_the_live_orders(world, records):
    world.projected[0].success = records
    assert world.broken() == {"winners"}


@pytest.mark.parametrize("outcome", [("queued", ""), ("status 404", ""), ("status 503", ""),
                                     ("rejected", "invalid"), ("rejected", "fenced")])
def test_acknowledged_order_without_its_outcome(world, outcome):
    world.outcomes[BOB] = outcome
    assert "one_outcome" in world.broken()


def test_acknowledged_order_that_nobody_looked_up(world):
    del world.outcomes[ANN]
    assert "one_outcome" in world.broken()


def test_confirmed_without_a_row(world):
    world.orders = world.orders[1:]
    assert {"one_outcome", "confirmed_stays"} <= world.broken()


def test_confirmed_at_once_and_then_gone(world):
    world.say("dan", 1, 2, "a", "buy", 201, order=CID, state="confirmed")
    world.outcomes[CID] = ("rejected", "fenced")
    assert "confirmed_stays" in world.broken()


@pytest.mark.parametrize("later", ["queued", "rejected"])
def test_status_that_regressed(world, later):
    world.say("ann", 5, 6, "b", "find", 200, order=ANN, state=later, reason="stock")
    assert world.broken() == {"never_regressed"}


def test_answers_that_crossed_are_no_regression(world):
    world.say("ann", 1.5, 9, "b", "find", 200, order=ANN, state="queued")
    assert world.broken() == set()


def test_acknowledged_order_denied(world):
    world.say("bob", 1.5, 1.6, "b", "find", 404, code="unknown_order", order=BOB)
    assert world.broken() == {"never_denied"}


def test_confirmed_order_that_mine_denies(world):
    world.say("ann", 5, 6, "b", "mine", 404, code="unknown_order", order="mine")
    assert world.broken() == {"never_denied"}


def test_mine_before_anything_is_known_may_deny(world):
    world.say("ann", 0.1, 0.2, "b", "mine", 404, code="unknown_order", order="mine")
    assert world.broken() == set()


def test_two_orders_for_one_user(world):
    world.orders.append(OrderRow(CID, "ann", 0, 1, 1, "rejected", "duplicate"))
    world.log[0].append(Logged(CID, 1))
    world.say("ann", 5, 6, "b", "buy", 202, order=CID, state="queued")
    world.outcomes[CID] = ("rejected", "duplicate")
    assert world.broken() == set(), "the second was rejected"
    world.outcomes[CID] = ("queued", "")
    assert "one_id" in world.broken()


@pytest.mark.parametrize("status", [400, 401, 405, 500])
def test_answer_that_nobody_should_get(world, status):
    world.say("dan", 1, 2, "a", "buy", status, code="internal_error")
    assert world.broken() == {"definite"}


def test_unit_left_after_the_last_word(world):
    world.sells_out = False
    world.lanes = [LaneRow(0, 3, 1, 1)]
    world.projected[0].units = 1
    assert world.broken() == {"final_is_final"}


def test_unit_sold_after_the_last_word(world):
    late = order_id(9, ms=1_700_000_006_100)
    world.lanes = [LaneRow(0, 3, 0, 1)]
    world.orders.append(OrderRow(late, "dan", 0, 1, 1, "confirmed", "none"))
    world.projected[0].success["dan"] = (late, "c", 1)
    assert world.broken() == {"final_is_final"}
    world.said[-1] = ("cid", world.said[-1][1]._replace(code="sold_out_for_now"))
    assert world.broken() == set(), "for now is not for ever"


def test_unit_left_although_buyers_asked_on(world):
    world.said = world.said[:-1]
    world.lanes = [LaneRow(0, 3, 1, 1)]
    world.projected[0].units = 1
    assert world.broken() == {"everything_sold"}
    world.sells_out = False
    assert world.broken() == set()


def test_order_in_the_log_must_be_kept(world):
    world.lanes = [LaneRow(0, 2, 0, 2)]
    world.projected[0].epoch = 2
    world.orders = world.orders[:1]
    world.outcomes[BOB] = ("rejected", "fenced")
    world.said[3] = ("bob", world.said[3][1]._replace(reason="fenced"))
    world.log = {0: [Logged(ANN, 1), Logged("", 2), Logged(BOB, 1)]}
    assert world.broken() == {"logged_is_kept"}
    assert broken_promises(world.case()) == {"202, fenced, in the log late": 1}
    world.log = {0: [Logged(ANN, 1), Logged(BOB, 1), Logged("", 2)]}
    assert world.broken() == {"logged_is_kept"}
    assert broken_promises(world.case()) == {"202, fenced, in the log in time": 1}


def test_acknowledged_order_that_is_nowhere(world):
    world.orders = world.orders[:1]
    world.outcomes[BOB] = ("rejected", "fenced")
    world.said[3] = ("bob", world.said[3][1]._replace(reason="fenced"))
    world.log = {0: [Logged(ANN, 1)]}
    assert world.broken() == {"acknowledged_is_logged", "logged_is_kept"}
    world.said[2] = ("bob", world.said[2][1]._replace(backlogged=True))
    assert world.broken() == set(), "only Redis knew it, and the answer said so"


def audited(**changes):
    lane = {"lane": 0, "initial": 2, "stock": 0, "live_orders": 1, "live_units": 2,
            "returning": 0, "fence_epoch": 1, "conserved": True, "drift": 0}
    return {"sale_id": 7, "holds": True, "lanes": [{**lane, **changes}]}


def test_audit_that_says_what_is(world):
    assert list(audit(audited(), world.case().snapshot)) == []


@pytest.mark.parametrize("changes", [{"stock": 1}, {"live_units": 1}, {"drift": None},
                                     {"returning": 1},
                                     {"drift": 1}, {"conserved": False}, {"lane": 1}])
def test_audit_that_says_something_else(world, changes):
    assert len(list(audit(audited(**changes), world.case().snapshot))) == 1


def test_audit_that_does_not_hold(world):
    assert list(audit({**audited(), "holds": False}, world.case().snapshot))


def test_every_check_can_fail():
    """Each check's name stands in one of these files as something that was broken."""
    text = "".join(path.read_text(encoding="utf-8")
                   for path in Path(__file__).parent.glob("test_*invariants.py"))
    assert [one.__name__ for one in CHECKS if f'"{one.__name__}"' not in text] == []


def test_in_time():
    log = [Logged("x", 1), Logged("", 3), Logged("y", 2), Logged("z", 3)]
    assert in_time(log, 1, "x") is True
    assert in_time(log, 2, "y") is False
    assert in_time(log, 3, "z") is True
    assert in_time(log, 3, "w") is None


def test_order_ids_are_read():
    order = order_id(5, lane=200, epoch=0x1234, ms=1_700_000_000_123)
    assert (made_at_ms(order), epoch_of(order), lane_in(order)) == (1_700_000_000_123, 0x1234, 200)


# The golden values of tests/domain/ids_test.cpp.
@pytest.mark.parametrize("user,of_16,of_256", [("alice", 7, 119), ("bob", 12, 124), ("u-1", 1, 209),
                                               ("Z", 10, 26)])
def test_lane_of_a_user(user, of_16, of_256):
    assert (lane_of(user, 16), lane_of(user, 256), lane_of(user, 1)) == (of_16, of_256, 0)
