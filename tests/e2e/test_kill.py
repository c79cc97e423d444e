"""kill -9 in the middle: after a restart, nothing acknowledged is lost and nothing is sold twice."""

import threading
import time

import pytest

from sluice import FAILPOINT_BINARY, Crowd

BUYERS = [f"user-{i}" for i in range(6_000)]
STOCK = 2_000


def rush_with_kills(server, sale, kills):
    """A rush during which the server is killed and started again; buyers ask on meanwhile."""
    crowd = Crowd(server, sale)
    rush = threading.Thread(target=crowd.run, args=(BUYERS,), kwargs={"repeats": 2})
    rush.start()
    for _ in range(kills):
        time.sleep(0.7)
        server.kill()
        server.start(wait_ready=False)
    rush.join()
    return crowd


def check_promises(crowd, truth, sale):
    """Whoever was promised an order has exactly that one, and everything was sold."""
    assert set(crowd.answers) == set(BUYERS)
    live = truth.live_orders(sale)
    assert len(live) == STOCK and truth.stock(sale) == 0
    for user, order in crowd.holders().items():
        assert live.get(order) == user, f"{user} was promised {order}"
    truth.check_conservation(sale)


def test_embedded_server_killed_in_a_rush(embedded):
    server = embedded().start(SLUICE_RECOVERY_OVERDUE_AGE_MS="3500")
    sale = server.open_sale(stock=STOCK)
    crowd = rush_with_kills(server, sale, kills=3)
    assert crowd.silence > 0, "no kill fell into the rush"
    server.wait_ready()
    server.terminate()
    check_promises(crowd, embedded.truth, sale)


def test_services_server_killed_in_a_rush(services):
    server = services().start()
    sale = server.open_sale(stock=STOCK)
    crowd = rush_with_kills(server, sale, kills=3)
    assert crowd.silence > 0, "no kill fell into the rush"
    server.wait_until(lambda: services.projection.pending(sale) == 0)
    check_promises(crowd, services.truth, sale)
    assert services.projection.stock(sale) == 0
    live = services.truth.live_orders(sale)
    assert services.projection.winners(sale) == {user: order for order, user in live.items()}


def buy_until_dead(server, sale):
    with pytest.raises(Exception):
        server.buy(sale, "alice")
    assert server.wait_end() == -9


@pytest.mark.parametrize("where,sold", [("http.store.apply", 0),
                                        ("http.store.apply.done", 1)])
def test_embedded_killed_around_the_commit(embedded, where, sold):
    server = embedded(binary=FAILPOINT_BINARY)
    server.start()
    sale = server.open_sale(stock=5)
    server.terminate()

    server.start(SLUICE_FAILPOINT=f"{where}=kill")
    buy_until_dead(server, sale)
    assert len(embedded.truth.live_orders(sale)) == sold

    server.start()
    again = server.buy(sale, "alice")
    assert again.status_code == (200 if sold else 201)
    server.terminate()
    assert list(embedded.truth.live_orders(sale).items()) == [(again.json()["order_id"], "alice")]
    assert embedded.truth.stock(sale) == 4
