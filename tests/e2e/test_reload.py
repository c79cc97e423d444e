"""SIGHUP: what a running server takes anew, and that nothing broken changes or ends it."""

import base64
import json
import os
import re
import signal
import threading
import time
import uuid

import jwt
import pytest
import requests

import figures

SETTINGS = """
[gate]
user_rate_per_s = {rate}
user_burst = 1
[log]
level = "{level}"
access = "{access}"
[admin]
key_file = "{folder}/admin.key"
[identity]
secret_file = "{folder}/identity.secret"
[http]
body_bytes_max = {body}
"""


class Reloadable:
    """An embedded server with its settings and keys in files."""

    def __init__(self, folder, embedded):
        self.folder = folder
        self.file = folder / "sluice.toml"
        self.write()
        self.write_keys("i" * 64, "a" * 64)
        self.server = embedded(arguments=["--config", str(self.file)])
        for name in ("IDENTITY_SECRET", "ADMIN_KEY", "GATE_USER_RATE_PER_S"):
            del self.server.environment[f"SLUICE_{name}"]

    def write(self, rate=0, level="info", body=1024, access="off"):
        self.file.write_text(SETTINGS.format(rate=rate, level=level, body=body,
                                             access=access, folder=self.folder))

    def write_keys(self, identity, admin):
        for name, text in (("identity.secret", identity), ("admin.key", admin)):
            (self.folder / name).write_text(text)
            (self.folder / name).chmod(0o600)

    def reloads(self, result):
        return figures.read(self.server).get("sluice_reloads_total", result=result)

    def hang_up(self, result="done", admin_key=None):
        before = self.reloads(result)
        self.server.process.send_signal(signal.SIGHUP)
        self.server.admin_key = admin_key or self.server.admin_key

        def done():
            answer = self.server.admin("GET", "/metrics")
            return answer.status_code == 200 and self.reloads(result) == before + 1
        self.server.wait_until(done, 10)


@pytest.fixture
def reloadable(folder, embedded):
    return Reloadable(folder, embedded)


def test_a_reload_takes_rates_the_level_and_keys_and_names_what_needs_a_restart(reloadable):
    server = reloadable.server.start()
    sale = server.open_sale(stock=100)
    assert [server.buy(sale, "ann").status_code for _ in range(3)] == [201, 200, 200]

    reloadable.write(rate=0.001, level="debug", body=2048)
    reloadable.hang_up()
    assert [server.buy(sale, "bob").status_code for _ in range(3)] == [201, 429, 429]
    assert "only a restart changes http.body_bytes_max" in server.log_text()

    reloadable.write()
    reloadable.write_keys("j" * 64, "b" * 64)
    old_token, old_key = server.bearer("cid"), server.admin_key
    assert requests.get(f"{server.url}/v1/sales/{sale}/orders/mine", headers=old_token,
                        timeout=5).json()["code"] == "unknown_order"
    reloadable.hang_up(admin_key="b" * 64)

    def refused_code():
        mine = f"{server.url}/v1/sales/{sale}/orders/mine"
        return requests.get(mine, headers=old_token, timeout=5).json()["code"]
    server.wait_until(lambda: refused_code() == "invalid_token", 10)
    server.identity_secret = "j" * 64
    assert server.buy(sale, "cid").status_code == 201
    refused = requests.get(f"{server.admin_url}/admin/sales", timeout=5,
                           headers={"Authorization": f"Bearer {old_key}"})
    assert (refused.status_code, refused.json()["code"]) == (401, "invalid_token")
    log = server.log_text()
    assert "the identity keys, the admin key" in log
    assert "j" * 64 not in log and "b" * 64 not in log
    assert server.terminate() == 0


def test_keys_with_roles_are_reloaded_and_the_log_names_who_changed_what(reloadable):
    server = reloadable.server.start()
    sale = server.open_sale(stock=100)
    keys = {name: name[0] * 32 for name in ("ops", "grafana", "shop")}
    reloadable.write(level="debug")
    reloadable.write_keys("i" * 64, f"ops operate {keys['ops']}\ngrafana read {keys['grafana']}\n"
                                    f"shop pay {keys['shop']}\n")
    reloadable.hang_up(admin_key=keys["grafana"])

    def code(name, method, path, **kwargs):
        server.admin_key = keys[name]
        answer = server.admin(method, path, **kwargs)
        return answer.json().get("code", answer.status_code)
    move, order = f"/admin/sales/{sale}", f"/admin/sales/{sale}/orders/{uuid.uuid4()}/pay"
    assert code("grafana", "POST", f"{move}/pause") == "forbidden"
    assert code("shop", "POST", f"{move}/pause") == "forbidden"
    assert code("ops", "POST", f"{move}/pause") == 200
    assert code("ops", "POST", order, json={"user": "ann"}) == "forbidden"
    assert code("shop", "POST", order, json={"user": "ann"}) == "order_final"
    assert code("shop", "GET", "/admin/sales") == "forbidden"
    server.admin_key = "a" * 64
    assert server.admin("GET", "/admin/sales").json()["code"] == "invalid_token"

    server.admin_key = keys["ops"]
    reloadable.write_keys("i" * 64, f"# keys\nops operate {keys['ops']}\nbob root {'b' * 32}\n")
    reloadable.hang_up("failed")
    log = server.log_text()
    assert f"{reloadable.folder}/admin.key:3: the role must be read, operate or pay" in log
    assert f"admin key ops: POST {move}/pause" in log
    assert f"admin key shop: POST {order}" in log
    assert f"admin key grafana is not good for POST {move}/pause" in log
    assert not any(key in log for key in (*keys.values(), "b" * 32))
    assert server.terminate() == 0


def test_the_access_log_is_turned_on_and_off(reloadable):
    server = reloadable.server.start()
    sale = server.open_sale(stock=1)
    mine = f"{server.url}/v1/sales/{sale}/orders/mine"

    def ask(**headers):
        return requests.get(mine, headers=headers, timeout=5)
    silent = ask()
    assert "X-Request-Id" not in silent.headers and "instance" not in silent.json()

    reloadable.write(access="refusals")
    reloadable.hang_up()
    assert 'log.access = "refusals"' in server.log_text()
    assert server.buy(sale, "ann").status_code == 201
    told = ask(**{"X-Request-Id": "from-me.1"})
    assert told.headers["X-Request-Id"] == "from-me.1"
    assert told.json()["instance"] == "urn:sluice:request:from-me.1"
    made = ask().headers["X-Request-Id"]

    def logged():
        return [json.loads(line) for line in server.lines if line.startswith("{")]
    server.wait_until(lambda: len(logged()) == 2, 10)
    assert [line["request_id"] for line in logged()] == ["from-me.1", made]
    assert all(line["code"] == "missing_token" and line["status"] == 401 and
               line["path"] == f"/v1/sales/{sale}/orders/mine" for line in logged())

    reloadable.write()
    reloadable.hang_up()
    assert "X-Request-Id" not in ask().headers
    assert server.terminate() == 0
    assert len(logged()) == 2


def test_nobody_waits_for_an_access_log_that_nobody_reads(reloadable):
    server = reloadable.server
    reads_on = threading.Event()
    read_all = server._read

    def read_first(process):
        found = re.match(r"serving (\S+) \(admin (\S+)\)", process.stdout.readline())
        server.url, server.admin_url = found.groups()
        server.served.set()
        reads_on.wait()
        read_all(process)
    server._read = read_first
    reloadable.write(access="all")
    server.start()
    try:
        with requests.Session() as session:
            for _ in range(6_000):
                assert session.get(f"{server.url}/healthz", timeout=5).status_code == 200
        server.wait_until(lambda: figures.read(server).get("sluice_access_log_dropped") > 0, 10)
        assert server.terminate() == 0
        assert "the access log's last lines are not written" in server.log_text()
    finally:
        reads_on.set()


@pytest.mark.parametrize("broken, said", [
    (lambda r: r.file.write_text("[gate\n"), "not TOML"),
    (lambda r: r.file.unlink(), "there is no such file"),
    (lambda r: r.write(rate=-1), "gate.user_rate_per_s = -1"),
    (lambda r: r.write(level="loud"), "log.level"),
    (lambda r: (r.write(rate=0.001), r.write_keys("j" * 64, "short")), "admin key has 5 bytes"),
    (lambda r: (r.write(rate=0.001), (r.folder / "identity.secret").unlink()), "no such file"),
])
def test_a_reload_of_something_broken_changes_nothing_and_says_why(reloadable, broken, said):
    server = reloadable.server.start()
    sale = server.open_sale(stock=100)
    broken(reloadable)
    reloadable.hang_up("failed")
    errors = [line for line in server.log_text().splitlines() if "reload: nothing" in line]
    assert len(errors) == 1 and said in errors[0] and " error " in errors[0]
    assert [server.buy(sale, "ann").status_code for _ in range(3)] == [201, 200, 200]
    assert server.admin("GET", "/admin/sales").status_code == 200
    assert reloadable.reloads("done") == 0

    reloadable.write(rate=0.001)
    reloadable.write_keys("i" * 64, "a" * 64)
    reloadable.hang_up()
    assert server.buy(sale, "bob").status_code == 201
    assert server.buy(sale, "bob").status_code == 429


def takes_hang_ups(pid):
    """Whether the process blocks SIGHUP or has a handler for it."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        masks = dict(line.split(":", 1) for line in status if line.startswith("Sig"))
    return any(int(masks[name], 16) & 1 << signal.SIGHUP - 1 for name in ("SigBlk", "SigCgt"))


def test_no_hang_up_ends_it_from_the_start_to_the_end_of_the_drain(reloadable):
    server = reloadable.server
    ended = threading.Event()
    sent = []

    def shake():
        while not ended.is_set():
            process = server.process
            if process is not None and process.poll() is None:
                if sent or takes_hang_ups(process.pid):
                    sent.append(os.kill(process.pid, signal.SIGHUP))
            time.sleep(0.002)

    shaking = threading.Thread(target=shake)
    shaking.start()
    try:
        server.start(SLUICE_SERVER_DRAIN_DELAY_MS="500")
        sale = server.open_sale(stock=5)
        assert [server.buy(sale, f"u{i}").status_code for i in range(5)] == [201] * 5
        server.wait_until(lambda: reloadable.reloads("done") > 10, 20)
        assert server.terminate() == 0
    finally:
        ended.set()
        shaking.join()
    assert len(sent) > 10


def test_a_hang_up_during_the_start_is_not_lost(reloadable):
    def before():
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
        os.kill(os.getpid(), signal.SIGHUP)

    server = reloadable.server.start(before=before)
    server.wait_until(lambda: reloadable.reloads("done") == 1, 10)
    assert server.terminate() == 0


def key_set(**secrets):
    """A JSON Web Key Set of shared secrets by their kid."""
    def encoded(secret):
        return base64.urlsafe_b64encode(secret.encode()).decode().rstrip("=")
    keys = [{"kty": "oct", "alg": "HS256", "kid": kid, "k": encoded(secret)}
            for kid, secret in secrets.items()]
    return json.dumps({"keys": keys})


def test_keys_of_a_set_overlap_while_the_login_changes_over(reloadable):
    former, latter = "f" * 64, "l" * 64
    file = reloadable.folder / "keys.json"
    server = reloadable.server

    def write(text):
        file.write_text(text)
        file.chmod(0o600)

    def said(kid, secret):
        now = int(time.time())
        token = jwt.encode({"sub": "ann", "iss": "sluice", "aud": "sluice", "exp": now + 600},
                           secret, algorithm="HS256", headers={"kid": kid} if kid else None)
        answer = requests.get(f"{server.url}/v1/sales/{sale}/orders/mine", timeout=5,
                              headers={"Authorization": f"Bearer {token}"})
        return answer.json()["code"]

    write(key_set(former=former))
    reloadable.file.write_text(reloadable.file.read_text().replace(
        f'secret_file = "{reloadable.folder}/identity.secret"', f'jwks_file = "{file}"'))
    server.start()
    sale = server.open_sale()
    assert said("former", former) == "unknown_order"
    assert said(None, former) == "unknown_order", "there is no other key"
    assert said("latter", latter) == "invalid_token"

    write(key_set(former=former, latter=latter))
    reloadable.hang_up()
    server.wait_until(lambda: said("latter", latter) == "unknown_order", 10)
    assert said("former", former) == "unknown_order"
    assert said(None, latter) == "invalid_token", "which of the two?"

    for broken in ('{"keys": [', key_set(latter=latter, last="short"),
                   '{"keys": [%s]}' % ", ".join([json.dumps({"kty": "oct", "kid": "x"})] * 2)):
        write(broken)
        reloadable.hang_up("failed")
        assert f"reload: nothing was changed: {file}: " in server.log_text()
        assert said("former", former) == said("latter", latter) == "unknown_order"

    write(key_set(latter=latter))
    reloadable.hang_up()
    server.wait_until(lambda: said("former", former) == "invalid_token", 10)
    assert said("latter", latter) == "unknown_order"
    log = server.log_text()
    assert "the identity keys" in log and latter not in log
    assert server.terminate() == 0
