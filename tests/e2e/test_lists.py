"""Lists of sales at any size: nothing hides a sale that is not finished, pages have each sale once,
and what a node does not hold is looked up before it is denied."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

import figures
from payments import buy_confirmed
from test_cli import run

QUICK = {"SLUICE_RECOVERY_TICK_MS": "100", "SLUICE_RECOVERY_BUSY_TICK_MS": "50"}
DRAFTS = 1_200


@pytest.fixture(params=["services", "embedded"])
def backend(request):
    return request.getfixturevalue(request.param)


def draft(server, title="Draft"):
    now_ms = int(time.time() * 1000)
    made = server.admin("POST", "/admin/sales", json={
        "title": title, "stock": 1, "starts_at": now_ms, "ends_at": now_ms + 3_600_000})
    assert made.status_code == 201, made.text
    return made.json()["sale_id"]


def at_once(work, count):
    with ThreadPoolExecutor(8) as workers:
        return list(workers.map(lambda _: work(), range(count)))


def get(server, path, **headers):
    return requests.get(f"{server.url}{path}", headers=headers, timeout=10)


def pages(ask, limit, between=lambda: None):
    """All sales of a list, page by page; `between` is called after each page."""
    path = f"?limit={limit}"
    while True:
        page = ask(path).json()
        assert len(page["sales"]) <= limit
        yield from (sale["sale_id"] for sale in page["sales"])
        if "next_cursor" not in page:
            return
        between()
        path = f"?limit={limit}&cursor={page['next_cursor']}"


def is_finished(server, sale):
    return server.admin("GET", f"/admin/sales/{sale}").json()["finished"]


def problem_of(server, name):
    checks = server.admin("GET", "/readyz").json()["checks"]
    return next(check.get("problem", "") for check in checks if check["name"] == name)


def test_newer_drafts_hide_no_sale(backend):
    server = backend().start(**QUICK)
    sale = server.open_sale()
    bought = buy_confirmed(server, sale, "ann")["order_id"]
    at_once(lambda: draft(server), DRAFTS)
    server.terminate()
    server.start(**QUICK)
    listed = get(server, "/v1/sales").json()["sales"]
    assert [one["sale_id"] for one in listed] == [sale]
    assert server.order(sale, bought, "ann").status_code == 200
    buy_confirmed(server, sale, "bob")
    figure = figures.read(server)
    assert figure.get("sluice_sales_unfinished") == 1 and figure.get("sluice_sales_full") == 0


def test_pages_have_each_sale_once_also_when_one_is_made_meanwhile(embedded):
    server = embedded().start(**QUICK)
    sales = sorted(at_once(lambda: draft(server), DRAFTS), reverse=True)
    with ThreadPoolExecutor(8) as workers:
        opened = workers.map(lambda sale: server.admin("POST", f"/admin/sales/{sale}/open"), sales)
        assert all(answer.status_code == 200 for answer in opened)
    seen = pages(lambda query: get(server, f"/v1/sales{query}"), 200, server.open_sale)
    assert list(seen) == sales

    # The default is a page of 50; its bytes are kept, and a client that has them is told so.
    first = get(server, "/v1/sales")
    assert len(first.json()["sales"]) == 50 and first.json()["next_cursor"]
    again = get(server, "/v1/sales", **{"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    assert abs(int(again.headers["Server-Time-Ms"]) / 1000 - time.time()) < 5
    server.open_sale()
    fresh = get(server, "/v1/sales", **{"If-None-Match": first.headers["ETag"]})
    assert fresh.status_code == 200 and fresh.headers["ETag"] != first.headers["ETag"]

    made = []
    every = list(pages(lambda query: server.admin("GET", f"/admin/sales{query}"), 200,
                       lambda: made.append(draft(server))))
    assert len(every) == len(set(every)) and set(sales) <= set(every)
    assert not set(made) & set(every), "they came above the first page"


def test_the_command_line_follows_pages(embedded):
    server = embedded().start()
    sales = [draft(server) for _ in range(5)]

    def listed(*arguments):
        out, _ = run("sale", "list", "--admin-url", server.admin_url, *arguments,
                     SLUICE_ADMIN_KEY=server.admin_key)
        return out

    few = json.loads(listed("--json", "--limit", "2"))
    assert [one["sale_id"] for one in few["sales"]] == sales[:2:-1] and few["next_cursor"]
    assert "sluice sale list --all" in listed("--limit", "2")
    for every in (["--all"], []):
        out = json.loads(listed("--json", *every))
        assert [one["sale_id"] for one in out["sales"]] == sales[::-1]
        assert "next_cursor" not in out


def test_an_order_of_a_sale_that_no_node_holds_is_found(backend):
    server = backend().start(SLUICE_RECOVERY_FINISHED_SALES_MAX="0", **QUICK)
    sale = server.open_sale()
    bought = buy_confirmed(server, sale, "ann")["order_id"]
    assert server.admin("POST", f"/admin/sales/{sale}/close").status_code == 200
    server.wait_until(lambda: is_finished(server, sale))
    server.wait_until(lambda: get(server, "/v1/sales").json()["sales"] == [])

    shown = get(server, f"/v1/sales/{sale}")
    assert shown.status_code == 200 and shown.json()["phase"] == "closed"
    again = get(server, f"/v1/sales/{sale}", **{"If-None-Match": shown.headers["ETag"]})
    assert again.status_code == 304
    assert server.order(sale, bought, "ann").json()["status"] == "confirmed"
    own = get(server, f"/v1/sales/{sale}/orders/mine", **server.bearer("ann"))
    assert own.json()["order_id"] == bought
    other = get(server, f"/v1/sales/{sale}/orders/mine", **server.bearer("bob"))
    assert (other.status_code, other.json()["code"]) == (404, "unknown_order")
    repeated = server.buy(sale, "ann")
    assert (repeated.status_code, repeated.json()["order_id"]) == (200, bought)
    assert server.buy(sale, "bob").json()["code"] == "sale_closed"
    assert get(server, f"/v1/sales/{draft(server)}").json()["code"] == "unknown_sale"


def test_an_unpaid_order_keeps_a_closed_sale_unfinished(backend):
    server = backend().start(**QUICK)
    sale = server.open_sale(pay_within_ms=4_000)
    bought = buy_confirmed(server, sale, "ann")["order_id"]
    assert server.admin("POST", f"/admin/sales/{sale}/close").status_code == 200
    while server.order(sale, bought, "ann").json()["status"] == "confirmed":
        finished = is_finished(server, sale)
        assert not finished or server.order(sale, bought, "ann").json()["status"] == "expired"
    server.wait_until(lambda: is_finished(server, sale))
    assert server.order(sale, bought, "ann").json()["status"] == "expired"


def test_who_asks_for_sales_that_do_not_exist_is_limited(embedded):
    server = embedded().start(SLUICE_GATE_OLD_SALE_RATE_PER_S="0.01",
                              SLUICE_GATE_OLD_SALE_BURST="5")
    sale = server.open_sale()
    codes = [get(server, f"/v1/sales/{1000 + i}").json()["code"] for i in range(8)]
    assert codes == ["unknown_sale"] * 5 + ["rate_limited"] * 3
    asked = figures.read(server).get("sluice_dependency_seconds_count", call="find_sales")
    assert asked == 5, "the store is asked no more"
    assert get(server, f"/v1/sales/{sale}").status_code == 200, "it is known"


def test_more_unfinished_sales_than_a_node_holds_are_told_of(embedded):
    server = embedded().start(SLUICE_RECOVERY_SALES_MAX="2", **QUICK)
    sales = [server.open_sale() for _ in range(2)]
    late = draft(server)
    server.admin("POST", f"/admin/sales/{late}/open")
    server.wait_until(lambda: figures.read(server).get("sluice_sales_full") == 1)
    server.wait_until(lambda: "recovery.sales_max" in problem_of(server, "sales"))
    assert get(server, f"/v1/sales/{late}").status_code == 200, "it is looked up"
    server.admin("POST", f"/admin/sales/{sales[0]}/close")
    server.wait_until(lambda: figures.read(server).get("sluice_sales_full") == 0)
    assert server.buy(late, "ann").status_code == 201
