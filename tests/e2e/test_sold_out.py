"""A node knows the winners of a lane that is sold out: it refuses by itself, and nobody else
waits."""

import figures
from sluice import FAILPOINT_BINARY

STOCK = 40


def views(server, **labels):
    return figures.read(server).get("sluice_sold_out_lanes", **labels)


def calls(server, call):
    return figures.read(server).get("sluice_dependency_seconds_count", service="redis", call=call)


def sell_out(server):
    sale = server.open_sale(stock=STOCK)
    for i in range(STOCK):
        assert server.buy(sale, f"winner-{i}").status_code in (201, 202)
    assert server.buy(sale, "loser").status_code == 409
    return sale


def test_losers_cost_no_call_and_winners_reach_their_orders(services):
    server = services().start(SLUICE_PURCHASE_SOLD_OUT_FRESH_MS="60000")
    sale = sell_out(server)
    server.wait_until(lambda: views(server, winners="complete") == 1, 20)
    assert figures.read(server).get("sluice_sold_out_winners") == STOCK
    before = calls(server, "reserve")
    for i in range(50):
        assert server.buy(sale, f"late-{i}").status_code == 409
    assert calls(server, "reserve") == before
    for i in range(STOCK):
        assert server.buy(sale, f"winner-{i}").status_code == 200
    assert calls(server, "reserve") > before
    names = [client["name"] for client in services.projection.client.client_list()]
    assert len([name for name in names if name.endswith(".winners")]) == 1, names
    assert server.admin("POST", f"/admin/sales/{sale}/close").status_code == 200
    server.wait_until(lambda: figures.read(server).get("sluice_sold_out_winners") == 0, 20)


def test_winners_that_cannot_be_read_harm_no_purchase(services):
    server = services(binary=FAILPOINT_BINARY).start(
        SLUICE_FAILPOINT="views.inventory.winners=error@1+")
    sale = sell_out(server)
    server.wait_until(lambda: "views.inventory.winners fails" in server.log_text(), 20)
    other = server.open_sale(stock=STOCK)
    for i in range(STOCK):
        refused = server.buy(sale, f"late-{i}")
        assert refused.status_code == 409, "the lane is asked"
        assert server.buy(other, f"buyer-{i}").status_code in (201, 202)
        assert server.buy(sale, f"winner-{i}").status_code == 200
    assert views(server, winners="complete") == 0
