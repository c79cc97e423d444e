"""Modes: normal, bypass and database mode and back, under load, by outage and by command."""

import asyncio
import random
import time

from .admin import Operator, has_modes, wait_for_mode
from .burst import burst
from .crowd import Crowd, Plan, half_to_be_paid
from .nodes import Nodes
from .report import Report
from .rounds import Round, count_requests

SWITCHES_A_ROUND = 10
ENTERS_WITHIN_S = 5
GIVES_UP_AFTER_S = 60
HOLDS_S = 1.5
FIRST_ORDER_S = 10

# (mode, how it comes about)
CAUSES = (("bypass", "kafka paused"), ("bypass", "kafka killed"), ("bypass", "operator"),
          ("database", "redis paused"), ("database", "redis killed"), ("database", "operator"))


def planned(seed, count):
    """Every cause comes about before one comes again."""
    chance = random.Random(f"modes {seed}")
    causes = []
    while len(causes) < count:
        causes += chance.sample(CAUSES, len(CAUSES))
    return causes[:count]


class Switch:
    """Makes one cause come about, and ends it."""

    def __init__(self, services, operators, mode, cause):
        self.operators = operators
        self.mode = mode
        name, _, self.act = cause.partition(" ")
        self.service = getattr(services, name, None)

    def begin(self):
        if self.service is None:
            self.operators[0].hold(self.mode)
        elif self.act == "paused":
            self.service.pause()
        else:
            self.service.kill()

    def end(self):
        if self.service is None:
            self.operators[0].hold("auto")
        elif self.act == "paused":
            self.service.resume()
        else:
            self.service.start()


class Measured:
    """Times into and out of each mode, and orders a second within."""

    def __init__(self, report):
        self.report = report
        self.into = {}
        self.back = {}
        self.rates = {}

    def note(self, where, key, seconds):
        if seconds is None:
            self.report.breach("mode", [f"{key}: not within {GIVES_UP_AFTER_S} s"])
        else:
            where.setdefault(key, []).append(seconds)

    def finish(self):
        for key, seconds in sorted(self.into.items()):
            self.report.times(f"into {key}", seconds, ENTERS_WITHIN_S)
        for key, seconds in sorted(self.back.items()):
            self.report.times(f"back from {key}", seconds)
        for mode, rates in sorted(self.rates.items()):
            ordered = sorted(rates)
            median, best = ordered[(len(ordered) - 1) // 2], ordered[-1]
            self.report.figure(f"{mode}: orders a second", f"median {median:.0f}, best {best:.0f}")


def orders_a_second(ledger, begin, end):
    """New orders that were acknowledged in that time."""
    count = sum(one.ask == "buy" and one.status in (201, 202) and begin <= one.done <= end
                for one in ledger.everything())
    return count / (end - begin)


async def _sells(ledger, begin):
    """Whether an order is acknowledged after `begin`: on a busy machine the first takes a while."""
    until = begin + FIRST_ORDER_S
    while time.monotonic() < until:
        if orders_a_second(ledger, begin, time.monotonic()) > 0:
            return True
        await asyncio.sleep(0.1)
    return False


async def _switch(current, services, operators, measured, mode, cause, seconds):
    switch = Switch(services, operators, mode, cause)
    began = time.monotonic()
    await asyncio.to_thread(switch.begin)
    try:
        into = await asyncio.to_thread(wait_for_mode, operators, mode, GIVES_UP_AFTER_S)
        measured.note(measured.into, f"{mode} ({cause})",
                      into and time.monotonic() - began)
        begin = time.monotonic()
        await asyncio.sleep(seconds)
        rate = orders_a_second(current.crowd.ledger, begin, time.monotonic())
        measured.rates.setdefault(f"{mode}, steady load", []).append(rate)
        if rate == 0 and not await _sells(current.crowd.ledger, begin):
            current.report.breach("sells_in_every_mode", [f"{current.name}: {mode} ({cause})"])
    finally:
        await asyncio.to_thread(switch.end)
    began = time.monotonic()
    back = await asyncio.to_thread(wait_for_mode, operators, "normal", GIVES_UP_AFTER_S)
    measured.note(measured.back, f"{mode} ({cause})", back and time.monotonic() - began)


async def _round(number, services, nodes, report, measured, choices, causes):
    seed = f"{choices.seed}.{number}"
    seconds = choices.seconds or HOLDS_S
    expected = choices.rate * len(causes) * (seconds + 4)
    plans = [Plan(stock=int(expected * 0.2), lanes=2, limit=2, sells_out=True),
             Plan(stock=1_000_000, limit=3, lanes=2)]
    half_to_be_paid(plans, random.Random(f"plans {seed}"))
    crowd = Crowd(list(nodes), plans, seed, f"m{number}", rate_per_s=choices.rate)
    current = Round(f"round {number}", services, nodes, crowd, report)
    await asyncio.to_thread(current.open_sales)
    operators = [Operator(node) for node in nodes]
    running = asyncio.create_task(crowd.run())
    begin = time.monotonic()
    try:
        await asyncio.sleep(seconds)
        measured.rates.setdefault("normal, steady load", []).append(
            orders_a_second(crowd.ledger, begin, time.monotonic()))
        for mode, cause in causes:
            await _switch(current, services, operators, measured, mode, cause, seconds)
            report.add("switches", 1)
    finally:
        crowd.stopped = True
        await running
    await current.finish()
    count_requests(report, crowd.ledger)
    crowd.close()


def _capacity(services, nodes, report, choices):
    """What each mode sells at most, held by an operator, with all services well."""
    operators = [Operator(node) for node in nodes]
    for mode in ("normal", "bypass", "database"):
        operators[0].hold(mode)
        if wait_for_mode(operators, mode, GIVES_UP_AFTER_S) is None:
            report.breach("mode", [f"{mode}, held: not within {GIVES_UP_AFTER_S} s"])
        # The first rush lets the rate rise to what the store takes.
        seconds = 10 if choices.long else 3
        burst(nodes[0], f"{mode}-first", seconds)
        rate = burst(nodes[0], mode, seconds)
        report.figure(f"{mode}: orders a second in a rush on one node", rate)
    operators[0].hold("auto")
    wait_for_mode(operators, "normal", GIVES_UP_AFTER_S)


def run(choices, services, folder):
    report = Report("modes", choices.seed, count=choices.count)
    measured = Measured(report)
    causes = planned(choices.seed, choices.count)
    with services, Nodes(services, folder) as nodes:
        if not has_modes(nodes[0]):
            report.breach("mode", ["this server has no /admin/mode"])
            return report.finish()
        for number, begin in enumerate(range(0, choices.count, SWITCHES_A_ROUND)):
            asyncio.run(_round(number, services, nodes, report, measured, choices,
                               causes[begin:begin + SWITCHES_A_ROUND]))
            if report.breaches and not choices.keep_going:
                break
        _capacity(services, nodes, report, choices)
    measured.finish()
    return report.finish()
