"""After an outage of Redis: how soon what could not be settled meanwhile is settled."""

import statistics
import sys
import threading
import time
from urllib.parse import urlsplit

from lib.processes import wait_until
from lib.server import Server

OUTAGES = 5
BUYERS = 16  # Enough that some order is published and not settled when Redis goes.
AWAY_S = 5
LOAD_S = 1


def measure(bench):
    sys.path.insert(0, str(bench.root / "tests/e2e"))
    from forwarder import Forwarder

    folder = bench.folder("outage")
    with bench.services.own() as own:
        place = urlsplit(own.settings["redis_url"])
        door = Forwarder(place.hostname, place.port)
        door.open()
        url = own.settings["redis_url"].replace(f":{place.port}", f":{door.port}", 1)
        server = Server(bench, folder, own.settings | {"redis_url": url, "log_level": "info"})
        with server.serving():
            sale = server.open_sale(stock=100_000)
            tokens = server.tokens(100_000, "o").read_text().split()
            times = [outage(server, door, sale, tokens) for _ in range(OUTAGES)]
    found = {"away_s": AWAY_S, "times_ms": times, "median_ms": statistics.median(times),
             "max_ms": max(times)}
    bench.say(f"outage: settled {found['median_ms']:.0f} ms after Redis was back (median)")
    return found


def outage(server, door, sale, tokens):
    """Milliseconds from the end of one outage under load to the first settlement of its orders."""
    log = server.folder / "server.log"

    def lines(of):
        return log.read_text().count(of)

    stop = threading.Event()

    def buy():
        while not stop.is_set() and tokens:
            server.buy(sale, tokens.pop())

    buyers = [threading.Thread(target=buy, daemon=True) for _ in range(BUYERS)]
    for buyer in buyers:
        buyer.start()
    unsettled = lines("fulfilment.inventory.settle fails")
    time.sleep(LOAD_S)
    door.close()
    wait_until(lambda: lines("fulfilment.inventory.settle fails") > unsettled,
               "an order that cannot be settled", 2 * AWAY_S)
    stop.set()
    for buyer in buyers:
        buyer.join()
    time.sleep(AWAY_S)
    settled = lines("fulfilment.inventory.settle works again")
    began = time.monotonic()
    door.open()
    wait_until(lambda: lines("fulfilment.inventory.settle works again") > settled,
               "a settlement", 30)
    took_ms = (time.monotonic() - began) * 1000
    wait_until(lambda: server.buy(sale, tokens.pop())[0] == 202,
               "a purchase that is logged, not sold by the store", 60)
    return took_ms
