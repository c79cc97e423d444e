"""Redis fails over to a replica that had fallen behind: what it lacks is not sold again."""

import pytest

import stores
from campaigns.services import Redis, free_ports
from doors import behind_a_door, lanes_of
from test_degradation import buy_until, check_all
from test_failpoints import QUICK

STOCK = 6


@pytest.fixture
def pair(folder):
    """(primary, replica), which follows."""
    primary_port, replica_port = free_ports(2)
    primary = Redis(folder / "primary" / "data", primary_port)
    replica = Redis(folder / "replica" / "data", replica_port)
    try:
        primary.start()
        replica.start()
        primary.client.config_set("repl-diskless-sync-delay", 0)
        replica.client.replicaof("127.0.0.1", primary_port)
        yield primary, replica
    finally:
        primary.kill()
        replica.kill()


def stop_following(replica):
    """Its picture stays as it is, while it is still a replica of the same history."""
    nowhere, = free_ports(1)
    replica.client.replicaof("127.0.0.1", nowhere)


def fail_over(door, primary, replica):
    door.close()
    primary.kill()
    replica.client.replicaof("NO", "ONE")
    door.target = ("127.0.0.1", replica.port)
    door.open()


def test_a_stale_replica_is_not_believed(services, pair):
    primary, replica = pair
    server = services()
    server.environment["SLUICE_REDIS_URL"] = primary.url
    door = behind_a_door(server, "redis_url")
    door.open()
    # An idle fulfilment finds its connection lost with its first batch: recovery settles it.
    server.start(**QUICK)
    sale = server.open_sale(stock=STOCK)
    orders = {"ann": buy_until(server, sale, "ann", (202,))["order_id"]}
    services.projection = stores.Redis(primary.url)
    server.wait_until(lambda: services.projection.pending(sale) == 0, 20)
    # WAIT waits for what was written before its own connection's last command.
    primary.client.ping()
    assert primary.client.wait(1, 10_000) == 1
    stop_following(replica)

    orders["bob"] = buy_until(server, sale, "bob", (202,))["order_id"]
    server.wait_until(lambda: services.projection.pending(sale) == 0, 20)
    orders["cid"] = buy_until(server, sale, "cid", (202,))["order_id"]
    stale = stores.Redis(replica.url)
    assert (stale.stock(sale), set(stale.winners(sale))) == (STOCK - 1, {"ann"})
    fail_over(door, primary, replica)

    services.projection = stale
    server.wait_until(lambda: lanes_of(server, sale)[0]["fence_epoch"] >= 2, 30)
    server.wait_until(lambda: lanes_of(server, sale)[0]["stage"] == "ready", 30)
    for user, order in orders.items():
        assert buy_until(server, sale, user, (200,))["order_id"] == order
    for number in range(STOCK - len(orders)):
        buy_until(server, sale, f"late-{number}", (202,))
    refused = server.buy(sale, "too-late")
    assert refused.status_code == 409, refused.text
    check_all(services, server, sale, sold=STOCK)
