"""A restart on one lane with many orders, whose inventory is gone: when it sells again, and in how
much memory."""

import json
import sqlite3
import time

from lib.processes import memory_mb, wait_until
from lib.server import Server

SELLS_TIMEOUT_S = 300

POSTGRES_ROWS = """
INSERT INTO orders (order_id, sale_id, unit_price_minor, reserved_at, status, epoch, quantity, lane,
                    currency, user_id)
SELECT gen_random_uuid(), {sale}, 1999, now(), 'confirmed', 1, 1, 0, 'EUR', 'user-' || n
  FROM generate_series(1, {orders}) n;
UPDATE product_stock SET stock = stock - {orders} WHERE sale_id = {sale};
ANALYZE orders;
"""
# 16 characters are the 16 bytes of an id.
SQLITE_ROWS = """
BEGIN;
WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {orders})
INSERT INTO orders (order_id, sale_id, lane, user_id, quantity, status, reason, epoch,
                    reserved_at_ms, pay_by_ms)
SELECT CAST(printf('%016x', n) AS BLOB), {sale}, 0, 'user-' || n, 1, 'confirmed', 'none', 1, 1, NULL
  FROM numbers;
UPDATE product_stock SET stock = stock - {orders} WHERE sale_id = {sale};
COMMIT;
"""


def restart(bench, server, fill, forget, orders):
    with server.serving():
        sale = server.open_sale(stock=orders + 1_000)
        token = server.tokens(1, "first").read_text().split()[0]
        wait_until(lambda: server.buy(sale, token)[0] in (201, 202), "the first purchase")
        before_mb = memory_mb(server.pid)["now"]
    fill(sale)
    forget()
    token = server.tokens(1, "late").read_text().split()[0]
    with server.serving(ready_timeout_s=SELLS_TIMEOUT_S):
        wait_until(lambda: server.buy(sale, token)[0] in (201, 202), "a sale with many orders",
                   SELLS_TIMEOUT_S, server.process)
        took_s = time.monotonic() - server.began
        memory = memory_mb(server.pid)
        began = time.monotonic()
        audit = json.loads(server.admin(f"/admin/sales/{sale}/audit"))
        audit_s = time.monotonic() - began
        if not audit["holds"]:
            raise RuntimeError(f"the audit does not hold: {audit}")
    found = {"orders": orders, "sells_s": took_s, "audit_s": audit_s, "peak_mb": memory["peak"],
             "bytes_per_order": (memory["now"] - before_mb) * 1e6 / orders}
    bench.say(f"restart with {orders:,} orders: {took_s:.1f} s, {memory['peak']:.0f} MB at most")
    return found


def embedded(bench, orders):
    folder = bench.folder(f"restart-embedded-{orders}")
    server = Server(bench, folder, {"mode": "embedded"} | bench.extra_settings)

    def fill(sale):
        with sqlite3.connect(folder / "data/sluice.db") as database:
            database.executescript(SQLITE_ROWS.format(sale=sale, orders=orders))
            database.execute("ANALYZE")
        database.close()

    return restart(bench, server, fill, lambda: None, orders)


def services(bench, orders):
    with bench.services.own() as own:
        server = Server(bench, bench.folder(f"restart-services-{orders}"),
                        own.settings | bench.extra_settings)

        def fill(sale):
            own.sql(POSTGRES_ROWS.format(sale=sale, orders=orders), timeout_s=600)

        return restart(bench, server, fill, bench.services.flush_redis, orders)


def measure(bench):
    found = {"embedded": [], "services": []}
    for orders in bench.options.orders:
        found["embedded"].append(embedded(bench, orders))
        found["services"].append(services(bench, orders))
    return found
