"""Thousands of open sales on several nodes: their rounds, their audits and their list."""

import contextlib
import time
from statistics import median

from lib import refusals
from lib.processes import wait_until
from lib.server import Server

SALES = """
WITH made AS (
  INSERT INTO sales (title, description, unit_price_minor, currency, stock, limit_per_order, lanes,
                     starts_at, ends_at, state)
  SELECT 'Sale ' || n, 'One of many', 1999, 'EUR', 100, 1, 1, now(), now() + interval '1 day',
         'open'
    FROM generate_series(1, {sales}) n
  RETURNING sale_id)
INSERT INTO product_stock (sale_id, lane, initial, stock) SELECT sale_id, 0, 100, 100 FROM made;
"""
SELLS_TIMEOUT_S = 300
AUDIT_TIMEOUT_S = 900
CALM_S = 30
LIST_ROUNDS = 3


def rounds(nodes):
    return [(node.metric("sluice_round_seconds_sum"), node.metric("sluice_round_seconds_count"))
            for node in nodes]


def calm_round_s(nodes):
    """The mean of the slowest node."""
    before = rounds(nodes)
    time.sleep(CALM_S)
    after = rounds(nodes)
    return max((sum_after - sum_before) / max(1, count_after - count_before)
               for (sum_before, count_before), (sum_after, count_after) in zip(before, after))


def list_rate(bench, server, path):
    """Answers a second: the first page of the list, and a refusal, in turn."""
    tokens = server.tokens(refusals.USERS, "r")
    url = f"http://127.0.0.1:{server.port}"
    found = {"list": [], "refusal": []}
    for _ in range(LIST_ROUNDS):
        for name, target, sent in (("list", "/v1/sales", ()), ("refusal", path, (tokens,))):
            seen = refusals.load(bench, server.pid, url + target, bench.options.seconds, *sent)
            found[name].append(seen["requests_per_s"])
    return {name: median(rates) for name, rates in found.items()}


def measure(bench):
    with bench.services.own() as own, contextlib.ExitStack() as stack:
        settings = own.settings | {"gate_user_rate_per_s": 1000, "gate_user_burst": 1000}
        nodes = [Server(bench, bench.folder(f"sales-{n}"), settings | bench.extra_settings)
                 for n in range(bench.options.sales_nodes)]
        nodes[0].migrate()
        # One more is opened for the refusals.
        own.sql(SALES.format(sales=bench.options.sales - 1), timeout_s=300)
        for node in nodes:
            stack.enter_context(node.serving(ready_timeout_s=SELLS_TIMEOUT_S))
        path = nodes[0].path(refusals.sell_out(nodes[0]))
        wait_until(lambda: not any(node.problem("sales") for node in nodes), "all sales sell",
                   SELLS_TIMEOUT_S)
        sells_s = time.monotonic() - nodes[0].began
        bench.say(f"sales: all {bench.options.sales:,} sell after {sells_s:.0f} s")
        began = time.monotonic()
        round_s = calm_round_s(nodes)
        wait_until(lambda: max(node.metric("sluice_audit_age_seconds") for node in nodes)
                   < time.monotonic() - began, "an audit of every sale", AUDIT_TIMEOUT_S)
        audited_s = time.monotonic() - began
        rates = list_rate(bench, nodes[0], path)
    found = {"sales": bench.options.sales, "nodes": len(nodes), "sells_s": sells_s,
             "round_s": round_s, "audited_s": audited_s, "list_per_s": rates["list"],
             "refusals_per_s": rates["refusal"],
             "list_to_refusal": rates["list"] / rates["refusal"]}
    bench.say(f"sales: a round takes {round_s:.2f} s, all are audited within {audited_s:.0f} s")
    return found
