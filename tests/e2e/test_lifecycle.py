"""Starting, being unready, becoming ready, draining, ending: what an operator sees."""

import json
import re
import resource
import signal
import socket
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

import figures
from doors import behind_a_door, failing
from raw import Raw
from sluice import Crowd, Sluice, free_settings

ADVICE = {
    "redis_url": ("inventory", "start Redis where redis.url points"),
    "kafka_brokers": ("queue", "start Kafka where kafka.brokers points"),
    "postgres_url": ("store", "start Postgres where postgres.url points"),
}


@pytest.mark.parametrize("setting", ADVICE)
def test_starts_without_a_service_says_so_and_serves_when_it_comes(services, setting):
    server = services().start()
    sale = server.open_sale(stock=5)
    early = server.buy(sale, "early").json()["order_id"]
    assert server.order(sale, early, "early", wait_ms=20_000).json()["status"] == "confirmed"
    assert server.terminate() == 0

    door = behind_a_door(server, setting)
    server.start(wait_ready=False)
    name, advice = ADVICE[setting]
    server.wait_until(lambda: name in failing(server), 20)
    assert advice in failing(server)[name]
    assert requests.get(f"{server.url}/healthz", timeout=5).status_code == 200
    public = requests.get(f"{server.url}/readyz", timeout=5)
    assert setting != "postgres_url" or public.status_code == 503, "it knows no sale yet"
    assert advice not in public.text, "what is inside is for operators alone"
    check = {one["name"]: one["ok"] for one in public.json()["checks"]}
    assert check[name] is False

    refused = server.buy(sale, "bob")
    if refused.status_code == 503:
        assert refused.json()["code"] in ("busy", "not_ready", "outcome_unknown")
        assert int(refused.headers["Retry-After"]) >= 1
    else:
        assert setting != "postgres_url" and refused.status_code in (201, 202), refused.text
    if setting != "postgres_url":
        server.wait_ready(20)
        server.wait_until(lambda: server.buy(sale, "bob").status_code in (200, 201), 20)
    # Whoever holds an order is never told that there is none.
    found = server.order(sale, early, "early")
    assert found.status_code in (200, 503), found.text

    door.open()
    server.wait_ready()
    for user in ("ann", "bob"):
        server.wait_until(lambda: server.buy(sale, user).status_code in (200, 201, 202), 10)
        order = server.buy(sale, user).json()["order_id"]
        assert server.order(sale, order, user, wait_ms=20_000).json()["status"] == "confirmed"
    assert server.order(sale, early, "early").json()["status"] == "confirmed"
    assert server.terminate() == 0
    services.truth.check_conservation(sale)
    assert services.truth.stock(sale) == 2


def test_unready_before_the_sales_are_known_denies_no_order(services):
    """A node that never reached the store does not know which sales there are."""
    server = services()
    behind_a_door(server, "postgres_url")
    server.start(wait_ready=False)
    for answer in (server.buy(1, "ann"), requests.get(f"{server.url}/v1/sales/1", timeout=5),
                   requests.get(f"{server.url}/v1/sales", timeout=5),
                   requests.get(f"{server.url}/v1/sales/1/orders/mine", timeout=5,
                                headers=server.bearer("ann"))):
        assert (answer.status_code, answer.json()["code"]) == (503, "not_ready")
        assert int(answer.headers["Retry-After"]) >= 1


def test_unmigrated_database_says_what_to_run(services):
    server = services(migrated=False).start(wait_ready=False)
    server.wait_until(lambda: {"store", "queue"} <= set(failing(server)), 20)
    assert "sluice migrate" in failing(server)["store"]
    assert "sluice migrate" in failing(server)["queue"]
    subprocess.run([server.binary, "migrate"], check=True, timeout=120, capture_output=True,
                   env=server.environment)
    server.wait_ready()
    assert server.buy(server.open_sale(), "ann").status_code == 202


def test_migrate_names_the_service_that_is_away(services):
    server = services(migrated=False)
    behind_a_door(server, "postgres_url")
    done = subprocess.run([server.binary, "migrate"], capture_output=True, text=True,
                          env=server.environment, timeout=120)
    assert done.returncode == 1 and "Postgres" in done.stderr, done.stderr


class Rush:
    """Purchases on kept connections until the server says good-bye; every one must be answered."""

    def __init__(self, server, sale, threads=16):
        self.server, self.sale = server, sale
        self.answers = []  # (user, status, body)
        self.unanswered = []
        self.begun = threading.Event()
        self.threads = [threading.Thread(target=self._buy, args=(i,)) for i in range(threads)]
        for thread in self.threads:
            thread.start()

    def _buy(self, index):
        with Raw(self.server.url) as raw:
            for i in range(100_000):
                user = f"u{index}-{i}"
                raw.send(f"POST /v1/sales/{self.sale}/orders HTTP/1.1\r\nHost: a\r\n"
                         f"Authorization: Bearer {self.server.token(user)}\r\n\r\n")
                answer = raw.read()
                if answer is None:
                    self.unanswered.append(user)
                    return
                status, headers, body = answer
                self.answers.append((user, status, json.loads(body)))
                if len(self.answers) > 500:
                    self.begun.set()
                if headers.get("connection") == "close":
                    return

    def join(self):
        for thread in self.threads:
            thread.join(60)


def check_drained(server, rush, took_s):
    rush.join()
    assert took_s < 10, "the drain timeout is 10 s"
    # A request may cross with the closing of a connection on which nothing was under way: HTTP lets
    # a client ask again then. Nobody else may go without an answer.
    assert len(rush.unanswered) <= len(rush.threads)
    assert {status for _, status, _ in rush.answers} <= {201, 202, 409, 503}
    assert "cut short" not in server.log_text()


@pytest.mark.parametrize("mode", ["embedded", "services"])
def test_sigterm_in_a_rush_answers_what_is_in_flight_and_ends_well(request, mode):
    factory = request.getfixturevalue(mode)
    server = factory().start()
    sale = server.open_sale(stock=100_000)
    rush = Rush(server, sale)
    assert rush.begun.wait(30)
    began = time.monotonic()
    assert server.terminate() == 0
    check_drained(server, rush, time.monotonic() - began)

    promised = {body["order_id"]: user for user, status, body in rush.answers
                if status in (201, 202)}
    assert len(promised) > 500
    if mode == "services":
        # What was queued is decided by whoever runs next.
        server.start()
        server.wait_until(lambda: factory.projection.pending(sale) == 0)
        winners = factory.projection.winners(sale)
        assert set(winners.values()) == set(factory.truth.live_orders(sale))
    live = factory.truth.live_orders(sale)
    assert promised.items() <= live.items(), "every promise is kept"
    assert set(live.values()) <= set(promised.values()) | set(rush.unanswered)
    factory.truth.check_conservation(sale)


def test_draining_node_is_unready_and_lets_waiters_go(services):
    """A long poll is answered with the present state rather than held through the drain."""
    server = services().start(SLUICE_FULFILMENT_POLL_MS="10000")
    sale = server.open_sale(stock=5)
    order = server.buy(sale, "ann").json()["order_id"]
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(server.order, sale, order, "ann", 30_000) for _ in range(4)]
        time.sleep(0.2)
        began = time.monotonic()
        assert server.terminate() == 0
        assert time.monotonic() - began < 10
        answers = [one.result() for one in waiting]
    assert {answer.status_code for answer in answers} == {200}


def test_idle_connections_do_not_hold_the_drain(embedded):
    server = embedded().start()
    held = [Raw(server.url) for _ in range(50)]
    for raw in held:
        raw.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        assert raw.read()[0] == 200
    began = time.monotonic()
    assert server.terminate() == 0
    assert time.monotonic() - began < 3
    for raw in held:
        assert raw.read() is None, "closed without a word"
        raw.socket.close()


def test_a_draining_node_is_unready_at_once_and_serves_until_a_second_signal(embedded):
    """Whatever routes to it learns of the drain late: nobody is refused a connection meanwhile."""
    server = embedded().start(SLUICE_SERVER_DRAIN_DELAY_MS="600000")
    sale = server.open_sale(stock=1000)
    with Raw(server.url) as kept:
        kept.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        assert kept.read()[0] == 200
        server.process.send_signal(signal.SIGTERM)
        ready = f"{server.url}/readyz"
        server.wait_until(lambda: requests.get(ready, timeout=5).status_code == 503, 5)
        assert requests.get(ready, timeout=5).json()["draining"] is True
        answers = [server.buy(sale, f"u{i}") for i in range(50)]
        assert {answer.status_code for answer in answers} == {201}, "each on a new connection"
        kept.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        status, headers, _ = kept.read()
        assert (status, headers.get("connection")) == (200, None), "nor is a kept one ended"
        server.process.send_signal(signal.SIGTERM)
        assert server.wait_end(15) == 0
        assert kept.read() is None


def test_the_delay_of_a_drain_ends_by_itself(embedded):
    server = embedded().start(SLUICE_SERVER_DRAIN_DELAY_MS="1000")
    began = time.monotonic()
    assert server.terminate(15) == 0
    assert time.monotonic() - began >= 1


def test_an_address_that_fails_too_often_is_limited_and_its_known_buyers_are_not(embedded):
    server = embedded().start(SLUICE_GATE_FAILURE_RATE_PER_S="0.01", SLUICE_GATE_FAILURE_BURST="20")
    sale = server.open_sale(stock=5)
    known = {"Authorization": f"Bearer {server.token('ann')}"}
    mine = f"{server.url}/v1/sales/{sale}/orders/mine"
    assert requests.get(mine, headers=known, timeout=5).status_code == 404, "verified"

    def fail(token):
        return requests.get(mine, headers={"Authorization": f"Bearer {token}"}, timeout=5)

    assert {fail(f"bad{i}").json()["code"] for i in range(20)} == {"invalid_token"}
    refused = fail("bad")
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert int(refused.headers["Retry-After"]) >= 1
    assert fail(server.token("bob")).status_code == 429, "its signature would be checked"
    assert requests.get(mine, headers=known, timeout=5).status_code == 404


def test_https_alone_is_asked_for_in_every_public_answer_when_set(embedded):
    server = embedded().start(SLUICE_HTTP_HSTS_MAX_AGE_S="60")
    field = "Strict-Transport-Security"
    for path in ("/", "/v1/sales", "/nowhere", "/v1/sales/1/orders/mine", "/readyz"):
        answer = requests.get(f"{server.url}{path}", timeout=5)
        assert answer.headers[field] == "max-age=60", path
    with Raw(server.url) as raw:
        raw.send("NONSENSE\r\n\r\n")
        assert raw.read()[1][field.lower()] == "max-age=60"
    assert field not in requests.get(f"{server.admin_url}/healthz", timeout=5).headers
    assert server.terminate() == 0
    server.start()
    assert field not in requests.get(f"{server.url}/", timeout=5).headers


def test_sigint_and_a_second_signal_end_it_too(embedded):
    server = embedded().start()
    server.process.send_signal(2)
    assert server.wait_end(15) == 0


def test_sale_survives_a_restart(embedded):
    server = embedded().start()
    sale = server.open_sale(stock=3)
    order = server.buy(sale, "ann").json()["order_id"]
    assert server.terminate() == 0
    server.start()
    assert server.order(sale, order, "ann").json()["status"] == "confirmed"
    again = server.buy(sale, "ann")
    assert (again.status_code, again.json()["order_id"]) == (200, order)


def start_fails(server, *arguments, before=None, **extra):
    """(exit code, what it said) of a server that must give up by itself."""
    done = subprocess.run([server.binary, "serve", *arguments], capture_output=True, text=True,
                          env={**server.environment, **extra}, timeout=30, preexec_fn=before)
    return done.returncode, done.stderr


def test_second_server_on_the_same_data_is_refused(embedded):
    first = embedded().start()
    code, said = start_fails(embedded(), SLUICE_SQLITE_LOCK_WAIT_MS="100")
    assert code == 1
    assert re.search(r"(another|in use|locked)", said) and "sluice.db" in said, said
    sale = first.open_sale()
    assert first.buy(sale, "ann").status_code == 201, "the first one is not disturbed"


def open_files(soft, hard):
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_the_limit_of_open_files_is_raised_and_holds_what_the_settings_say(embedded):
    server = embedded().start(before=open_files(64, 4096), SLUICE_HTTP_CONNECTIONS_MAX="2000",
                              SLUICE_HTTP_CONNECTIONS_PER_IP_MAX="2000",
                              SLUICE_HTTP_LONG_POLLS_MAX="1000")
    limits = Path(f"/proc/{server.process.pid}/limits").read_text()
    assert re.search(r"Max open files +4096 +4096 ", limits), limits
    assert "http.connections_max" not in server.log_text()


def test_connections_are_lowered_to_what_open_files_leave_room_for(embedded):
    """The node closes idle connections instead of running out of descriptors."""
    server = embedded().start(before=open_files(1000, 1000))
    lowered = re.search(r"http.connections_max is (\d+) and not 20000: the limit of open files is "
                        r"1000", server.log_text())
    assert lowered, server.log_text()
    room = int(lowered[1])
    held = [socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])))
            for _ in range(2 * room)]
    assert server.buy(server.open_sale(), "ann").status_code == 201
    descriptors = len(list(Path(f"/proc/{server.process.pid}/fd").iterdir()))
    assert room < descriptors < 1000
    assert "Too many open files" not in server.log_text()
    for one in held:
        one.close()


def test_too_few_open_files_for_the_node_itself_are_named(embedded):
    code, said = start_fails(embedded(), before=open_files(100, 100))
    assert code == 1 and "the limit of open files is 100" in said and "ulimit -n" in said, said


@pytest.mark.parametrize("setting", ["http_port", "admin_port"])
def test_port_in_use_is_named(embedded, setting):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, said = start_fails(embedded(), **free_settings(**{setting: port}))
    assert code == 1 and f"127.0.0.1:{port}: Address already in use" in said, said


def test_data_folder_that_cannot_be_made_is_named(embedded, folder):
    (folder / "file").write_text("")
    code, said = start_fails(embedded(), **free_settings(data_dir=folder / "file" / "data"))
    assert code != 0 and str(folder / "file" / "data") in said, said


def test_demo_makes_its_own_secrets_and_says_how_to_buy(folder):
    server = Sluice(folder, free_settings(mode="embedded"), arguments=["--demo"])
    for name in ("SLUICE_IDENTITY_SECRET", "SLUICE_ORDERS_SECRET", "SLUICE_ADMIN_KEY"):
        del server.environment[name]
    with server:
        server.start()
        server.wait_until(lambda: any("curl" in line for line in server.lines))
        text = "".join(server.lines)
        command = text[text.index("curl"):].replace("\\\n", " ").strip()
        bought = subprocess.run(["bash", "-c", command + " -s"], capture_output=True, text=True,
                                timeout=30, check=True).stdout
        assert json.loads(bought)["status"] == "confirmed", "the greeting's command buys"
        secrets = list((folder / "data" / "secrets").iterdir())
        assert len(secrets) == 3
        assert all(path.stat().st_mode & 0o077 == 0 for path in secrets)


def test_figures_move_by_exactly_what_was_done(embedded):
    server = embedded().start()
    sale = server.open_sale(stock=7)

    def of(route, status):
        return figures.read(server).get("sluice_http_requests_total", listener="public",
                                        route=route, status=status)

    def refusals(code):
        return figures.read(server).get("sluice_http_refusals_total", listener="public", code=code)

    before = {key: of(*key) for key in (("purchase", "2xx"), ("purchase", "4xx"), ("order", "2xx"))}
    sold_out, missing = refusals("sold_out"), refusals("missing_token")
    answers = [server.buy(sale, f"u{i}") for i in range(7)]
    answers += [server.buy(sale, f"u{i}") for i in range(3)]
    answers += [server.buy(sale, f"late{i}") for i in range(5)]
    requests.post(f"{server.url}/v1/sales/{sale}/orders", timeout=5)
    for i in range(4):
        server.order(sale, answers[i].json()["order_id"], f"u{i}")
    assert [answer.status_code for answer in answers] == [201] * 7 + [200] * 3 + [409] * 5
    server.wait_until(lambda: of("order", "2xx") == before["order", "2xx"] + 4, 5)
    assert of("purchase", "2xx") == before["purchase", "2xx"] + 10
    assert of("purchase", "4xx") == before["purchase", "4xx"] + 6
    assert refusals("sold_out") + refusals("sold_out_for_now") == sold_out + 5
    assert refusals("missing_token") == missing + 1


def test_figures_of_a_services_node_count_every_order(services):
    server = services().start()
    sale = server.open_sale(stock=20)
    Crowd(server, sale, connections=8).run([f"u{i}" for i in range(50)], repeats=1)
    server.wait_until(lambda: services.projection.pending(sale) == 0)
    # Threads hand their counts over a few times a second.
    server.wait_until(lambda: figures.read(server).get(
        "sluice_http_requests_total", route="purchase", status="2xx") >= 20)
    seen = figures.read(server)
    assert seen.get("sluice_http_connections", listener="public") >= 0
    assert seen.types["sluice_http_requests_total"] == "counter"


def test_metrics_may_be_opened_but_operations_not(embedded):
    server = embedded().start(SLUICE_ADMIN_METRICS_OPEN="true")
    assert requests.get(f"{server.admin_url}/metrics", timeout=5).status_code == 200
    assert requests.get(f"{server.admin_url}/admin/sales", timeout=5).status_code == 401
    figures.read(server)


def test_a_node_that_is_ready_sells_at_once_however_often_it_starts(services):
    """Ready means that a purchase would be published: the first one after it is, every time."""
    # A machine that does other things, too, is given longer than an operator gives his.
    patient = {"SLUICE_PURCHASE_RESERVE_TIMEOUT_MS": "4000",
               "SLUICE_PURCHASE_PUBLISH_TIMEOUT_MS": "4500",
               "SLUICE_PURCHASE_ANSWER_TIMEOUT_MS": "9000"}
    server = services().start(**patient)
    sale = server.open_sale(stock=100)
    for start in range(6):
        if start % 2:
            server.kill()
        else:
            server.terminate()
        server.start(**patient)
        bought = server.buy(sale, f"user-{start}")
        assert (bought.status_code, bought.json().get("backlogged")) == (202, False), bought.text
    server.wait_until(lambda: services.truth.stock(sale) == 94, 20)
    services.truth.check_conservation(sale)
