"""Accepted purchases: from the request to the durable row, in both modes."""

import sqlite3

from lib import load
from lib.processes import Meter, child_seconds, end, memory_mb, thread_seconds, wait_until
from lib.server import Server

ROWS = "SELECT count(*) FROM orders WHERE sale_id = {} AND status = 'confirmed'"
# From the first reservation to the end of the last transaction, by the clocks of the rows.
SPAN = ("SELECT extract(epoch FROM max(decided_at) - min(reserved_at)) FROM orders "
        "WHERE sale_id = {}")
DECIDE_TIMEOUT_S = 120


class Postgres:
    def __init__(self, own):
        self.own = own

    def rows(self, sale):
        return int(self.own.sql(ROWS.format(sale)))

    def span_s(self, sale):
        return float(self.own.sql(SPAN.format(sale)))


def buy(bench, server, sale, tokens, rate=None):
    """Every user of `tokens` buys once; what the crowd saw."""
    connections = load.OPEN_LOOP_CONNECTIONS if rate else bench.options.connections
    return load.to_end(load.command(bench, server.port, tokens, path=server.path(sale), rate=rate,
                                    connections=connections))


def crowd(bench, server, sale, tokens, rate=None):
    seen = buy(bench, server, sale, tokens, rate)
    if seen["refused"]:
        raise RuntimeError(f"not every purchase was accepted: {seen}")
    return seen


class Run:
    """One crowd on one sale, with what every process used meanwhile."""

    def __init__(self, bench, server, pids, users, prefix):
        self.bench, self.server, self.users = bench, server, users
        self.pids = {"sluice": server.pid, **pids}
        self.sale = server.open_sale(stock=users)
        self.tokens = server.tokens(users, prefix)

    def go(self, rate=None, wait_for_rows=lambda: None):
        meter, ours = Meter(self.pids), child_seconds()
        threads = thread_seconds(self.server.pid)
        seen = crowd(self.bench, self.server, self.sale, self.tokens, rate)
        load_s = child_seconds(ours)
        wait_for_rows()
        spent = {**meter.read(), "load": load_s}
        after = thread_seconds(self.server.pid)
        seen["cpu_us_per_order"] = {n: s * 1e6 / self.users for n, s in spent.items()}
        seen["cpu_us_per_order_by_thread"] = {
            name: (s - threads.get(name, 0)) * 1e6 / self.users for name, s in after.items()
            if s > threads.get(name, 0)}
        seen["cores_used"] = sum(spent.values()) / seen["seconds"]
        seen["memory_mb"] = memory_mb(self.server.pid)
        return seen


def services(bench):
    folder = bench.folder("orders")
    with bench.services.own() as own:
        truth = Postgres(own)
        server = Server(bench, folder, own.settings | bench.extra_settings)
        with server.serving():
            full = full_rate(bench, server, truth)
            steady = open_loop(bench, server, truth, open_rate(bench, full))
    return {"full_rate": full, "open_loop": steady}


def open_rate(bench, full):
    return bench.options.rate or full["durable_per_s"] / 2


def decided(truth, run):
    return lambda: wait_for_rows(truth, run.sale, run.users)


def wait_for_rows(truth, sale, count):
    wait_until(lambda: truth.rows(sale) == count,
               f"{count} rows, of which there were {truth.rows(sale)}", DECIDE_TIMEOUT_S)


def full_rate(bench, server, truth):
    # A small sale first: connections, statements and partitions are warm afterwards.
    warm = Run(bench, server, {}, min(5_000, bench.options.users), "w")
    warm.go(wait_for_rows=decided(truth, warm))
    run = Run(bench, server, bench.services.pids, bench.options.users, "u")
    seen = run.go(wait_for_rows=decided(truth, run))
    seen["answers_per_s"] = seen["accepted"] / seen["seconds"]
    seen["durable_per_s"] = run.users / truth.span_s(run.sale)
    seen["backlogged"] = server.metric("sluice_publish_unacknowledged_total")
    bench.say(f"orders: {seen['durable_per_s']:.0f} durable orders/s")
    return seen


def open_loop(bench, server, truth, rate):
    users = min(bench.options.users, int(rate * bench.options.open_loop_seconds))
    run = Run(bench, server, bench.services.pids, users, "h")
    seen = run.go(rate, decided(truth, run))
    seen["rate_per_s"] = rate
    bench.say(f"orders at {rate:.0f}/s: p99 {seen['p99_ms']:.1f} ms")
    return seen


def embedded(bench):
    folder = bench.folder("embedded")
    server = Server(bench, folder, {"mode": "embedded"} | bench.extra_settings)
    with server.serving():
        warm = Run(bench, server, {}, min(5_000, bench.options.users), "w")
        warm.go()
        run = Run(bench, server, {}, bench.options.users, "u")
        full = run.go()
        full["durable_per_s"] = full["accepted"] / full["seconds"]
        bench.say(f"embedded: {full['durable_per_s']:.0f} durable orders/s")
        rate = open_rate(bench, full)
        users = min(bench.options.users, int(rate * bench.options.open_loop_seconds))
        steady_run = Run(bench, server, {}, users, "h")
        steady = steady_run.go(rate)
        steady["rate_per_s"] = rate
        bench.say(f"embedded at {rate:.0f}/s: p99 {steady['p99_ms']:.1f} ms")
        if end(server.process) != 0:
            raise RuntimeError("the server did not stop cleanly")
    for one in (warm, run, steady_run):
        check_rows(folder / "data/sluice.db", one)
    return {"full_rate": full, "open_loop": steady}


def check_rows(path, run):
    connection = sqlite3.connect(path)
    try:
        rows = connection.execute(ROWS.format(run.sale)).fetchone()[0]
    finally:
        connection.close()
    if rows != run.users:
        raise RuntimeError(f"{run.users} purchases were answered 201, and there are {rows} rows")
