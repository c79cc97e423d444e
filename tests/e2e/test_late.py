"""An order that comes behind its lane's fence is not lost: it gets its unit from the new lane."""

from concurrent.futures import ThreadPoolExecutor

import figures
from doors import lanes_of
from sluice import FAILPOINT_BINARY
from test_failpoints import QUICK

STOCK = 3
# For five seconds before the message leaves, the thread that sells does nothing.
STALLED = {"SLUICE_FAILPOINT": "http.queue.publish=stall@2", "SLUICE_HTTP_THREADS": "1",
           "SLUICE_PURCHASE_PUBLISH_TIMEOUT_MS": "9000",
           "SLUICE_PURCHASE_ANSWER_TIMEOUT_MS": "20000",
           "SLUICE_RECOVERY_OVERDUE_AGE_MS": "15000", "SLUICE_ORDERS_DECIDE_WITHIN_MS": "20000"}


def lane_of(server, sale):
    lane, = lanes_of(server, sale) or [{"stage": "", "fence_epoch": 0}]
    return lane


def stock_of(server, sale):
    return (lane_of(server, sale).get("inventory") or {}).get("stock")


def test_an_order_logged_behind_a_fence_keeps_its_unit(services, own_redis):
    server = services(binary=FAILPOINT_BINARY).start(**{**QUICK, **STALLED})
    sale = server.open_sale(stock=STOCK)
    first = server.buy(sale, "ann")
    assert first.status_code == 202, first.text
    server.wait_until(lambda: len(services.truth.live_orders(sale)) == 1, 30)
    epoch = lane_of(server, sale)["fence_epoch"]

    with ThreadPoolExecutor(1) as buyers:
        buying = buyers.submit(server.buy, sale, "bob")
        server.wait_until(lambda: services.projection.pending(sale) == 1, 10)
        own_redis.flush()
        server.wait_until(lambda: lane_of(server, sale)["fence_epoch"] > epoch
                          and stock_of(server, sale) == STOCK - 1, 20)
        answer = buying.result()
    assert answer.status_code == 202, answer.text
    order = answer.json()["order_id"]
    state = server.order(sale, order, "bob", wait_ms=10_000).json()
    assert state["status"] == "confirmed", state
    figure = figures.read(server)
    assert figure.get("sluice_orders_parked_total") == 1
    assert figure.get("sluice_late_orders_adopted_total") == 1

    server.wait_until(lambda: services.projection.pending(sale) == 0, 30)
    assert set(services.truth.live_orders(sale).values()) == {"ann", "bob"}
    assert services.truth.stock(sale) == services.projection.stock(sale) == STOCK - 2
    assert services.projection.winners(sale)["bob"] == order
    assert server.buy(sale, "bob").json()["order_id"] == order
