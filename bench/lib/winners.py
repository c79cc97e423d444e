"""One large sale sells out while another one sells on: what reading all its winners costs.

Several nodes with many HTTP threads serve both. The winners are read once for each node and shared
by its threads, which refuse the losers by them."""

import contextlib
import time
from itertools import pairwise

from lib import load, orders
from lib.processes import memory_mb, reset_peak_memory
from lib.server import Server

LOOK_EVERY_S = 0.1
# The losers go on for so long after the last unit: longer than reading the winners may take.
LOSERS_S = 15
COMPLETE_TIMEOUT_S = 60
SIDE_START_S = 1  # Connections and caches of the other sale warm up; not counted.
WINDOW_MIN_S = 2  # Fewer answers have no 99th percentile to speak of.
LANES = "sluice_sold_out_lanes"


def reserves(nodes):
    """Upper bound in seconds -> calls to Redis that reserve units, of all nodes."""
    total = {}
    for node in nodes:
        calls = node.server.buckets("sluice_dependency_seconds", 'service="redis"',
                                    'call="reserve"')
        for bound, count in calls.items():
            total[bound] = total.get(bound, 0) + count
    return total


def p99_ms(before, after):
    """Of what was observed between the two, evenly spread within a bucket."""
    counts = sorted((bound, after[bound] - before.get(bound, 0)) for bound in after)
    wanted = 0.99 * counts[-1][1] if counts else 0
    low, below = 0.0, 0.0
    for bound, count in counts:
        if count >= wanted and count > below:
            high = low if bound == float("inf") else bound
            return 1000 * (low + (high - low) * (wanted - below) / (count - below))
        low, below = bound, count
    return 0.0


class Node:
    def __init__(self, server):
        self.server = server
        self.sold_out_at = self.complete_at = None
        self.before_mb = self.winners = 0

    def look(self):
        now = time.monotonic()
        if self.complete_at is not None:
            return
        if self.sold_out_at is None:
            memory = memory_mb(self.server.pid)["now"]
            reset_peak_memory(self.server.pid)
            if self.server.metric(LANES) == 0:
                self.before_mb = memory
                return
            self.sold_out_at = now
        if self.server.metric(LANES, 'winners="complete"') > 0:
            self.complete_at = time.monotonic()
            self.winners = self.server.metric("sluice_sold_out_winners")
            self.cost_mb = memory_mb(self.server.pid)["peak"] - self.before_mb


def measure(bench):
    options = bench.options
    with bench.services.own() as own, contextlib.ExitStack() as stack:
        settings = own.settings | {"http_threads": max(1, options.readers // options.nodes)}
        settings |= bench.extra_settings
        nodes = []
        for number in range(options.nodes):
            server = Server(bench, bench.folder(f"winners-{number}"), settings)
            nodes.append(Node(stack.enter_context(server.serving())))
        return sell_out(bench, nodes, orders.Postgres(own))


def sell_out(bench, nodes, truth):
    options = bench.options
    first = nodes[0].server
    sell_s = options.units / options.sell_rate
    side_s = SIDE_START_S + options.calm_seconds + 2 * sell_s + 2 * LOSERS_S + COMPLETE_TIMEOUT_S
    side_users = int(options.side_rate * side_s)
    side_sale = first.open_sale(stock=side_users)
    side_tokens = first.tokens(side_users, "side")
    sale = first.open_sale(stock=options.units)
    # Each user asks once: whoever comes after the last unit loses. On a busy machine many are
    # refused before it, so there are half as many again; they end when all is known.
    users = int(1.5 * options.units + LOSERS_S * options.sell_rate) // len(nodes)
    crowds = [(node.server, node.server.tokens(users, f"n{number}x"))
              for number, node in enumerate(nodes)]

    times = first.folder / "side.times"
    side = load.Beside(load.command(bench, first.port, side_tokens, path=first.path(side_sale),
                                    rate=options.side_rate, options=[f"--times={times}"]),
                       first.folder / "side.log")
    with side:
        time.sleep(SIDE_START_S)
        marks, seen = [time.monotonic()], [reserves(nodes)]
        time.sleep(options.calm_seconds)
        marks.append(time.monotonic())
        seen.append(reserves(nodes))
        bench.say(f"winners: {options.units:,} units at {options.sell_rate:,.0f}/s")
        sellers = sell(bench, crowds, sale, nodes, side, seen)
        marks.append(min(node.sold_out_at for node in nodes))
        marks.append(max(max(node.complete_at for node in nodes), marks[-1] + WINDOW_MIN_S))
    orders.wait_for_rows(truth, sale, options.units)
    found = summary(bench, nodes, sellers, side.seen, load.times_of(times), marks)
    names = ("calm", "selling", "reading")
    reserve = {name: p99_ms(*pair) for name, pair in zip(names, pairwise(seen))}
    return found | {"reserve_p99_ms": reserve}


def sell(bench, crowds, sale, nodes, side, seen):
    """Until every node has read who won; what the buyers saw. `seen` gets the reserving calls until
    the last unit, and until then."""
    with contextlib.ExitStack() as stack:
        sellers = []
        for server, tokens in crowds:
            arguments = load.command(bench, server.port, tokens, path=server.path(sale),
                                     rate=bench.options.sell_rate / len(crowds))
            sellers.append(stack.enter_context(
                load.Beside(arguments, server.folder / "crowd.log")))
        wait_until(nodes, sellers, side, lambda node: node.sold_out_at)
        seen.append(reserves(nodes))
        wait_until(nodes, sellers, side, lambda node: node.complete_at)
        seen.append(reserves(nodes))
        # Then the last answers of the window, to losers who ask no lane any more.
        time.sleep(WINDOW_MIN_S)
    return [one.seen for one in sellers]


def wait_until(nodes, sellers, side, reached):
    """Until every node has `reached` it: the end of the units, or of the reading."""
    until = None
    while any(reached(node) is None for node in nodes):
        for node in nodes:
            if node.server.process.poll() is not None:
                raise RuntimeError(f"a node ended with {node.server.process.returncode}")
            node.look()
        if side.ended():
            raise RuntimeError("the other sale's buyers ended early: " + side.log.read_text())
        if until is None and all(one.ended() for one in sellers):
            until = time.monotonic() + COMPLETE_TIMEOUT_S
        if until is not None and time.monotonic() > until:
            said = " ".join(one.log.read_text() for one in sellers)
            raise RuntimeError("the sale did not sell out, or not every node read its winners; "
                               f"a lower --sell-rate may help: {said}")
        time.sleep(LOOK_EVERY_S)


def summary(bench, nodes, sellers, side, times, marks):
    windows = [[took for due, took in times if begin <= due < end]
               for begin, end in pairwise(marks)]
    calm, selling, reading = (load.percentile(window, 0.99) for window in windows)
    found = {
        "units": bench.options.units, "nodes": len(nodes),
        "readers": len(nodes) * max(1, bench.options.readers // len(nodes)),
        "sell_rate": bench.options.sell_rate, "side_rate": bench.options.side_rate,
        "crowds": sellers, "side": side,
        "sold_out_s": marks[2] - marks[1],
        "complete_s": max(node.complete_at for node in nodes) - marks[2],
        "cost_mb": max(node.cost_mb for node in nodes),
        "kept_mb": max(node.winners for node in nodes) * 8 / 1e6,
        "answers": [len(window) for window in windows],
        "calm_p99_ms": calm, "selling_p99_ms": selling, "reading_p99_ms": reading,
        "selling_ratio": selling / calm, "reading_ratio": reading / calm}
    bench.say(f"winners: read {found['complete_s']:.1f} s after the last unit, the other sale's "
              f"p99 {reading:.1f} ms (calm {calm:.1f})")
    return found
