"""Three outages that broke comparable systems, each under load, each with nothing lost: the broker
stopped for a while; a node killed with thousands of orders queued; everybody clicking twice.

They run on services of their own, because these are frozen and killed. SLUICE_TEST_LONG=1 runs the
long outages, too.
"""

import asyncio
import os
import resource
import time

import pytest

from campaigns.crowd import Crowd, Plan
from campaigns.invariants import in_time
from campaigns.nodes import Nodes
from campaigns.report import Report
from campaigns.rounds import Round
from campaigns.services import Services, wait_until
from campaigns.snapshot import read_log, read_truth

LONG = os.environ.get("SLUICE_TEST_LONG") == "1"
OUTAGES_S = (8, 60) if LONG else (8,)
QUEUED = 5000
DOUBLE_CLICKERS = 3000


@pytest.fixture(scope="module")
def private(tmp_path_factory):
    """(services, two nodes) of this module alone."""
    folder = tmp_path_factory.mktemp("outages")
    # However slow the machine is, thousands may queue before fewer are let in.
    patient = {"degrade_lag_slow_wait_ms": 500_000}
    with Services(folder) as services, Nodes(services, folder, **patient) as nodes:
        yield services, nodes


class Outage:
    """One round on the private services, which must hold."""

    def __init__(self, private, name, plans, rate_per_s):
        self.services, self.nodes = private
        # What the outage before has taught a node about its services is not to count here.
        for node in self.nodes:
            assert node.terminate() == 0
            node.start(wait_ready=True)
        self.report = Report(name, 1, quiet=True)
        self.crowd = Crowd(list(self.nodes), plans, 1, name, rate_per_s=rate_per_s)
        self.round = Round(name, self.services, self.nodes, self.crowd, self.report)
        self.round.open_sales()

    async def under_load(self, happens, before_s=1, after_s=1):
        """`happens()`, a coroutine function, while buyers come."""
        running = asyncio.create_task(self.crowd.run())
        try:
            await asyncio.sleep(before_s)
            await happens()
            await asyncio.sleep(after_s)
        finally:
            self.crowd.stopped = True
            await running

    async def check(self):
        """At rest every invariant holds, and no acknowledged order was rejected."""
        await self.round.finish()
        assert self.report.breaches == {}
        rejected = {name: count for name, count in self.report.figures.items()
                    if name.startswith("acknowledged and then rejected")}
        assert rejected == {}
        return self.report.figures


@pytest.mark.parametrize("seconds", OUTAGES_S)
@pytest.mark.parametrize("how", ["frozen", "killed"])
def test_broker_stopped(private, how, seconds):
    kafka = private[0].kafka
    plans = [Plan(stock=500, sells_out=True), Plan(stock=1_000_000, lanes=4, limit=3)]
    outage = Outage(private, f"broker-{how}-{seconds}", plans, rate_per_s=100)

    async def stopped():
        await asyncio.to_thread(kafka.pause if how == "frozen" else kafka.kill)
        try:
            await asyncio.sleep(seconds)
        finally:
            await asyncio.to_thread(kafka.resume if how == "frozen" else kafka.start)

    async def story():
        await outage.under_load(stopped)
        return await outage.check()

    assert asyncio.run(story())["orders confirmed"] > 500


async def queue_many(crowd, plan, count, patience_s=60):
    """Buyers, 200 at once, until that many orders were acknowledged."""
    until = time.monotonic() + patience_s
    number = acknowledged = 0
    while acknowledged < count:
        assert time.monotonic() < until, f"{acknowledged} of {number} were acknowledged"
        users = [f"queued-{number + i}" for i in range(200)]
        number += len(users)
        answers = await asyncio.gather(*(crowd.buy_at(i % 2, plan.sale, user, crowd.token(user), 1)
                                         for i, user in enumerate(users)))
        acknowledged += sum(answer.status == 202 for answer in answers)


@pytest.mark.parametrize("seconds", (0, 60) if LONG else (0,))
def test_node_killed_with_thousands_of_orders_queued(private, record_property, seconds):
    """And Postgres away for that long before it."""
    services, nodes = private
    plan = Plan(stock=1_000_000, lanes=4)
    outage = Outage(private, f"killed-with-a-queue-{seconds}", [plan], rate_per_s=100)
    postgres = services.postgres
    times = {}

    async def killed():
        await asyncio.to_thread(postgres.pause)
        try:
            began = time.monotonic()
            await queue_many(outage.crowd, plan, QUEUED)
            await asyncio.sleep(max(0, began + seconds - time.monotonic()))
        finally:
            nodes[0].kill()
            await asyncio.to_thread(postgres.resume)
        draining = asyncio.create_task(asyncio.to_thread(drained, services, plan.sale, times))
        began = time.monotonic()
        await asyncio.to_thread(nodes[0].start)
        await asyncio.to_thread(wait_until, nodes[0].ready, 60, "the node is ready")
        times["ready"] = time.monotonic() - began
        await draining

    async def story():
        await outage.under_load(killed)
        return await outage.check()

    figures = asyncio.run(story())
    record_property("ready_s", round(times["ready"], 2))
    record_property("drained_per_s", round(times["per_s"]))
    print(f"ready after {times['ready']:.2f} s, drained at {times['per_s']:.0f} orders/s")
    assert times["ready"] <= 2 * slack()
    assert figures["orders confirmed"] >= QUEUED
    assert_no_storm(services, plan.sale)


def drained(services, sale, times):
    """Waits until the queued orders are decided; notes the rate of the busiest half second."""
    counts = [(time.monotonic(), decided(services, sale))]
    until = time.monotonic() + 60
    while counts[-1][1] < QUEUED:
        assert time.monotonic() < until, f"{counts[-1][1]} of {QUEUED} decided"
        time.sleep(0.02)
        counts.append((time.monotonic(), decided(services, sale)))
    times["per_s"] = max((later - sooner) / (end - begin)
                         for i, (begin, sooner) in enumerate(counts)
                         for end, later in counts[i + 1:] if 0.02 <= end - begin <= 0.5)


def decided(services, sale):
    return len(read_truth(services.postgres_url, sale)[1])


def assert_no_storm(services, sale):
    """Each order went through the log once, and none was decided to be a duplicate."""
    _, rows = read_truth(services.postgres_url, sale)
    assert {row.status for row in rows} == {"confirmed"}
    for (of, _), records in read_log(services.brokers, "seckill.orders").items():
        if of == sale:
            orders = [record.order for record in records if record.order]
            assert len(orders) == len(set(orders))
            assert all(in_time(records, record.epoch, record.order) for record in records
                       if record.order)


@pytest.mark.parametrize("stock", [2 * DOUBLE_CLICKERS, DOUBLE_CLICKERS // 2])
def test_everybody_clicks_twice_at_the_same_instant_and_again_later(private, stock):
    allow_many_sockets(4 * DOUBLE_CLICKERS)
    plan = Plan(stock=stock, lanes=2, sells_out=stock < DOUBLE_CLICKERS)
    outage = Outage(private, f"double-{stock}", [plan], rate_per_s=0)
    crowd = outage.crowd
    users = [f"double-{i}" for i in range(DOUBLE_CLICKERS)]
    tokens = {user: crowd.token(user) for user in users}

    async def definite(node, user):
        until = time.monotonic() + 60
        while True:
            answer = await crowd.buy_at(node, plan.sale, user, tokens[user], 1)
            if answer.status != 503 or time.monotonic() > until:
                return answer
            await asyncio.sleep(0.2)

    async def everybody():
        return await asyncio.gather(*(definite(node, user) for user in users for node in (0, 1)))

    async def story():
        for client in crowd.clients:
            client.timeout_s = 60
        first = await everybody()
        rested = await asyncio.to_thread(outage.round.wait_for_rest)
        assert rested
        again = await everybody()
        return first, again, await outage.check()

    first, again, figures = asyncio.run(story())
    bought = min(stock, DOUBLE_CLICKERS)
    assert {answer.status for answer in first + again} <= {200, 201, 202, 409}
    ordered = [answer for answer in first if answer.status != 409]
    assert len({answer.order for answer in ordered}) == bought
    assert len(ordered) == 2 * bought
    accepted = [answer.order for answer in first if answer.status == 202]
    assert len(accepted) == len(set(accepted)), "an order is new once"
    assert {answer.status for answer in again} <= {200, 409}
    assert figures["units sold"] == bought
    lanes, _ = read_truth(outage.services.postgres_url, plan.sale)
    assert sum(lane.stock for lane in lanes) == stock - bought


def allow_many_sockets(count):
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, most), most))


def slack():
    """Sanitised servers, and machines that do other things, too, are slower."""
    return float(os.environ.get("SLUICE_TEST_SLACK", "1"))
