"""The promises of docs/protocol.md as checks over what was recorded. Pure: no service is asked.

Each check yields a sentence of evidence for each breach.
"""

from collections import Counter
from dataclasses import dataclass
from itertools import combinations

from .ledger import Ledger, epoch_of, lane_in, lane_of, made_at_ms, promised
from .snapshot import LIVE, Snapshot

REASONS = {"stock", "duplicate", "fenced"}
OVER = ("cancelled", "expired")
# What may be seen of an order after each of its states.
MAY_FOLLOW = {"queued": {"queued", "confirmed", "rejected", "paid", *OVER},
              "confirmed": {"confirmed", "paid", *OVER},
              **{last: {last} for last in ("rejected", "paid", *OVER)}}
MOVED = {"pay": "paid", "cancel": "cancelled"}
FRESH_S = 1.5  # a node repeats "sold out" for less without asking the lane
SKEW_MS = 20  # between the clock of the campaign and that of Postgres, on one host
# What a buyer may be told while services die. 401, 404, 405, 422, 500, … are mistakes.
ALLOWED = {0, 200, 201, 202, 409, 429, 503}


@dataclass
class Case:
    """One sale, everything that is known about it at rest."""

    snapshot: Snapshot
    ledger: Ledger
    outcomes: dict     # promised order -> (status, reason) as the server said at rest
    sells_out: bool    # buyers asked until the end
    clock_offset: float = 0.0  # seconds since 1970 at second 0 of the ledger's clock
    pay_within_ms: int = 0     # 0: orders are final once confirmed

    def __post_init__(self):
        self.answers = self.ledger.of_sale(self.snapshot.sale)
        self.rows = {row.order: row for row in self.snapshot.orders}
        self.promised = {order: (user, answer) for user, answers in self.answers.items()
                         for order, answer in promised(answers).items()}

    def lane_of(self, user):
        return lane_of(user, len(self.snapshot.lanes))

    def unix_ms(self, when):
        return (when + self.clock_offset) * 1000

    def over_by(self, user, order, when):
        """Whether an order that ended may have done so by then."""
        row = self.rows.get(order)
        if row is None or row.status not in OVER:
            return False
        if row.status == "expired":
            return row.pay_by_ms is None or row.pay_by_ms <= self.unix_ms(when) + SKEW_MS
        return any((one.ask, one.order) == ("cancel", order) and one.sent <= when
                   for one in self.answers.get(user, ()))


# --- the truth ----------------------------------------------------------------------------------


def conservation(case):
    """1. Stock plus live units is what the lane began with."""
    live = Counter()
    for row in case.snapshot.live():
        live[row.lane] += row.quantity
    for lane in case.snapshot.lanes:
        if lane.stock < 0:
            yield f"lane {lane.lane}: stock {lane.stock}"
        if lane.stock + live[lane.lane] != lane.initial:
            yield (f"lane {lane.lane}: {lane.stock} left + {live[lane.lane]} sold is not "
                   f"{lane.initial}")


def once_per_user(case):
    """2. One live order of each user, and each id stands for one order."""
    for user, count in Counter(row.user for row in case.snapshot.live()).items():
        if count > 1:
            yield f"{user} has {count} live orders"
    for order, count in Counter(row.order for row in case.snapshot.orders).items():
        if count > 1:
            yield f"{order} has {count} rows"


def right_rows(case):
    """A row's lane is that of its id, and its user's; its epoch too, or later if it was late."""
    for row in case.snapshot.orders:
        if row.lane != lane_in(row.order) or row.epoch < epoch_of(row.order):
            yield f"{row.order} has lane {row.lane} and epoch {row.epoch}"
        if row.lane != case.lane_of(row.user):
            yield f"{row.user} has an order in lane {row.lane}"


def moved_rightly(case):
    """Orders are paid and cancelled on demand, expire in time, and only where they must be paid."""
    asked = {(one.ask, one.order) for answers in case.answers.values() for one in answers}
    for row in case.snapshot.orders:
        if (row.pay_by_ms is None) != (not case.pay_within_ms or row.status == "rejected"):
            yield f"{row.order} is {row.status}, to be paid by {row.pay_by_ms}"
        elif row.pay_by_ms and row.pay_by_ms < made_at_ms(row.order) + case.pay_within_ms - SKEW_MS:
            yield f"{row.order} had to be paid by {row.pay_by_ms} already"
        if row.status in ("paid", *OVER) and not case.pay_within_ms:
            yield f"{row.order} is {row.status} in a sale without payment"
        for ask, status in MOVED.items():
            if row.status == status and (ask, row.order) not in asked:
                yield f"{row.order} is {status}, and nobody asked for it"
    for user, answers in case.answers.items():
        for answer in answers:
            row = case.rows.get(answer.order)
            if answer.state != "expired" or row is None or row.pay_by_ms is None:
                continue
            if case.unix_ms(answer.done) + SKEW_MS < row.pay_by_ms:
                yield f"{answer.order} of {user} expired before {row.pay_by_ms}"


def returned(case):
    """5. At rest Redis was told of every unit that came back."""
    for order in case.snapshot.outbox:
        yield f"{order} is still in the outbox, its row is {case.rows.get(order)}"


# --- the projection, at rest ----------------------------------------------------------------------


def projection(case):
    """3. Units in Redis, pending ones included, are Postgres' stock; epochs agree."""
    for lane in case.snapshot.lanes:
        seen = case.snapshot.projected[lane.lane]
        if not seen.ready:
            yield f"lane {lane.lane} is not ready in Redis"
            continue
        if seen.epoch != lane.fence:
            yield f"lane {lane.lane}: epoch {seen.epoch} in Redis, fence {lane.fence} in Postgres"
        held = sum(seen.pending.values())
        if seen.units + held != lane.stock:
            yield (f"lane {lane.lane}: {seen.units} units + {held} pending in Redis, "
                   f"{lane.stock} in Postgres")


def winners(case):
    """At rest the success records are the live orders."""
    for lane in case.snapshot.lanes:
        seen = case.snapshot.projected[lane.lane]
        if not seen.ready:
            continue
        records = {user: order for user, (order, _, _) in seen.success.items()
                   if order not in seen.pending}
        live = {row.user: row.order for row in case.snapshot.live() if row.lane == lane.lane}
        for user in records.keys() | live.keys():
            if records.get(user) != live.get(user):
                yield (f"lane {lane.lane}, {user}: {records.get(user)} in Redis, "
                       f"{live.get(user)} in Postgres")


# --- what buyers were told ------------------------------------------------------------------------


def one_outcome(case):
    """4. Every acknowledged order is confirmed or what follows, or rejected with a reason, and so
    is its row."""
    for order, (user, first) in case.promised.items():
        status, reason = case.outcomes.get(order, ("unknown", ""))
        row = case.rows.get(order)
        if status in (*LIVE, *OVER):
            if row is None or (row.user, row.status) != (user, status):
                yield f"{order} of {user} is said to be {status}, its row is {row}"
        elif status != "rejected" or reason not in REASONS:
            yield f"{order} of {user}, answered {first.status}: {status} {reason}, its row is {row}"
        elif row is not None and (row.status, row.reason) != (status, reason):
            yield f"{order} of {user} is said to be {status} {reason}, its row is {row}"


def confirmed_stays(case):
    """Who was told `confirmed`, by 201 or later, or `paid`, has the order; unless it had to be paid
    and ended unpaid."""
    for user, answers in case.answers.items():
        for answer in answers:
            if answer.state not in LIVE:
                continue
            row = case.rows.get(answer.order)
            kept = (answer.state, "paid", *(OVER if answer.state != "paid" else ()))
            if row is None or row.user != user or row.status not in kept:
                yield f"{user} was told {answer.order} is {answer.state}, its row is {row}"


def over_stays(case):
    """An order that was called cancelled or expired is that, and never lives again."""
    for user, answers in case.answers.items():
        for answer in answers:
            row = case.rows.get(answer.order)
            if answer.state in OVER and (row is None or row.status != answer.state):
                yield f"{user} was told {answer.order} is {answer.state}, its row is {row}"


def refused_rightly(case):
    """A payment or a cancellation is refused for good only when the order ended otherwise."""
    for user, answers in case.answers.items():
        for answer in answers:
            if answer.code != "order_final" or not case.pay_within_ms:
                continue
            row = case.rows.get(answer.order)
            if row is not None and row.status in ("confirmed", MOVED[answer.ask]):
                yield f"{user} could not {answer.ask} {answer.order} for good, its row is {row}"


def never_regressed(case):
    """6. A status once seen never goes back."""
    for user, answers in case.answers.items():
        by_order = {}
        for answer in answers:
            if answer.state:
                by_order.setdefault(answer.order, []).append(answer)
        for order, seen in by_order.items():
            yield from _regressions(user, order, seen)


def _regressions(user, order, seen):
    """`seen`: answers about one order. One counts as later when it was asked after the other."""
    best = None
    finished = sorted(seen, key=lambda answer: answer.done)
    at = 0
    for later in sorted(seen, key=lambda answer: answer.sent):
        while at < len(finished) and finished[at].done <= later.sent:
            if best is None or finished[at].state in MAY_FOLLOW[best.state]:
                best = finished[at]
            at += 1
        if best is not None and later.state not in MAY_FOLLOW[best.state]:
            yield f"{order} of {user} went from {best.state} to {later.state} (node {later.node})"


def never_denied(case):
    """6. An acknowledged order never answers 404, nor does `mine` while one is confirmed. A
    payment may, until then."""
    for user, answers in case.answers.items():
        first = promised(answers)
        live = [answer for answer in answers if answer.state in LIVE]
        for answer in answers:
            if answer.status != 404:
                continue
            known = {one.order for one in live if one.done <= answer.sent}
            denied = known if answer.ask == "pay" else first
            if answer.ask != "mine" and answer.order in denied:
                yield f"{answer.order} of {user} answered 404 {answer.code} (node {answer.node})"
            elif answer.ask == "mine" and not all(case.over_by(user, order, answer.done)
                                                  for order in known):
                yield f"{user} has a confirmed order, and mine answered 404 (node {answer.node})"


def holders_are_known(case):
    """Who was told of a confirmed order does not hear for long that all is sold while it lives."""
    for user, answers in case.answers.items():
        live = [answer for answer in answers if answer.state in LIVE]
        for answer in answers:
            if answer.code not in ("sold_out", "sold_out_for_now"):
                continue
            for order in {one.order for one in live if one.done + FRESH_S <= answer.sent}:
                if not case.over_by(user, order, answer.done):
                    yield f"{user} has {order}, and was told {answer.code} (node {answer.node})"


def one_id(case):
    """A user has one order: a second id is given only after the first was rejected or is over."""
    for user, answers in case.answers.items():
        good = {order: first.done for order, first in promised(answers).items()
                if case.outcomes.get(order, ("",))[0] != "rejected"}
        for one, other in combinations(good, 2):
            if not (case.over_by(user, one, good[other]) or case.over_by(user, other, good[one])):
                yield f"{user} was promised {one} and {other}"


def definite(case):
    """Nobody was told anything that the protocol does not know."""
    for user, answers in case.answers.items():
        for answer in answers:
            looked_at = answer.ask != "buy" and answer.status == 404  # by never_denied
            if answer.status not in ALLOWED and not looked_at:
                yield f"{user} was answered {answer.status} {answer.code} (node {answer.node})"


def final_is_final(case):
    """7. After a final `sold_out` nothing of that lane is sold any more, nor left. Where orders
    must be paid, nobody hears it."""
    said = {}
    for user, answers in case.answers.items():
        times = [a.done for a in answers if (a.ask, a.code) == ("buy", "sold_out")]
        if times:
            lane = case.lane_of(user)
            if case.pay_within_ms:
                yield f"{user} was told a final sold_out, and orders of the sale must be paid"
            said[lane] = min(said.get(lane, float("inf")), min(times))
    stock = {lane.lane: lane.stock for lane in case.snapshot.lanes}
    for lane, when in said.items():
        if stock[lane]:
            yield f"lane {lane} was sold out, and {stock[lane]} units are left"
        latest = max((row for row in case.snapshot.live() if row.lane == lane),
                     key=lambda row: made_at_ms(row.order), default=None)
        # One millisecond for the resolution of the id.
        if latest and made_at_ms(latest.order) > (when + case.clock_offset) * 1000 + 1:
            yield (f"lane {lane} was sold out, and {latest.order} was sold "
                   f"{made_at_ms(latest.order) - (when + case.clock_offset) * 1000:.0f} ms later")


def everything_sold(case):
    """8. With buyers still asking, everything is sold, and paid where it must be."""
    if not case.sells_out:
        return
    unpaid = sum(row.status == "confirmed" for row in case.snapshot.orders)
    if case.pay_within_ms and unpaid:
        yield f"{unpaid} orders are unpaid"
    for lane in case.snapshot.lanes:
        if lane.stock:
            yield f"lane {lane.lane}: {lane.stock} units left although buyers asked on"


# --- what was promised and not kept ---------------------------------------------------------------


def in_time(records, epoch, order):
    """Whether the log has the order before the first fence above its epoch; None: not at all."""
    fenced = False
    for record in records:
        if record.order == order:
            return not fenced
        fenced = fenced or (not record.order and record.epoch > epoch)
    return None


def broken_promises(case):
    """Counts of acknowledged orders that were rejected, by what the log knows about them."""
    counts = Counter()
    for order, (_, first) in case.promised.items():
        status, reason = case.outcomes.get(order, ("unknown", ""))
        if status != "rejected":
            continue
        known = in_time(case.snapshot.log.get(lane_in(order), []), epoch_of(order), order)
        place = {True: "in time", False: "late", None: "never"}[known]
        kind = f"{first.status} backlogged" if first.backlogged else str(first.status)
        counts[f"{kind}, {reason}, in the log {place}"] += 1
    return counts


def logged_is_kept(case):
    """10. What stands in the log is never fenced off, before a fence or behind it, nor is what a
    plain 202 acknowledged."""
    for order, (user, first) in case.promised.items():
        if case.outcomes.get(order) != ("rejected", "fenced"):
            continue
        log = case.snapshot.log.get(lane_in(order), [])
        plain = first.status == 202 and not first.backlogged
        if in_time(log, epoch_of(order), order) is not None:
            yield f"{order} of {user} stands in the log, and was fenced"
        elif plain:
            yield f"{order} of {user} was acknowledged, and was fenced"


def acknowledged_is_logged(case):
    """202 without `backlogged` means that the log has the order, or the store already."""
    for order, (user, first) in case.promised.items():
        kept = order in case.rows or order in case.snapshot.late
        if first.status != 202 or first.backlogged or kept:
            continue
        log = case.snapshot.log.get(lane_in(order), [])
        if in_time(log, epoch_of(order), order) is None:
            yield f"{order} of {user} was acknowledged, and is neither in the log nor in the store"


def audit(shown, snapshot):
    """What the server's own audit says at rest must hold, and be what the stores say."""
    if not shown["holds"]:
        yield f"the audit does not hold: {shown}"
    lanes = {lane["lane"]: lane for lane in shown["lanes"]}
    if lanes.keys() != {row.lane for row in snapshot.lanes}:
        yield f"the audit has lanes {sorted(lanes)}"
        return
    for row in snapshot.lanes:
        lane, live = lanes[row.lane], [one for one in snapshot.live() if one.lane == row.lane]
        said = (lane["initial"], lane["stock"], lane["live_orders"], lane["live_units"],
                lane["returning"], lane["fence_epoch"], lane["conserved"], lane["drift"])
        right = (row.initial, row.stock, len(live), sum(one.quantity for one in live), 0,
                 row.fence, True, 0)
        if said != right:
            yield f"lane {row.lane}: the audit says {said}, the stores {right}"


CHECKS = (conservation, once_per_user, right_rows, moved_rightly, returned, projection, winners,
          one_outcome, confirmed_stays, over_stays, refused_rightly, never_regressed,
          never_denied, holders_are_known, one_id, definite, final_is_final, everything_sold,
          logged_is_kept, acknowledged_is_logged)


def check(case, leave_out=()):
    """check name -> its breaches, of the checks that have any."""
    found = {one.__name__: list(one(case)) for one in CHECKS if one.__name__ not in leave_out}
    return {name: breaches for name, breaches in found.items() if breaches}
