"""Nodes that alone do not reach a service: without Postgres a node grants nothing and gives its
partitions away; without Redis it does not lead."""

from concurrent.futures import ThreadPoolExecutor

import figures
from doors import behind_a_door, failing, lanes_of, mode_of, readiness
from test_degradation import buy_until
from test_failpoints import QUICK

STOCK = 40
# Nothing of this is decided by recovery, which could hide a partition that nobody reads.
LONG = {**QUICK, "SLUICE_RECOVERY_OVERDUE_AGE_MS": "60000",
        "SLUICE_RECOVERY_OVERDUE_AGE_MAX_MS": "60000", "SLUICE_ORDERS_DECIDE_WITHIN_MS": "70000"}


def isolated(server):
    return figures.read(server).get("sluice_isolated") == 1


def open_door(server, setting):
    """The way of that server alone to one of its services."""
    door = behind_a_door(server, setting)
    door.open()
    return door


def buy_all(server, sale, users):
    with ThreadPoolExecutor(4) as buyers:
        list(buyers.map(lambda user: buy_until(server, sale, user, (200, 202)), users))


def test_a_node_cut_off_from_postgres_stops_and_comes_back(services):
    cut, other = services(), services(migrated=False)
    door = open_door(cut, "postgres_url")
    cut.start(**LONG)
    other.start(**LONG)
    sale = other.open_sale(stock=STOCK, lanes=4)
    for server in (cut, other):
        server.wait_until(lambda: server.buy(sale, "first").status_code in (200, 202), 10)
    door.close()
    cut.wait_until(lambda: isolated(cut), 30)
    assert not isolated(other)

    refused = cut.buy(sale, "ann")
    assert (refused.status_code, refused.json()["code"]) == (503, "busy")
    assert readiness(cut).status_code == 503
    assert "store" in failing(cut)
    # The other one reads what the partitions of both get.
    users = [f"buyer-{number}" for number in range(STOCK // 2)]
    buy_all(other, sale, users)
    other.wait_until(lambda: len(services.truth.live_orders(sale)) == 1 + len(users), 20)
    # Neither is a fence held up by a node that cannot apply it.
    assert other.admin("POST", f"/admin/sales/{sale}/rebuild", json={"force": False}).ok
    other.wait_until(lambda: all(lane["fence_epoch"] >= 2 and lane["stage"] == "ready"
                                 for lane in lanes_of(other, sale)), 20)

    door.open()
    cut.wait_ready()
    assert not isolated(cut)
    users = [f"late-{number}" for number in range(STOCK // 4)]
    buy_all(cut, sale, users)
    other.wait_until(lambda: len(services.truth.live_orders(sale)) == 1 + STOCK * 3 // 4, 20)


def test_without_postgres_for_anybody_the_nodes_sell_on(services):
    nodes = [services(), services(migrated=False)]
    doors = []
    for node in nodes:
        doors.append(open_door(node, "postgres_url"))
        node.start(**LONG)
    sale = nodes[0].open_sale(stock=STOCK)
    for node in nodes:
        node.wait_until(lambda: node.buy(sale, "first").status_code in (200, 202), 10)
    for door in doors:
        door.close()
    for node in nodes:
        node.wait_until(lambda: "store" in failing(node), 20)
    for number in range(STOCK // 4):
        node = nodes[number % 2]
        buy_until(node, sale, f"buyer-{number}", (200, 202))
        assert not isolated(node)
    for door in doors:
        door.open()
    nodes[0].wait_until(lambda: len(services.truth.live_orders(sale)) == 1 + STOCK // 4, 30)


def leads(server):
    return server.admin("GET", "/admin/mode").json()["leads"]


def test_a_leader_cut_off_from_redis_leaves_the_lead_and_the_others_sell_from_redis(services):
    cut, other = services(), services(migrated=False)
    door = open_door(cut, "redis_url")
    cut.start(**LONG)
    cut.wait_until(lambda: leads(cut))
    other.start(**LONG)
    sale = cut.open_sale(stock=STOCK, lanes=2)
    for server in (cut, other):
        server.wait_until(lambda: server.buy(sale, "first").status_code in (200, 202), 10)
    door.close()
    other.wait_until(lambda: leads(other), 30)
    other.wait_until(lambda: mode_of(other) == "normal", 30)
    cut.wait_until(lambda: readiness(cut).status_code == 503, 30)
    assert not leads(cut)
    buy_all(other, sale, [f"buyer-{number}" for number in range(STOCK // 2)])
    assert all(lane["stage"] == "ready" for lane in lanes_of(other, sale))

    door.open()
    cut.wait_ready()
    buy_all(cut, sale, [f"late-{number}" for number in range(STOCK // 4)])
    other.wait_until(lambda: len(services.truth.live_orders(sale)) == 1 + STOCK * 3 // 4, 20)
    assert leads(other)
