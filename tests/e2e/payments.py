"""What buyers and the shop do with a confirmed order, and what must hold afterwards."""

import time

import requests

from doors import lanes_of

HOUR_MS = 3_600_000


def cancel(server, sale, order, user):
    """As its owner."""
    return requests.post(f"{server.url}/v1/sales/{sale}/orders/{order}/cancel",
                         headers=server.bearer(user), timeout=30)


def shop(server, verb, sale, order, user):
    """As the shop's payment service: pay or cancel."""
    return server.admin("POST", f"/admin/sales/{sale}/orders/{order}/{verb}", json={"user": user})


def mine(server, sale, user):
    return server.order(sale, "mine", user)


def buy_confirmed(server, sale, user, quantity=1, patience_s=30):
    """The order as its look-up shows it once it is confirmed. Refusals that pass are sat out."""
    until = time.monotonic() + patience_s
    while time.monotonic() < until:
        bought = server.buy(sale, user, quantity)
        if bought.status_code in (200, 201, 202):
            order = server.order(sale, bought.json()["order_id"], user, wait_ms=1000)
            if order.status_code == 200 and order.json()["status"] == "confirmed":
                return order.json()
        else:
            retryable = bought.status_code == 503 or bought.json()["code"] == "sold_out_for_now"
            assert retryable, bought.text
        time.sleep(0.02)
    raise AssertionError(f"{user} got no confirmed order\n{server.log_text()}")


def until_accepted(ask, timeout_s=20):
    """The answer that is no passing refusal."""
    until = time.monotonic() + timeout_s
    while True:
        answer = ask()
        if answer.status_code != 503:
            return answer
        assert time.monotonic() < until, answer.text
        time.sleep(0.05)


def wait_for_status(server, sale, order, user, status, timeout_s=30):
    """The order once it has that status."""
    shown = {}

    def reached():
        shown.clear()
        shown.update(server.order(sale, order, user).json())
        return shown.get("status") == status

    server.wait_until(reached, timeout_s)
    return shown


def check_all(stores, server, sale, **statuses):
    """At rest every returned unit is in the inventory once, and the orders are as expected. Ends an
    embedded server, whose file is then read."""
    def at_rest():
        lanes = lanes_of(server, sale)
        return lanes and all(lane["stage"] == "ready" and lane["drift"] == lane["returning"] == 0
                             and lane["inventory"]["pending"] == 0 for lane in lanes)

    server.wait_until(at_rest, 30)
    audit = server.admin("GET", f"/admin/sales/{sale}/audit").json()
    assert audit["holds"], audit
    stock = sum(lane["inventory"]["stock"] for lane in audit["lanes"])
    if not hasattr(stores, "projection"):
        assert server.terminate() == 0
    stores.truth.check_conservation(sale)
    assert stores.truth.outbox(sale) == []
    assert stores.truth.statuses(sale) == statuses
    assert stores.truth.stock(sale) == stock
    if hasattr(stores, "projection"):
        lanes = range(len(audit["lanes"]))
        assert sum(stores.projection.stock(sale, lane) for lane in lanes) == stock
        winners = {user: order for lane in lanes
                   for user, order in stores.projection.winners(sale, lane).items()}
        live = stores.truth.live_orders(sale)
        assert winners == {user: order for order, user in live.items()}
