"""The same rush alone and beside something else: polls of orders, or the shop's payments."""

import contextlib
import math
import time
from statistics import median

from lib import load, orders
from lib.server import SECRETS, Server

POLL_CONNECTIONS = 512
PAY_CONNECTIONS = 128  # Fewer than `admin.connections_max`.
BESIDE_START_S = 1     # The other load is under way before the rush begins.
PAID_IN_MS = 3_600_000
# Payments last so many times longer than the rush alone, so that they do not end before it.
PAYMENTS_SPARE = 3
BUY_ATTEMPTS = 5


class Bought:
    """Orders of users with tokens, all decided."""

    def __init__(self, server, truth, count, prefix, rate=None, **terms):
        self.server = server
        self.sale = server.open_sale(stock=count, **terms)
        tokens = server.tokens(count, prefix)
        # Whoever was refused on a busy machine asks again; the others are told their order.
        for _ in range(BUY_ATTEMPTS):
            seen = orders.buy(server.bench, server, self.sale, tokens, rate)
            orders.wait_for_rows(truth, self.sale, seen["accepted"])
            if not seen["refused"]:
                break
        else:
            raise RuntimeError(f"not every purchase was accepted: {seen}")
        rows = truth.own.sql("SELECT user_id, order_id FROM orders "
                             f"WHERE sale_id = {self.sale}").splitlines()
        self.orders = dict(row.split("|") for row in rows)
        self.tokens = {f"{prefix}{i}": token
                       for i, token in enumerate(tokens.read_text().split(), start=1)}

    def file(self, name, lines):
        path = self.server.folder / name
        path.write_text("\n".join(lines) + "\n")
        path.chmod(0o600)
        return path


class Rush:
    """The same users buy, each once, in a new sale each time."""

    def __init__(self, server, truth, users, rate=None):
        self.server, self.truth, self.rate = server, truth, rate
        self.users = users
        self.tokens = server.tokens(users, f"rush{users}x")

    def go(self):
        sale = self.server.open_sale(stock=self.users)
        seen = orders.buy(self.server.bench, self.server, sale, self.tokens, self.rate)
        orders.wait_for_rows(self.truth, sale, seen["accepted"])
        seen["durable_per_s"] = seen["accepted"] / self.truth.span_s(sale)
        return seen


@contextlib.contextmanager
def serving(bench, name):
    with bench.services.own() as own:
        threads = {"http_threads": bench.options.http_threads}
        server = Server(bench, bench.folder(name), own.settings | threads | bench.extra_settings)
        with server.serving():
            yield server, orders.Postgres(own)


def warm_and_full(bench, server, truth):
    """Durable orders a second at full rate, when every connection was used before."""
    Rush(server, truth, min(5_000, bench.options.users)).go()
    return Rush(server, truth, bench.options.users).go()["durable_per_s"]


def pairs(bench, rush, beside):
    """The rush alone and beside what `beside(number)` starts, in turn."""
    alone, together, others = [], [], []
    for number in range(bench.options.pairs):
        alone.append(rush.go())
        with beside(number) as other:
            time.sleep(BESIDE_START_S)
            together.append(rush.go())
        others.append(other.seen)
        bench.say(f"pair {number + 1}: p99 {alone[-1]['p99_ms']:.1f} and "
                  f"{together[-1]['p99_ms']:.1f} ms, {alone[-1]['durable_per_s']:.0f} and "
                  f"{together[-1]['durable_per_s']:.0f} durable orders/s")
    return {"alone": alone, "together": together, "others": others,
            "other_per_s": median(one["accepted"] / one["seconds"] for one in others),
            "other_refused": sum(one["refused"] for one in others),
            "rush_refused": sum(one["refused"] for one in alone + together)}


def middle(rushes, key):
    return median(one[key] for one in rushes)


def polls(bench):
    options = bench.options
    with serving(bench, "polls") as (server, truth):
        bought = Bought(server, truth, options.pollers, "poll")
        path = server.path(bought.sale)
        lines = bought.file("polls", (f"{bought.tokens[user]} {path}/{order}"
                                      for user, order in bought.orders.items()))
        rate = options.rate or warm_and_full(bench, server, truth) / 2
        rush = Rush(server, truth, max(1, int(rate * options.open_loop_seconds)), rate)
        arguments = load.command(bench, server.port, lines, connections=POLL_CONNECTIONS,
                                 rate=options.poll_rate, options=["--get", "--again"])
        rush.go()
        found = pairs(bench, rush, lambda number: load.Beside(arguments,
                                                              server.folder / f"polls{number}"))
    found |= {"rush_per_s": rate, "asked_per_s": options.poll_rate,
              "alone_p99_ms": middle(found["alone"], "p99_ms"),
              "together_p99_ms": middle(found["together"], "p99_ms")}
    found["ratio"] = found["together_p99_ms"] / found["alone_p99_ms"]
    return found


def payments(bench):
    options = bench.options
    with serving(bench, "payments") as (server, truth):
        full = warm_and_full(bench, server, truth)
        seconds = BESIDE_START_S + PAYMENTS_SPARE * options.users / full
        each = math.ceil(options.payment_rate * seconds)
        bought = Bought(server, truth, each * options.pairs, "pay", full / 2,
                        pay_within_ms=PAID_IN_MS)
        lines = [f"{SECRETS['SLUICE_ADMIN_KEY']} /admin/sales/{bought.sale}/orders/{order}/pay "
                 f'{{"user":"{user}"}}' for user, order in bought.orders.items()]

        def pay(number):
            part = bought.file(f"pay{number}", lines[number * each:(number + 1) * each])
            arguments = load.command(bench, server.admin_port, part, connections=PAY_CONNECTIONS,
                                     rate=options.payment_rate)
            return load.Beside(arguments, server.folder / f"paid{number}")

        found = pairs(bench, Rush(server, truth, options.users), pay)
    if any(one["users"] == each for one in found["others"]):
        raise RuntimeError(f"{each} payments ended before the rush: {found['others']}")
    found |= {"asked_per_s": options.payment_rate,
              "payment_p99_ms": middle(found["others"], "p99_ms"),
              "alone_per_s": middle(found["alone"], "durable_per_s"),
              "together_per_s": middle(found["together"], "durable_per_s")}
    found["loss"] = 1 - found["together_per_s"] / found["alone_per_s"]
    return found
