"""Each step between two systems, made to fail in each way that it can: after that, and after a
restart where the server died, there is one order, and the stores agree to the unit."""

import time

import pytest
import requests

from doors import lanes_of
from payments import HOUR_MS, buy_confirmed, cancel, check_all, shop
from sluice import FAILPOINT_BINARY

STOCK = 5
QUICK = {"SLUICE_PURCHASE_PUBLISH_TIMEOUT_MS": "500", "SLUICE_PURCHASE_ANSWER_TIMEOUT_MS": "1500",
         "SLUICE_RECOVERY_OVERDUE_AGE_MS": "1500", "SLUICE_RECOVERY_TICK_MS": "200",
         "SLUICE_RECOVERY_LEASE_MS": "1000",
         # A consumer that died is missed for this long; the broker allows no less.
         "SLUICE_KAFKA_SESSION_TIMEOUT_MS": "6000"}
QUICK_WAYS = ["error", "lost", "duplicate", "kill"]
WAYS = [*QUICK_WAYS, "stall"]


def faults(steps, ways=WAYS):
    """Every way for a step itself, and a death right after the service has done it."""
    every = []
    for step in steps:
        every += [(step, way) for way in ways]
        every.append((step + ".done", "kill"))
    return every


def start_again_if_dead(server):
    if server.process.poll() is None:
        return
    assert server.wait_end() == -9
    server.start(**QUICK)


def buy_until_definite(server, sale, user, patience_s=60):
    """Asks as a buyer's client does, whatever happens to the server meanwhile."""
    answer = until_answered(server, lambda: server.buy(sale, user), patience_s)
    assert answer.status_code in (200, 201, 202), answer.text
    return answer.json()


def check_rest(services, server, sale, users):
    """At rest: one confirmed order for each user, known by the same id to all stores."""
    wait_for(server, lambda: (set(services.truth.live_orders(sale).values()) == set(users)
                              and services.projection.pending(sale) == 0), 60)
    services.truth.check_conservation(sale)
    live = services.truth.live_orders(sale)
    assert services.projection.winners(sale) == {user: order for order, user in live.items()}
    left = STOCK - len(users)
    assert services.truth.stock(sale) == services.projection.stock(sale) == left


def open_and_arm(services, failpoint):
    """A server with an open sale, then the same with the failpoint, which spares the opening."""
    server = services(binary=FAILPOINT_BINARY).start(**QUICK)
    sale = server.open_sale(stock=STOCK)
    server.terminate()
    return server.start(SLUICE_FAILPOINT=failpoint, **QUICK), sale


def until_answered(server, ask, patience_s=30):
    """The answer that is no passing refusal, by a server that is started again when it dies."""
    until = time.monotonic() + patience_s
    while True:
        try:
            answer = ask()
            if answer.status_code != 503:
                return answer
        except requests.RequestException:
            start_again_if_dead(server)
        assert time.monotonic() < until, f"no answer\n{server.log_text()}"
        time.sleep(0.02)


def wait_for(server, holds, patience_s=30):
    """Until `holds()`, by a server that is started again when it dies."""
    until = time.monotonic() + patience_s
    while True:
        start_again_if_dead(server)
        try:
            if holds():
                return
        except requests.RequestException:
            pass
        assert time.monotonic() < until, f"not in time\n{server.log_text()}"
        time.sleep(0.02)


@pytest.mark.parametrize("step,way", faults(["http.inventory.reserve", "http.queue.publish",
                                             "fulfilment.store.apply",
                                             "fulfilment.inventory.settle"]))
def test_a_purchase_that_goes_wrong(services, step, way):
    server, sale = open_and_arm(services, f"{step}={way}")
    first = buy_until_definite(server, sale, "alice")
    check_rest(services, server, sale, ["alice"])
    # The stores may be at rest a moment before the server dies of it.
    again = until_answered(server, lambda: server.buy(sale, "alice"))
    assert again.status_code == 200
    assert again.json()["order_id"] == first["order_id"]
    assert again.json()["status"] == "confirmed"
    buy_until_definite(server, sale, "bob")
    check_rest(services, server, sale, ["alice", "bob"])


@pytest.mark.parametrize("step,way", faults(["http.store.apply"], QUICK_WAYS))
def test_a_bypass_that_goes_wrong(services, step, way):
    server, sale = open_and_arm(services, f"{step}={way}")
    held = server.admin("POST", "/admin/mode", json={"mode": "bypass"})
    assert held.status_code == 200, held.text
    buy_until_definite(server, sale, "alice")
    check_rest(services, server, sale, ["alice"])


@pytest.mark.parametrize("step,way", faults(["control.store.next_epoch", "control.inventory.close",
                                             "control.store.apply", "control.queue.fence",
                                             "control.inventory.rebuild"], QUICK_WAYS))
def test_a_rebuild_that_goes_wrong(services, step, way):
    server, sale = open_and_arm(services, f"{step}={way}")
    buy_until_definite(server, sale, "alice")
    try:
        asked = server.admin("POST", f"/admin/sales/{sale}/rebuild", json={"force": False})
        assert asked.status_code == 202, asked.text
    except requests.RequestException:
        pass  # the leader may die of the rebuild before it answers

    wait_for(server, lambda: any(lane["fence_epoch"] >= 2 and lane["stage"] == "ready"
                                 for lane in lanes_of(server, sale)), 60)
    buy_until_definite(server, sale, "bob")
    check_rest(services, server, sale, ["alice", "bob"])


# Of the leader: what it hands to the inventory after a cancellation, and before that the expiry.
RELAY = ["control.store.outbox", "control.inventory.settle", "control.store.relayed"]
EXPIRY = ["control.store.due", "control.store.move"]


def buy_and_arm(services, failpoint):
    """A sale that Alice's order sells out, then a server with the failpoint, which spares it. Both
    bypass Kafka, whose consumers would be missed for long after a death."""
    server = services(binary=FAILPOINT_BINARY).start(**QUICK)
    held = server.admin("POST", "/admin/mode", json={"mode": "bypass"})
    assert held.status_code == 200, held.text
    sale = server.open_sale(stock=1, pay_within_ms=HOUR_MS)
    order = buy_confirmed(server, sale, "alice")["order_id"]
    server.terminate()
    return server.start(wait_ready=False, SLUICE_FAILPOINT=failpoint, **QUICK), sale, order


def check_returned(services, server, sale, order, status):
    """The unit came back once: it is sold once more, and no other is."""
    wait_for(server, lambda: services.truth.status_of(sale)[order] == status)
    wait_for(server, lambda: services.truth.outbox(sale) == [])
    assert services.projection.stock(sale) == services.truth.stock(sale) == 1
    assert services.projection.winners(sale) == {}
    shown = until_answered(server, lambda: server.order(sale, order, "alice"))
    assert shown.json()["status"] == status
    paid_later = buy_confirmed(server, sale, "bob")["order_id"]
    assert server.buy(sale, "cid").json()["code"] == "sold_out_for_now"
    shop(server, "pay", sale, paid_later, "bob")
    check_all(services, server, sale, **{status: 1, "paid": 1})


@pytest.mark.parametrize("step,way", faults(["http.store.move", *RELAY], QUICK_WAYS))
def test_a_cancellation_that_goes_wrong(services, step, way):
    # Where the node that took the cancellation does not settle it, all depends on the relay.
    alone = ",http.look_ups.settle=error" if step.startswith("control") else ""
    server, sale, order = buy_and_arm(services, f"{step}={way}{alone}")
    armed = server.process
    answer = until_answered(server, lambda: cancel(server, sale, order, "alice"))
    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled"), answer.text
    check_returned(services, server, sale, order, "cancelled")
    assert (server.process is not armed) == (way == "kill"), "the failpoint was not passed"


@pytest.mark.parametrize("step,way", faults(EXPIRY, QUICK_WAYS))
def test_an_expiry_that_goes_wrong(services, step, way):
    server, sale, order = buy_and_arm(services, f"{step}={way}")
    armed = server.process
    services.truth.execute("UPDATE orders SET pay_by = now()")
    check_returned(services, server, sale, order, "expired")
    assert (server.process is not armed) == (way == "kill"), "the failpoint was not passed"


def test_look_ups_that_fail_do_not_refuse_a_purchase(services):
    server, sale = open_and_arm(services, "http.look_ups.find=error@1+")
    order = buy_until_definite(server, sale, "alice")["order_id"]
    # More than open a breaker; the store answers where the projection does not.
    for _ in range(60):
        assert until_answered(server, lambda: server.order(sale, order, "alice")).status_code == 200
    for user in ("bob", "cid"):
        answer = server.buy(sale, user)
        assert answer.status_code == 202, answer.text
    check_rest(services, server, sale, ["alice", "bob", "cid"])
