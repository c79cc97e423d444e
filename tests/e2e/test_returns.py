"""After the confirmation: orders are paid, cancelled or expire, and the units of those that end are
sold again, each once, whatever fails meanwhile."""

import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest
import requests

from doors import behind_a_door, failing, lanes_of, mode_of
from payments import (HOUR_MS, buy_confirmed, cancel, check_all, mine, shop, until_accepted,
                      wait_for_status)
from sluice import FAILPOINT_BINARY, Sluice, free_settings

QUICK = {"SLUICE_RECOVERY_TICK_MS": "200", "SLUICE_RECOVERY_RESTORE_AFTER_MS": "1000",
         "SLUICE_RECOVERY_LEASE_MS": "2000", "SLUICE_RECOVERY_OVERDUE_AGE_MS": "2500"}


@pytest.fixture(params=["services", "embedded"])
def backend(request):
    """A factory of servers, with what their stores say: `truth`, and `projection` of services."""
    return request.getfixturevalue(request.param)


def code_of(answer):
    return answer.status_code, answer.json().get("code")


def status_of(answer):
    return answer.status_code, answer.json().get("status")


def fences(server, sale):
    return [lane["fence_epoch"] for lane in lanes_of(server, sale)]


# --- one order ------------------------------------------------------------------------------------


def test_a_paid_order_stays(backend):
    server = backend().start(**QUICK)
    sale = server.open_sale(stock=5, pay_within_ms=HOUR_MS)
    before = time.time()
    order = buy_confirmed(server, sale, "ann")
    to_pay = datetime.fromisoformat(order["pay_by"]).timestamp() - HOUR_MS / 1000
    assert before - 1 <= to_pay <= time.time() + 1

    place = (server, "pay", sale, order["order_id"], "ann")
    assert [status_of(shop(*place)) for _ in range(2)] == [(200, "paid")] * 2
    shown = server.order(sale, order["order_id"], "ann").json()
    assert shown["status"] == mine(server, sale, "ann").json()["status"] == "paid"
    assert "pay_by" not in shown
    again = server.buy(sale, "ann")
    assert status_of(again) == (200, "paid")
    assert again.json()["order_id"] == order["order_id"]
    assert code_of(cancel(server, sale, order["order_id"], "ann")) == (409, "order_final")
    assert code_of(shop(server, "cancel", sale, order["order_id"], "ann")) == (409, "order_final")
    check_all(backend, server, sale, paid=1)


@pytest.mark.parametrize("by", ["owner", "shop"])
def test_a_cancelled_order_gives_its_units_back_and_its_owner_may_buy_again(backend, by):
    server = backend().start(**QUICK)
    sale = server.open_sale(stock=3, limit_per_order=2, pay_within_ms=HOUR_MS)
    begin = fences(server, sale)
    first = buy_confirmed(server, sale, "ann", quantity=2)["order_id"]

    def call_off():
        return (cancel(server, sale, first, "ann") if by == "owner"
                else shop(server, "cancel", sale, first, "ann"))

    assert [status_of(call_off()) for _ in range(2)] == [(200, "cancelled")] * 2
    assert code_of(shop(server, "pay", sale, first, "ann")) == (409, "order_final")
    assert server.order(sale, first, "ann").json()["status"] == "cancelled"
    server.wait_until(lambda: mine(server, sale, "ann").status_code == 404, 20)

    second = buy_confirmed(server, sale, "ann", quantity=2)["order_id"]
    assert second != first
    assert mine(server, sale, "ann").json()["order_id"] == second
    assert status_of(call_off()) == (200, "cancelled"), "the first, and it alone"
    assert status_of(server.order(sale, first, "ann")) == (200, "cancelled")
    assert status_of(server.order(sale, second, "ann")) == (200, "confirmed")
    buy_confirmed(server, sale, "bob")
    assert fences(server, sale) == begin, "nothing looked like a projection that lies"
    check_all(backend, server, sale, cancelled=1, confirmed=2)


def test_an_order_that_nobody_pays_expires(backend):
    server = backend().start(**QUICK)
    sale = server.open_sale(stock=2, limit_per_order=2, pay_within_ms=1000)
    order = buy_confirmed(server, sale, "ann", quantity=2)["order_id"]
    confirmed = time.monotonic()
    assert "pay_by" not in wait_for_status(server, sale, order, "ann", "expired")
    assert time.monotonic() - confirmed < 10
    assert code_of(shop(server, "pay", sale, order, "ann")) == (409, "order_final")
    assert code_of(cancel(server, sale, order, "ann")) == (409, "order_final")

    again = buy_confirmed(server, sale, "ann")["order_id"]
    assert again != order
    assert status_of(shop(server, "pay", sale, again, "ann")) == (200, "paid")
    other = buy_confirmed(server, sale, "bob")["order_id"]
    wait_for_status(server, sale, other, "bob", "expired")
    assert status_of(server.order(sale, again, "ann")) == (200, "paid")
    assert status_of(server.order(sale, order, "ann")) == (200, "expired")
    check_all(backend, server, sale, expired=2, paid=1)


def test_the_last_unit_is_sold_cancelled_and_sold_again(backend):
    server = backend().start(**QUICK)
    sale = server.open_sale(stock=1, pay_within_ms=HOUR_MS)
    order = buy_confirmed(server, sale, "ann")["order_id"]

    def refusals(user, count=20):
        return {code_of(server.buy(sale, user)) for _ in range(count)}

    assert refusals("bob") == {(409, "sold_out_for_now")}
    assert status_of(cancel(server, sale, order, "ann")) == (200, "cancelled")
    second = buy_confirmed(server, sale, "bob")["order_id"]
    assert status_of(shop(server, "pay", sale, second, "bob")) == (200, "paid")
    assert refusals("cid") == {(409, "sold_out_for_now")}
    assert refusals("ann") == {(409, "sold_out_for_now")}
    assert {status_of(server.buy(sale, "bob")) for _ in range(5)} == {(200, "paid")}
    check_all(backend, server, sale, cancelled=1, paid=1)


def test_an_order_without_its_row_is_undecided(services):
    server = services(binary=FAILPOINT_BINARY)
    server.start(SLUICE_FAILPOINT="fulfilment.store.apply=error@1+,control.store.apply=error@1+",
                 **QUICK)
    sale = server.open_sale(stock=2, pay_within_ms=HOUR_MS)
    bought = until_accepted(lambda: server.buy(sale, "ann"))
    assert status_of(bought) in ((202, "queued"), (200, "queued"))
    order = bought.json()["order_id"]
    undecided = until_accepted(lambda: cancel(server, sale, order, "ann"))
    assert code_of(undecided) == (409, "order_undecided")
    assert undecided.json()["retry_after_ms"] > 0
    unpaid = until_accepted(lambda: shop(server, "pay", sale, order, "ann"))
    assert code_of(unpaid) == (404, "unknown_order")
    server.terminate()
    server.start(**QUICK)
    wait_for_status(server, sale, order, "ann", "confirmed")
    assert status_of(cancel(server, sale, order, "ann")) == (200, "cancelled")
    check_all(services, server, sale, cancelled=1)


# --- many at once ---------------------------------------------------------------------------------


def test_a_payment_and_a_cancellation_at_one_instant(backend):
    server = backend().start(**QUICK)
    sale = server.open_sale(stock=40, pay_within_ms=HOUR_MS)
    users = [f"user-{i}" for i in range(30)]
    with ThreadPoolExecutor(30) as pool:
        orders = dict(zip(users, pool.map(
            lambda user: buy_confirmed(server, sale, user)["order_id"], users)))
        asks = [(user, verb) for user in users for verb in ("pay", "cancel", "cancel")]

        def ask(user, verb):
            place = (sale, orders[user], user)
            return until_accepted(lambda: shop(server, "pay", *place) if verb == "pay"
                                  else cancel(server, *place))

        answers = list(pool.map(lambda one: ask(*one), asks))
    final = {user: server.order(sale, orders[user], user).json()["status"] for user in users}
    assert set(final.values()) <= {"paid", "cancelled"}
    for (user, verb), answer in zip(asks, answers):
        wished = "paid" if verb == "pay" else "cancelled"
        if final[user] == wished:
            assert status_of(answer) == (200, wished), (user, verb, answer.text)
        else:
            assert code_of(answer) == (409, "order_final"), (user, verb, answer.text)
    statuses = {status: list(final.values()).count(status) for status in set(final.values())}
    check_all(backend, server, sale, **statuses)


def test_many_cancellations_while_lanes_are_rebuilt(services):
    server = services().start(**QUICK)
    sale = server.open_sale(stock=60, lanes=2, limit_per_order=2, pay_within_ms=HOUR_MS)
    users = [f"user-{i}" for i in range(24)]
    over = threading.Event()
    rebuilt = []

    def rebuild():
        while not over.is_set():
            asked = server.admin("POST", f"/admin/sales/{sale}/rebuild", json={"force": False})
            rebuilt.append(asked.status_code)
            over.wait(0.3)

    def churn(user):
        """Buys and cancels twice, then buys what stays."""
        ended = []
        for turn in range(2):
            order = buy_confirmed(server, sale, user, quantity=2)["order_id"]
            answer = until_accepted(lambda: cancel(server, sale, order, user))
            assert status_of(answer) == (200, "cancelled")
            ended.append(order)
            # Two of them stay until the lanes were rebuilt again: it outlasts a fast machine.
            if user in users[:2]:
                server.wait_until(lambda seen=turn + 1: max(fences(server, sale)) > seen, 30)
        return ended, buy_confirmed(server, sale, user, quantity=2)["order_id"]

    with ThreadPoolExecutor(12) as pool:
        rebuilding = threading.Thread(target=rebuild)
        rebuilding.start()
        try:
            results = list(pool.map(churn, users))
        finally:
            over.set()
            rebuilding.join()
    assert 202 in rebuilt and max(fences(server, sale)) > 2
    for user, (ended, kept) in zip(users, results):
        assert len({*ended, kept}) == 3
        for order in ended:
            assert status_of(server.order(sale, order, user)) == (200, "cancelled")
        assert status_of(server.order(sale, kept, user)) == (200, "confirmed")
    check_all(services, server, sale, cancelled=2 * len(users), confirmed=len(users))


# --- bad input ------------------------------------------------------------------------------------


def test_orders_that_cannot_be_moved(backend):
    server = backend().start(**QUICK)
    sale = server.open_sale(pay_within_ms=HOUR_MS)
    other = server.open_sale(pay_within_ms=HOUR_MS)
    final = server.open_sale()
    server.wait_until(lambda: server.buy(other, "cid").status_code in (200, 201, 202), 20)
    order = buy_confirmed(server, sale, "ann")["order_id"]
    kept = buy_confirmed(server, final, "ann")
    assert "pay_by" not in kept

    for where, which, user in ((sale, order, "bob"), (other, order, "ann"),
                               (sale, str(uuid.uuid4()), "ann"), (sale, "x", "ann"),
                               (sale, order.upper(), "ann"), (sale, "mine", "ann")):
        for answer in (cancel(server, where, which, user),
                       shop(server, "pay", where, which, user),
                       shop(server, "cancel", where, which, user)):
            assert code_of(answer) == (404, "unknown_order"), answer.text
    place = (final, kept["order_id"], "ann")
    for answer in (cancel(server, *place), shop(server, "pay", *place),
                   shop(server, "cancel", *place)):
        assert code_of(answer) == (409, "order_final"), answer.text
    assert code_of(cancel(server, 999_999, order, "ann")) == (404, "unknown_sale")
    assert code_of(shop(server, "pay", 999_999, order, "ann")) == (404, "unknown_sale")
    assert status_of(server.order(sale, order, "ann")) == (200, "confirmed")
    assert status_of(shop(server, "cancel", sale, order, "ann")) == (200, "cancelled")
    check_all(backend, server, sale, cancelled=1)


@pytest.mark.parametrize("body,code", [
    (b"", "invalid_json"), (b"{", "invalid_json"), (b"[]", "invalid_json"),
    (b"{}", "invalid_parameter"), (b'{"user":5}', "invalid_parameter"),
    (b'{"user":""}', "invalid_parameter"), (b'{"user":"a b"}', "invalid_parameter"),
    (b'{"user":"ann","force":true}', "unknown_member"),
    (b'{"user":"ann","user":"bob"}', "duplicate_member")])
def test_wrong_bodies_of_the_shops_calls(shop_server, body, code):
    server, sale, order = shop_server
    headers = {"Authorization": f"Bearer {server.admin_key}", "Content-Type": "application/json"}
    for verb in ("pay", "cancel"):
        answer = requests.post(f"{server.admin_url}/admin/sales/{sale}/orders/{order}/{verb}",
                               data=body, headers=headers, timeout=10)
        assert answer.status_code == 400 and answer.json()["code"] == code, answer.text
    assert status_of(server.order(sale, order, "ann")) == (200, "confirmed")


def test_wrong_requests_to_move_an_order(shop_server):
    server, sale, order = shop_server
    admin = f"{server.admin_url}/admin/sales/{sale}/orders/{order}"
    own = f"{server.url}/v1/sales/{sale}/orders/{order}/cancel"
    operator = {"Authorization": f"Bearer {server.admin_key}"}
    missing, invalid = (401, "missing_token"), (401, "invalid_token")
    for headers, code in (({}, missing), (server.bearer("ann"), invalid),
                          (operator, (415, "unsupported_media_type"))):
        for verb in ("pay", "cancel"):
            answer = requests.post(f"{admin}/{verb}", headers=headers, data=b'{"user":"ann"}',
                                   timeout=10)
            assert code_of(answer) == code, answer.text
    assert code_of(requests.post(own, timeout=10)) == missing
    assert code_of(requests.post(own, headers=operator, timeout=10)) == invalid
    with_member = requests.post(own, headers=server.bearer("ann"), json={"user": "ann"}, timeout=10)
    assert code_of(with_member) == (400, "unknown_member")
    for url, headers in ((f"{admin}/pay", operator), (f"{admin}/cancel", operator),
                         (own, server.bearer("ann"))):
        answer = requests.get(url, headers=headers, timeout=10)
        assert code_of(answer) == (405, "method_not_allowed")
        assert answer.headers["Allow"] == "POST"
    assert code_of(shop(server, "expire", sale, order, "ann"))[0] == 404
    assert status_of(server.order(sale, order, "ann")) == (200, "confirmed")


@pytest.mark.parametrize("within", [-1, 1, 999, 604_800_001, 1.5, "1000", True, None])
def test_times_to_pay_that_are_none(shop_server, within):
    server = shop_server[0]
    now_ms = int(time.time() * 1000)
    draft = {"title": "Test", "unit_price_minor": 1, "currency": "EUR", "stock": 1,
             "starts_at": now_ms, "ends_at": now_ms + HOUR_MS, "pay_within_ms": within}
    answer = server.admin("POST", "/admin/sales", json=draft)
    assert answer.status_code in (400, 422), answer.text
    assert "pay_within_ms" in answer.text


@pytest.fixture(scope="module")
def shop_server(tmp_path_factory):
    """(an embedded server, a sale whose orders must be paid, Ann's order), for what changes
    nothing."""
    with Sluice(tmp_path_factory.mktemp("shop"), free_settings(mode="embedded")).start() as server:
        sale = server.open_sale(pay_within_ms=HOUR_MS)
        yield server, sale, buy_confirmed(server, sale, "ann")["order_id"]


# --- failures -------------------------------------------------------------------------------------


def test_a_cancellation_while_redis_is_away_for_a_moment(services):
    server = services()
    door = behind_a_door(server, "redis_url")
    door.open()
    server.start(SLUICE_RECOVERY_DATABASE_AFTER_MS="60000", **QUICK)
    sale = server.open_sale(stock=2, pay_within_ms=HOUR_MS)
    begin = fences(server, sale)
    order = buy_confirmed(server, sale, "ann")["order_id"]
    buy_confirmed(server, sale, "bob")
    door.close()
    answer = until_accepted(lambda: cancel(server, sale, order, "ann"))
    assert status_of(answer) == (200, "cancelled")
    assert services.truth.outbox(sale) == [order]
    assert services.truth.stock(sale) == 1 and services.projection.stock(sale) == 0
    door.open()
    server.wait_until(lambda: services.projection.stock(sale) == 1, 20)
    server.wait_until(lambda: "inventory" not in failing(server), 20)
    buy_confirmed(server, sale, "cid")
    assert fences(server, sale) == begin
    check_all(services, server, sale, cancelled=1, confirmed=2)


def test_cancellations_in_database_mode_and_after_it(services):
    server = services()
    door = behind_a_door(server, "redis_url")
    door.open()
    server.start(**QUICK)
    sale = server.open_sale(stock=3, pay_within_ms=HOUR_MS)
    before = buy_confirmed(server, sale, "ann")["order_id"]
    door.close()
    server.wait_until(lambda: mode_of(server) == "database", 20)
    buy_confirmed(server, sale, "bob")
    buy_confirmed(server, sale, "cid")
    assert code_of(server.buy(sale, "dan")) == (409, "sold_out_for_now")
    answer = until_accepted(lambda: cancel(server, sale, before, "ann"))
    assert status_of(answer) == (200, "cancelled")
    server.wait_until(lambda: mine(server, sale, "ann").status_code == 404, 20)
    meanwhile = buy_confirmed(server, sale, "ann")["order_id"]
    assert meanwhile != before

    door.open()
    server.wait_until(lambda: mode_of(server) == "normal", 20)
    server.wait_until(lambda: lanes_of(server, sale)[0]["authority"] == "inventory", 20)
    answer = until_accepted(lambda: cancel(server, sale, meanwhile, "ann"))
    assert status_of(answer) == (200, "cancelled")
    buy_confirmed(server, sale, "dan")
    assert status_of(server.order(sale, before, "ann")) == (200, "cancelled")
    check_all(services, server, sale, cancelled=2, confirmed=3)


@pytest.mark.parametrize("mode", ["normal", "database"])
def test_who_buys_a_returned_unit_is_known_to_the_other_node(services, mode):
    one, other = services().start(**QUICK), services(migrated=False).start(**QUICK)
    sale = one.open_sale(stock=1, pay_within_ms=HOUR_MS)
    other.wait_until(lambda: requests.get(f"{other.url}/v1/sales/{sale}",
                                          timeout=5).status_code == 200, 20)
    one.admin("POST", "/admin/mode", json={"mode": mode})
    for server in (one, other):
        server.wait_until(lambda server=server: mode_of(server) == mode, 20)
    order = buy_confirmed(one, sale, "ann")["order_id"]
    # For half a second, so that the other node knows by heart that all is sold, and to whom.
    until = time.monotonic() + 0.5
    while time.monotonic() < until:
        assert code_of(other.buy(sale, "cid")) == (409, "sold_out_for_now")
    assert status_of(cancel(one, sale, order, "ann")) == (200, "cancelled")
    bought = buy_confirmed(one, sale, "dan")["order_id"]
    other.wait_until(lambda: other.buy(sale, "dan").status_code == 200, 5)
    assert other.buy(sale, "dan").json()["order_id"] == bought
    one.admin("POST", "/admin/mode", json={"mode": "auto"})
    one.wait_until(lambda: mode_of(one) == "normal", 20)
    check_all(services, one, sale, cancelled=1, confirmed=1)


def test_redis_loses_everything_right_after_a_cancellation(services):
    server = services().start(**QUICK)
    sale = server.open_sale(stock=2, pay_within_ms=HOUR_MS)
    order = buy_confirmed(server, sale, "ann")["order_id"]
    buy_confirmed(server, sale, "bob")
    assert status_of(cancel(server, sale, order, "ann")) == (200, "cancelled")
    services.projection.clear()
    server.wait_until(lambda: fences(server, sale) != [1], 20)
    buy_confirmed(server, sale, "cid")
    assert status_of(server.order(sale, order, "ann")) == (200, "cancelled")
    check_all(services, server, sale, cancelled=1, confirmed=2)


def test_the_server_is_killed_right_after_a_cancellation(backend):
    server = backend().start(**QUICK)
    sale = server.open_sale(stock=2, pay_within_ms=HOUR_MS)
    order = buy_confirmed(server, sale, "ann")["order_id"]
    buy_confirmed(server, sale, "bob")
    assert status_of(cancel(server, sale, order, "ann")) == (200, "cancelled")
    server.kill()
    server.start(**QUICK)
    assert status_of(server.order(sale, order, "ann")) == (200, "cancelled")
    buy_confirmed(server, sale, "cid")
    assert code_of(server.buy(sale, "dan")) == (409, "sold_out_for_now")
    check_all(backend, server, sale, cancelled=1, confirmed=2)


def test_orders_expire_although_the_server_was_away(backend):
    server = backend().start(**QUICK)
    sale = server.open_sale(stock=2, pay_within_ms=1000)
    orders = {user: buy_confirmed(server, sale, user)["order_id"] for user in ("ann", "bob")}
    server.kill()
    server.start(**QUICK)
    for user, order in orders.items():
        wait_for_status(server, sale, order, user, "expired")
    check_all(backend, server, sale, expired=2)
