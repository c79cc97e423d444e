"""A service goes away and comes back: the sale goes on in another mode, and nothing is lost."""

import time

import pytest
import requests

from doors import behind_a_door, failing, lanes_of, mode_of
from payments import until_accepted
from sluice import Crowd

QUICK = {"SLUICE_RECOVERY_RESTORE_AFTER_MS": "1000"}


def buy_until(server, sale, user, statuses, timeout_s=20):
    """What the buyer was answered at last."""
    answer = until_accepted(lambda: server.buy(sale, user), timeout_s)
    assert answer.status_code in statuses, f"{answer.text}\n{server.log_text()}"
    return answer.json()


def check_all(services, server, sale, sold):
    server.wait_until(lambda: services.projection.pending(sale) == 0, 30)
    services.truth.check_conservation(sale)
    assert len(services.truth.live_orders(sale)) == sold
    assert services.projection.stock(sale) == services.truth.stock(sale)
    assert set(services.projection.winners(sale)) == set(services.truth.live_orders(sale).values())
    # While a service comes back there may be no audit yet.
    audit = until_accepted(lambda: server.admin("GET", f"/admin/sales/{sale}/audit"), 20).json()
    assert audit["holds"], audit


def test_without_redis_the_store_sells_and_redis_takes_over_again(services):
    server = services()
    door = behind_a_door(server, "redis_url")
    door.open()
    server.start(**QUICK)
    sale = server.open_sale(stock=5)
    before = buy_until(server, sale, "ann", (202,))

    door.close()
    confirmed = buy_until(server, sale, "bob", (201,))
    assert confirmed["status"] == "confirmed"
    assert requests.get(f"{server.url}/readyz", timeout=5).status_code == 200
    assert "inventory" in failing(server)
    assert mode_of(server) == "database"
    assert lanes_of(server, sale)[0]["authority"] == "store"
    again = buy_until(server, sale, "ann", (200,))
    assert again["order_id"] == before["order_id"], "the log was applied before the store sold"

    door.open()
    server.wait_until(lambda: mode_of(server) == "normal", 20)
    buy_until(server, sale, "cid", (202,))
    for user in ("ann", "bob", "cid"):
        buy_until(server, sale, user, (200,))
    check_all(services, server, sale, sold=3)


def test_in_database_mode_the_last_units_are_sold_once(services):
    server = services().start()
    sale = server.open_sale(stock=2)
    server.admin("POST", "/admin/mode", json={"mode": "database"})
    server.wait_until(lambda: mode_of(server) == "database", 20)
    assert [server.buy(sale, f"user-{i}").status_code for i in range(2)] == [201, 201]
    refused = server.buy(sale, "late")
    assert (refused.status_code, refused.json()["code"]) == (409, "sold_out")
    assert server.buy(sale, "user-0").status_code == 200
    assert len(services.truth.live_orders(sale)) == 2
    services.truth.check_conservation(sale)


def test_a_held_bypass_writes_to_the_store_at_once(services):
    server = services().start()
    sale = server.open_sale(stock=5)
    held = server.admin("POST", "/admin/mode", json={"mode": "bypass"})
    assert held.status_code == 200 and held.json()["held"] == "bypass"
    first = buy_until(server, sale, "ann", (201,))
    assert services.projection.winners(sale)["ann"] == first["order_id"], "Redis still reserves"
    server.admin("POST", "/admin/mode", json={"mode": "auto"})
    buy_until(server, sale, "bob", (202,))
    server.wait_until(lambda: len(services.truth.live_orders(sale)) == 2, 20)
    check_all(services, server, sale, sold=2)


def test_without_postgres_orders_queue_and_are_decided_when_it_is_back(services):
    server = services()
    door = behind_a_door(server, "postgres_url")
    door.open()
    server.start()
    sale = server.open_sale(stock=50)
    door.close()
    server.wait_until(lambda: "store" in failing(server), 20)
    queued = [buy_until(server, sale, f"user-{i}", (202,)) for i in range(20)]
    assert {order["status"] for order in queued} == {"queued"}
    assert requests.get(f"{server.url}/readyz", timeout=5).status_code == 200
    assert not services.truth.live_orders(sale)
    door.open()
    server.wait_until(lambda: len(services.truth.live_orders(sale)) == 20, 30)
    assert set(services.truth.live_orders(sale)) == {order["order_id"] for order in queued}
    check_all(services, server, sale, sold=20)


SLOW_ROWS = """
    CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
      'BEGIN PERFORM pg_sleep(0.01); RETURN NULL; END';
    CREATE TRIGGER slow AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION slow()"""


def test_a_postgres_that_is_slow_makes_buyers_wait_and_loses_nothing(services):
    server = services().start(SLUICE_DEGRADE_LAG_SLOW_WAIT_MS="500")
    sale = server.open_sale(stock=1_000_000)
    services.truth.execute(SLOW_ROWS)
    crowd = Crowd(server, sale)
    until = time.monotonic() + 20
    while not any(body.get("backlogged") for _, body in answers_of(crowd)):
        assert time.monotonic() < until, "nobody was told of the backlog"
        crowd.run([f"user-{len(crowd.answers) + i}" for i in range(20)], repeats=1, patience_s=1)
    behind = [body for status, body in answers_of(crowd) if body.get("backlogged")]
    assert all(body["status"] == "queued" for body in behind)
    services.truth.execute("DROP TRIGGER slow ON orders")
    holders = crowd.holders()
    server.wait_until(lambda: len(services.truth.live_orders(sale)) == len(holders), 60)
    assert services.truth.statuses(sale) == {"confirmed": len(holders)}
    check_all(services, server, sale, sold=len(holders))


def answers_of(crowd):
    return [answer for answers in crowd.answers.values() for answer in answers]


def test_an_operators_rebuild_loses_nothing(services):
    server = services().start()
    sale = server.open_sale(stock=500)
    orders = {}
    for turn in range(3):
        for i in range(20):
            user = f"user-{turn}-{i}"
            orders[user] = buy_until(server, sale, user, (202,))
        asked = server.admin("POST", f"/admin/sales/{sale}/rebuild", json={"force": False})
        assert asked.status_code == 202
        server.wait_until(lambda n=turn + 2: lanes_of(server, sale)[0]["fence_epoch"] == n, 20)
        server.wait_until(lambda: lanes_of(server, sale)[0]["stage"] == "ready", 20)
    server.wait_until(lambda: len(services.truth.live_orders(sale)) == len(orders), 20)
    check_all(services, server, sale, sold=len(orders))
    assert services.truth.statuses(sale) == {"confirmed": len(orders)}


@pytest.mark.parametrize("damage", ["units", "record"])
def test_a_projection_that_lies_is_found_out_and_rebuilt(services, damage):
    server = services().start(SLUICE_RECOVERY_AUDIT_EVERY_MS="300")
    sale = server.open_sale(stock=3)
    buy_until(server, sale, "ann", (202,))
    server.wait_until(lambda: services.projection.pending(sale) == 0, 20)
    if damage == "units":
        services.projection.client.hincrby(f"seckill:stock:{{{sale}:0}}", "units", 7)
    else:
        services.projection.client.hdel(f"seckill:success:{{{sale}:0}}", "ann")
        again = server.buy(sale, "ann")
        assert again.status_code == 202, "the projection forgot her"
    server.wait_until(lambda: lanes_of(server, sale)[0]["fence_epoch"] >= 2, 20)
    server.wait_until(lambda: lanes_of(server, sale)[0]["stage"] == "ready", 20)
    check_all(services, server, sale, sold=1)
    assert server.buy(sale, "ann").status_code == 200
