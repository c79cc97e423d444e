"""What every campaign on the real services does in a round: open sales, and at its end wait for
rest, read all stores and check."""

import asyncio
import time

import psycopg
import redis
import requests

from . import snapshot
from .admin import Missing, Operator
from .invariants import Case, audit, broken_promises, check

REST_TIMEOUT_S = 90
SHORT_MS = 10_000  # orders that must be paid sooner are left to expire
UNAVAILABLE = (psycopg.Error, redis.RedisError, OSError)


class Round:
    """Sales on some nodes, with a crowd. `name` is in every breach."""

    def __init__(self, name, services, nodes, crowd, report):
        self.name = name
        self.services = services
        self.nodes = nodes
        self.crowd = crowd
        self.report = report
        self.topic = "seckill.orders"

    @property
    def plans(self):
        return self.crowd.plans

    def open_sales(self):
        """Every node knows them, and every lane is ready, when this returns."""
        for plan in self.plans:
            plan.sale = self.nodes[0].open_sale(**plan.terms())
        for plan in self.plans:
            assert self.nodes.wait_known(plan.sale), f"sale {plan.sale} is not known everywhere"
        until = time.monotonic() + 30
        while not self.lanes_ready():
            assert time.monotonic() < until, "the lanes do not become ready"
            time.sleep(0.05)

    def lanes_ready(self):
        """Whether every lane is sold, from Redis or by the store itself."""
        client, url = self.services.redis.client, self.services.postgres_url
        return all(snapshot.lane_ready(client, plan.sale, lane)
                   or snapshot.store_sells(url, plan.sale, lane)
                   for plan in self.plans for lane in range(plan.lanes))

    def rebuild(self):
        """An operator has every lane rebuilt. False when no node takes the command now."""
        for node in self.nodes:
            try:
                for plan in self.plans:
                    Operator(node).rebuild(plan.sale)
                return True
            except (Missing, AssertionError, requests.RequestException):
                continue
        return False

    # --- the end --------------------------------------------------------------------------------

    async def finish(self):
        """Sells out what is to be sold out, waits for rest, and checks. True when all held."""
        began = time.monotonic()
        rested = await self.come_to_rest()
        self.report.longest("longest way to rest, s", time.monotonic() - began)
        for plan in self.plans:
            if plan.sells_out:
                await self.crowd.sell_out(plan, lambda plan=plan: self._left(plan))
        rested = rested and await self.come_to_rest()
        if not rested:
            self.report.breach("rest", [f"not within {REST_TIMEOUT_S} s: {self._unrest()}"],
                               f"{self.name}: ")
        log = await asyncio.to_thread(snapshot.read_log, self.services.brokers, self.topic)
        held = rested
        for plan in self.plans:
            held = await self._check_sale(plan, log) and held
        self.report.longest("longest end of a round, s", time.monotonic() - began)
        return held

    async def _left(self, plan):
        """Units that nobody has for good; unknown counts as some."""
        url = self.services.postgres_url
        try:
            unpaid = await self._pay_unpaid(plan)
            stock = await asyncio.to_thread(snapshot.read_stock, url, plan.sale)
            return sum(stock.values()) + unpaid
        except psycopg.Error:
            return 1

    async def _pay_unpaid(self, plan):
        """How many orders of the sale nobody had paid until now."""
        if not plan.pay_within_ms:
            return 0
        unpaid = await asyncio.to_thread(snapshot.read_unpaid, self.services.postgres_url,
                                         plan.sale)
        await self.crowd.pay_all(plan.sale, unpaid)
        return len(unpaid)

    def wait_for_rest(self):
        """Waits until nothing is under way; False when that is not within the time."""
        until = time.monotonic() + REST_TIMEOUT_S
        while time.monotonic() < until:
            if not self._unrest():
                return True
            time.sleep(0.1)
        return False

    async def come_to_rest(self):
        """The same, and orders expire meanwhile, or are paid where that would take long."""
        until = time.monotonic() + REST_TIMEOUT_S
        while time.monotonic() < until:
            if not await asyncio.to_thread(self._unrest):
                return True
            for plan in self.plans:
                if plan.pay_within_ms > SHORT_MS:
                    try:
                        await self._pay_unpaid(plan)
                    except psycopg.Error:
                        break
            await asyncio.sleep(0.1)
        return False

    def _unrest(self):
        """Why the stores are not at rest; empty when they are."""
        for node in self.nodes:
            if not node.ready():
                return f"node {node.name} is not ready"
        try:
            for plan in self.plans:
                lanes, orders, outbox = snapshot.read_store(self.services.postgres_url, plan.sale)
                unpaid = sum(row.status == "confirmed" for row in orders)
                if plan.pay_within_ms and unpaid:
                    return f"sale {plan.sale} has {unpaid} unpaid orders"
                late = snapshot.read_late(self.services.postgres_url, plan.sale)
                if any(late.values()):
                    return f"sale {plan.sale} has late orders: {late}"
                if outbox:
                    return f"sale {plan.sale} has {len(outbox)} orders in the outbox"
                for row in lanes:
                    seen = snapshot.read_projected(self.services.redis.client, plan.sale, row.lane)
                    if not seen.ready or seen.epoch != row.fence:
                        return f"sale {plan.sale} lane {row.lane} is not ready: {seen.epoch}"
                    if seen.pending:
                        return f"sale {plan.sale} lane {row.lane} has {len(seen.pending)} pending"
        except UNAVAILABLE as error:
            return str(error)
        return ""

    async def _check_sale(self, plan, log):
        outcomes = await self.crowd.outcomes(plan.sale)
        taken = await asyncio.to_thread(snapshot.read, self.services, plan.sale, log)
        case = Case(taken, self.crowd.ledger, outcomes, plan.sells_out, self.crowd.clock_offset,
                    plan.pay_within_ms)
        broken = check(case)
        audited = await asyncio.to_thread(self._audit, case.snapshot)
        if audited:
            broken["audit"] = audited
        for name, sentences in broken.items():
            self.report.breach(name, sentences, f"{self.name}, sale {plan.sale}: ")
            self.report.story(f"{self.name}, sale {plan.sale}, {name}",
                              evidence(case, sentences[:3]))
        self._count(plan, case)
        return not broken

    def _audit(self, taken):
        try:
            return list(audit(Operator(self.nodes[0]).audit(taken.sale), taken))
        except Missing:
            self.report.figure("audit", "this server has none")
            return []

    def _count(self, plan, case):
        live = case.snapshot.live()
        self.report.add("orders confirmed", len(live))
        self.report.add("orders acknowledged", len(case.promised))
        if plan.pay_within_ms:
            for status in ("paid", "cancelled", "expired"):
                self.report.add(f"orders {status}", sum(
                    row.status == status for row in case.snapshot.orders))
        self.report.add("units sold", sum(row.quantity for row in live))
        self.report.add("sales sold out", int(plan.sells_out and not any(
            lane.stock for lane in case.snapshot.lanes)))
        self.report.count("acknowledged and then rejected", broken_promises(case))


def evidence(case, sentences):
    """The story of the users that some sentences name, without their refusals, and the lanes."""
    text = " ".join(sentences) + " "
    lines = []
    for user, answers in case.answers.items():
        orders = {answer.order for answer in answers if len(answer.order) == 36}
        if f"{user} " not in text and not any(order in text for order in orders):
            continue
        telling = [one for one in answers if one.status not in (0, 429, 503)]
        lines.append(f"{user}: {len(answers)} answers, {len(answers) - len(telling)} refusals")
        lines += [f"  {_brief(answer)}" for answer in telling]
    lines += [f"{lane}" for lane in case.snapshot.lanes]
    lines += [f"lane {lane}: ready {seen.ready}, epoch {seen.epoch}, {seen.units} units, "
              f"{len(seen.pending)} pending" for lane, seen in case.snapshot.projected.items()]
    return lines[:200]


def _brief(answer):
    said = " ".join(str(part) for part in answer[4:10] if part)
    return (f"{answer.sent:.3f}-{answer.done:.3f} node {answer.node} {answer.ask}: {said}"
            f"{' backlogged' if answer.backlogged else ''}")


def count_requests(report, ledger):
    everything = ledger.everything()
    report.add("requests", len(everything))
    report.add("requests without an answer", sum(answer.status == 0 for answer in everything))
    for code in ("busy", "not_ready", "outcome_unknown"):
        report.add(f"refused: {code}", sum(answer.code == code for answer in everything))
