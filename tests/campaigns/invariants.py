"""The promises of docs/protocol.md as checks over what was recorded. Pure: no service is asked.

Each check yields a sentence of evidence for each breach.
"""

from collections import Counter
from dataclasses import dataclass

from .ledger import Ledger, epoch_of, lane_in, lane_of, made_at_ms, promised
from .snapshot import LIVE, Snapshot

REASONS = {"stock", "duplicate", "fenced"}
RANK = {"queued": 0, "confirmed": 1, "rejected": 1, "paid": 2, "cancelled": 3, "expired": 3}
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

    def __post_init__(self):
        self.answers = self.ledger.of_sale(self.snapshot.sale)
        self.rows = {row.order: row for row in self.snapshot.orders}
        self.promised = {order: (user, answer) for user, answers in self.answers.items()
                         for order, answer in promised(answers).items()}

    def lane_of(self, user):
        return lane_of(user, len(self.snapshot.lanes))


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
    """A row's lane and epoch are those of its id, and its lane is its user's."""
    for row in case.snapshot.orders:
        if (row.lane, row.epoch) != (lane_in(row.order), epoch_of(row.order)):
            yield f"{row.order} has lane {row.lane} and epoch {row.epoch}"
        if row.lane != case.lane_of(row.user):
            yield f"{row.user} has an order in lane {row.lane}"


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
    """4. Every acknowledged order is confirmed, or rejected with a reason, and so is its row."""
    for order, (user, first) in case.promised.items():
        status, reason = case.outcomes.get(order, ("unknown", ""))
        row = case.rows.get(order)
        if status == "confirmed":
            if row is None or (row.user, row.status) != (user, "confirmed"):
                yield f"{order} of {user} is said to be confirmed, its row is {row}"
        elif status != "rejected" or reason not in REASONS:
            yield f"{order} of {user}, answered {first.status}: {status} {reason}, its row is {row}"
        elif row is not None and (row.status, row.reason) != (status, reason):
            yield f"{order} of {user} is said to be {status} {reason}, its row is {row}"


def confirmed_stays(case):
    """Who was told `confirmed`, by 201 or later, has the order."""
    for user, answers in case.answers.items():
        for answer in answers:
            if answer.state not in LIVE:
                continue
            row = case.rows.get(answer.order)
            if row is None or row.user != user or row.status not in LIVE:
                yield f"{user} was told {answer.order} is {answer.state}, its row is {row}"


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
            if best is None or RANK[finished[at].state] > RANK[best.state]:
                best = finished[at]
            at += 1
        if best is None:
            continue
        changed = RANK[later.state] == RANK[best.state] and later.state != best.state
        if RANK[later.state] < RANK[best.state] or changed:
            yield f"{order} of {user} went from {best.state} to {later.state} (node {later.node})"


def never_denied(case):
    """6. An acknowledged order never answers 404, nor does a confirmed one's `mine`."""
    for user, answers in case.answers.items():
        first = promised(answers)
        known = min((a.done for a in answers if a.state in LIVE), default=float("inf"))
        for answer in answers:
            if answer.status != 404:
                continue
            if answer.ask == "find" and answer.order in first:
                yield f"{answer.order} of {user} answered 404 {answer.code} (node {answer.node})"
            elif answer.ask == "mine" and answer.sent >= known:
                yield f"{user} has a confirmed order, and mine answered 404 (node {answer.node})"


def one_id(case):
    """A user has one order: a second id is given only after the first was rejected."""
    for user, answers in case.answers.items():
        orders = promised(answers)
        good = [order for order in orders
                if case.outcomes.get(order, ("",))[0] not in ("rejected",)]
        if len(good) > 1:
            yield f"{user} was promised {', '.join(good)}"


def definite(case):
    """Nobody was told anything that the protocol does not know."""
    for user, answers in case.answers.items():
        for answer in answers:
            mine = answer.ask == "mine" and answer.status == 404
            known = answer.ask == "find" and answer.status == 404  # never_denied looks at these
            if answer.status not in ALLOWED and not mine and not known:
                yield f"{user} was answered {answer.status} {answer.code} (node {answer.node})"


def final_is_final(case):
    """7. After a final `sold_out` nothing of that lane is sold any more, nor left."""
    said = {}
    for user, answers in case.answers.items():
        times = [a.done for a in answers if (a.ask, a.code) == ("buy", "sold_out")]
        if times:
            lane = case.lane_of(user)
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
    """8. With buyers still asking, everything is sold."""
    if not case.sells_out:
        return
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


def has_fences(case):
    """Whether this server's rebuilds put a fence into the log."""
    return any(not record.order for log in case.snapshot.log.values() for record in log)


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
    """10. What stands in the log before the fence is never fenced off."""
    if not has_fences(case):
        return
    for order, (user, _) in case.promised.items():
        if case.outcomes.get(order) != ("rejected", "fenced"):
            continue
        if in_time(case.snapshot.log.get(lane_in(order), []), epoch_of(order), order):
            yield f"{order} of {user} stands in the log before the fence, and was fenced"


def acknowledged_is_logged(case):
    """202 without `backlogged` means that the log has the order, or the store already."""
    for order, (user, first) in case.promised.items():
        if first.status != 202 or first.backlogged or order in case.rows:
            continue
        log = case.snapshot.log.get(lane_in(order), [])
        if in_time(log, epoch_of(order), order) is None:
            yield f"{order} of {user} was acknowledged, and is neither in the log nor a row"


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
                lane["fence_epoch"], lane["conserved"], lane["drift"])
        right = (row.initial, row.stock, len(live), sum(one.quantity for one in live), row.fence,
                 True, 0)
        if said != right:
            yield f"lane {row.lane}: the audit says {said}, the stores {right}"


CHECKS = (conservation, once_per_user, right_rows, projection, winners, one_outcome,
          confirmed_stays, never_regressed, never_denied, one_id, definite, final_is_final,
          everything_sold, logged_is_kept, acknowledged_is_logged)


def check(case, leave_out=()):
    """check name -> its breaches, of the checks that have any."""
    found = {one.__name__: list(one(case)) for one in CHECKS if one.__name__ not in leave_out}
    return {name: breaches for name, breaches in found.items() if breaches}
