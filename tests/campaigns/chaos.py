"""Chaos: nodes under load while Redis, Kafka, Postgres and the nodes are killed, frozen,
emptied and rolled back, and single nodes lose their way to a service."""

import asyncio
import random
import time
from string import ascii_lowercase

from .crowd import Crowd, Plan, half_to_be_paid, longest_silence
from .faults import Faults, calm, schedule
from .nodes import Nodes
from .report import Report
from .rounds import Round, count_requests
from .services import DURABILITY, wait_until
from .snapshot import fill_lane, lane_ready, read_projected

FAULTS_A_ROUND = 20
LIMITS = {"node": 2, "lanes": 5}  # seconds
MANY_ORDERS = 100_000
LONG_GAP_S = 5


def plans(rate_per_s, seconds, chance):
    """Sales that sell out early, late and never; in one lane and in several; orders of half of them
    must be paid."""
    expected = rate_per_s * seconds
    some = [Plan(stock=int(expected * 0.1), share=1, sells_out=True),
            Plan(stock=int(expected * 0.3), lanes=4, limit=3, share=1, sells_out=True),
            Plan(stock=1_000_000, limit=3, share=1),
            Plan(stock=1_000_000, lanes=2, limit=2, share=1)]
    return half_to_be_paid(some, chance)


async def _load(crowd, faults, alone, planned, snapshot):
    """Load before, while and shortly after the faults apply. The load's begin and end."""
    running = asyncio.create_task(crowd.run())
    began = time.monotonic()
    await asyncio.sleep(1)
    await asyncio.to_thread(snapshot)
    try:
        await faults.run_alone(alone)
        await faults.run(planned)
        await faults.settle()
        await asyncio.sleep(1)
    finally:
        crowd.stopped = True
        ended = time.monotonic()
        await running
    return began, ended


def _report_round(report, number, faults, crowd, began, ended):
    report.count("faults", faults.counts)
    report.add("faults in all", sum(faults.counts.values()))
    count_requests(report, crowd.ledger)
    gap, since = longest_silence(crowd.ledger, began, ended)
    report.longest("longest gap in service, s", gap)
    if gap > LONG_GAP_S:
        report.story(f"round {number}: no definite answer for {gap:.1f} s since {since:.3f}",
                     faults.story_of(since - 10, since + gap))
    for one in faults.recoveries:
        if one.alone and one.seconds > LIMITS[one.target]:
            report.story(f"round {number}: {one.target} away for {one.seconds:.1f} s after a "
                         f"{one.kind}, since {one.since:.3f}",
                         faults.story_of(one.since - 15, one.since + one.seconds))


async def _round(number, services, nodes, report, choices):
    seed = f"{choices.seed}.{number}"
    chance = random.Random(f"round {seed}")
    services.redis.durability = chance.choice(list(DURABILITY))
    count = min(FAULTS_A_ROUND, choices.count - number * FAULTS_A_ROUND)
    names = [node.name for node in nodes]
    alone = calm(seed, names)[:count]
    planned = schedule(seed, count - len(alone), choices.spacing_s, names)
    crowd = Crowd(list(nodes), plans(choices.rate, count * choices.spacing_s, chance), seed,
                  f"r{number}", rate_per_s=choices.rate)
    current = Round(f"round {number}", services, nodes, crowd, report)
    await asyncio.to_thread(current.open_sales)
    targets = {"redis": services.redis, "kafka": services.kafka, "postgres": services.postgres,
               "operator": current, **{node.name: node for node in nodes}}
    faults = Faults(targets, current.lanes_ready)
    began, ended = await _load(crowd, faults, alone, planned,
                               services.redis.snapshot)
    report.add("seconds of load", round(ended - began))
    held = await current.finish()
    _report_round(report, number, faults, crowd, began, ended)
    if not held:
        report.story(f"round {number}, faults",
                     faults.story_of(0, float("inf")))
    crowd.close()
    return faults.recoveries


def _big_lane(services, nodes, report):
    """How long a lane with many orders is away after Redis lost everything."""
    sale = nodes[0].open_sale(stock=2 * MANY_ORDERS)
    assert nodes.wait_known(sale)
    fill_lane(services.postgres_url, sale, MANY_ORDERS)
    services.redis.flush()
    began = time.monotonic()
    wait_until(lambda: lane_ready(services.redis.client, sale, 0), 120, "the large lane")
    report.times(f"a lane of {MANY_ORDERS} orders sells again", [time.monotonic() - began],
                 LIMITS["lanes"])
    seen = read_projected(services.redis.client, sale, 0)
    if (seen.units, len(seen.success)) != (MANY_ORDERS, MANY_ORDERS):
        report.breach("projection", [f"the large lane has {seen.units} units and "
                                     f"{len(seen.success)} orders"])


def _report_recoveries(report, recoveries):
    for target, what in (("node", "a node serves again"), ("lanes", "all lanes sell again")):
        alone = [one.seconds for one in recoveries if one.target == target and one.alone]
        others = [one.seconds for one in recoveries if one.target == target and not one.alone]
        report.times(f"{what}, nothing else being wrong", alone, LIMITS[target])
        report.times(f"{what}, among other faults", others)


def run(choices, services, folder):
    report = Report("chaos", choices.seed, count=choices.count, nodes=choices.nodes)
    recoveries = []
    names = ascii_lowercase[:choices.nodes]
    with services, Nodes(services, folder, names, split=True) as nodes:
        _big_lane(services, nodes, report)
        for number in range(-(-choices.count // FAULTS_A_ROUND)):
            recoveries += asyncio.run(_round(number, services, nodes, report, choices))
            print(f"  round {number}: {'held' if not report.breaches else 'BROKEN'}", flush=True)
            if report.breaches and not choices.keep_going:
                break
    _report_recoveries(report, recoveries)
    return report.finish()
