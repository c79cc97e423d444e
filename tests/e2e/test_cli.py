"""The command line as a person uses it: sales, tokens, settings, help, mistakes."""

import json
import os
import subprocess
import tomllib

import jwt
import pytest
import requests

from sluice import BINARY, Sluice, free_settings, temporary_folder


def run(*arguments, code=0, folder=None, **environment):
    """What the program wrote, (out, err), after it ended with `code`."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("SLUICE_")}
    done = subprocess.run([os.path.abspath(BINARY), *map(str, arguments)], capture_output=True,
                          text=True, timeout=60, cwd=folder,
                          env={**clean, **{k: str(v) for k, v in environment.items()}})
    assert done.returncode == code, f"exit {done.returncode}: {done.stdout}{done.stderr}"
    return done.stdout, done.stderr


@pytest.fixture(scope="module")
def shop():
    with temporary_folder() as folder:
        with Sluice(folder, free_settings(mode="embedded")).start() as server:
            yield server


@pytest.fixture
def sale_command(shop):
    def command(*arguments, code=0, key=shop.admin_key):
        return run("sale", *arguments, "--admin-url", shop.admin_url, code=code,
                   SLUICE_ADMIN_KEY=key)
    return command


def test_a_sale_from_its_making_to_its_end(shop, sale_command):
    out, _ = sale_command("create", "--title", "Sneaker", "--stock", 3, "--price-minor", 9900,
                          "--limit", 2, "--ends", "+1h", "--json")
    made = json.loads(out)
    sale = made["sale_id"]
    assert (made["state"], made["stock"], made["unit_price_minor"]) == ("draft", 3, 9900)
    assert shop.buy(sale, "early").json()["code"] == "unknown_sale", "nobody sees a draft"

    assert sale_command("open", sale)[0] == f"sale {sale} is open\n"
    assert shop.buy(sale, "ann").status_code == 201
    assert sale_command("pause", sale)[0] == f"sale {sale} is paused\n"
    assert shop.buy(sale, "bob").json()["code"] == "sale_paused"
    assert shop.buy(sale, "ann").status_code == 200, "who bought keeps the order"
    sale_command("open", sale)
    assert shop.buy(sale, "bob").status_code == 201
    assert sale_command("close", sale)[0] == f"sale {sale} is closed\n"
    assert shop.buy(sale, "eve").json()["code"] == "sale_closed"

    out, _ = sale_command("show", sale)
    assert "Sneaker" in out and "closed" in out and "9900 EUR" in out
    listed, _ = sale_command("list")
    (line,) = [line for line in listed.splitlines() if line.startswith(f"{sale} ")]
    assert "closed" in line and line.endswith("Sneaker")
    listed = json.loads(sale_command("list", "--json")[0])
    assert sale in [one["sale_id"] for one in listed["sales"]]

    _, err = sale_command("open", sale, code=1)
    assert "invalid_state" in err or "cannot move" in err


def test_create_and_open_in_one_go(shop, sale_command):
    out, _ = sale_command("create", "--title", "T", "--stock", 1, "--ends", "+10m", "--open",
                          "--json")
    assert json.loads(out)["state"] == "open"
    assert shop.buy(json.loads(out)["sale_id"], "ann").status_code == 201


def test_create_tells_the_next_step(sale_command):
    out, _ = sale_command("create", "--title", "T", "--stock", 1, "--ends", "+10m")
    assert "sluice sale open " in out


@pytest.mark.parametrize("arguments,said", [
    (["--title", "T", "--stock", "0", "--ends", "+1h"], "stock"),
    (["--title", "T", "--stock", "-5", "--ends", "+1h"], "stock"),
    (["--title", "T", "--stock", "many", "--ends", "+1h"], "--stock"),
    (["--title", "", "--stock", "1", "--ends", "+1h"], "title"),
    (["--title", "T", "--stock", "1", "--ends", "tomorrow"], "--ends"),
    (["--title", "T", "--stock", "1", "--starts", "+2h", "--ends", "+1h"], "ends_at"),
    (["--title", "T", "--stock", "1", "--ends", "+1h", "--lanes", "2"], "lanes"),
    (["--title", "T", "--stock", "1", "--ends", "+1h", "--currency", "euro"], "currency"),
    (["--title", "T", "--stock", "1"], "--ends"),
    (["--stock", "1", "--ends", "+1h"], "--title"),
])
def test_a_bad_sale_is_refused_before_anything_is_sent(arguments, said):
    _, err = run("sale", "create", *arguments, "--admin-url", "http://127.0.0.1:1", code=2)
    assert said in err and err.count("\n") == 1, err


def test_refusals_and_failures_have_other_codes(sale_command):
    _, err = sale_command("show", 999_999, code=1)
    assert "unknown_sale" in err or "no sale" in err
    _, err = sale_command("list", code=1, key="k" * 64)
    assert "invalid_token" in err or "401" in err
    _, err = sale_command("show", "abc", code=2)
    assert "abc" in err
    _, err = run("sale", "list", "--admin-url", "http://127.0.0.1:1", code=1,
                 SLUICE_ADMIN_KEY="k" * 64)
    assert "127.0.0.1:1" in err, "it says where it asked"


def test_commands_take_the_first_key_that_is_good_for_them(folder):
    keys = f"eyes read {'e' * 32}\nhands operate {'h' * 32}\npurse pay {'p' * 32}\n"
    with Sluice(folder, free_settings(mode="embedded")) as server:
        server.environment["SLUICE_ADMIN_KEY"] = keys
        server.start()
        where = ["--admin-url", server.admin_url]
        run("sale", "create", "--title", "T", "--stock", 9, "--ends", "+1h", "--open",
            "--pay-within", "1h", *where, SLUICE_ADMIN_KEY=keys)
        run("sale", "list", *where, SLUICE_ADMIN_KEY=keys)
        order = server.buy(1, "ann").json()["order_id"]
        run("order", "pay", 1, order, "--user", "ann", *where, SLUICE_ADMIN_KEY=keys)
        _, err = run("sale", "close", 1, *where, code=1, SLUICE_ADMIN_KEY="e" * 32)
        assert "forbidden" in err and "operate" in err


def test_a_newcomers_sale_commands_find_the_server_and_its_key(folder):
    """Without any secret set: the server made its own in the data folder."""
    server = Sluice(folder, free_settings(mode="embedded"))
    for name in ("SLUICE_IDENTITY_SECRET", "SLUICE_ORDERS_SECRET", "SLUICE_ADMIN_KEY"):
        del server.environment[name]
    with server:
        server.start()
        port = server.admin_url.rpartition(":")[2]
        where = ["--data-dir", folder / "data", "--set", f"admin.port={port}"]
        run("sale", "create", "--title", "T", "--stock", 1, "--ends", "+1h", "--open", *where)
        token = run("token", "ann", "--data-dir", folder / "data")[0].strip()
        server.bearer = lambda _: {"Authorization": f"Bearer {token}"}
        assert server.buy(1, "ann").status_code == 201
        port = server.url.rpartition(":")[2]
        assert run("health", "--url", server.url)[0] == "ready\n"
        assert run("health", "--set", f"http.port={port}", "--data-dir", folder / "data")[0] == \
            "ready\n"
    _, err = run("health", "--url", server.url, "--timeout", "500ms", code=1)
    assert err


SECRET = {"SLUICE_IDENTITY_SECRET": "s" * 64}


def claims_of(token):
    return jwt.decode(token, "s" * 64, algorithms=["HS256"], audience="sluice", issuer="sluice")


def test_tokens_of_users_in_their_order():
    out, _ = run("token", "ann", "bob", "--lifetime", "2h", **SECRET)
    claims = [claims_of(token) for token in out.split()]
    assert [one["sub"] for one in claims] == ["ann", "bob"]
    assert claims[0]["exp"] - claims[0]["iat"] == 7200


def test_many_tokens_go_to_a_private_file(folder):
    run("token", "--count", 1_000, "--prefix", "p", "--output", folder / "tokens", **SECRET)
    tokens = (folder / "tokens").read_text().split()
    assert len(tokens) == 1_000
    assert (claims_of(tokens[0])["sub"], claims_of(tokens[-1])["sub"]) == ("p1", "p1000")
    assert (folder / "tokens").stat().st_mode & 0o777 == 0o600


def test_a_server_takes_what_token_signs(shop):
    sale = shop.open_sale()
    token = run("token", "signed", SLUICE_IDENTITY_SECRET=shop.identity_secret)[0].strip()
    order = shop.buy(sale, "signed").json()["order_id"]
    mine = requests.get(f"{shop.url}/v1/sales/{sale}/orders/mine", timeout=5,
                        headers={"Authorization": f"Bearer {token}"})
    assert mine.json()["order_id"] == order


@pytest.mark.parametrize("arguments,said", [
    ([], "name a user"), (["a b"], "is no user"), (["x" * 65], "is no user"),
    (["ann", "--lifetime", "0s"], "--lifetime"), (["ann", "--lifetime", "soon"], "--lifetime"),
    (["--count", "99999999"], "--count"), (["--count", "-1"], "--count"),
])
def test_bad_token_requests(arguments, said):
    assert said in run("token", *arguments, code=2, **SECRET)[1]


def test_check_config_says_what_holds_and_whence(folder):
    (folder / "sluice.toml").write_text("[http]\nport = 1234\nthreads = 2\n")
    out, _ = run("check-config", "--config", "sluice.toml", "--data-dir", folder / "data", "--set",
                 "http.threads=3", folder=folder, SLUICE_GATE_CONCURRENCY_MAX=7)
    for key, value, origin in (("http.port", "1234", "sluice.toml:2"),
                               ("http.threads", "3", "--set"),
                               ("gate.concurrency_max", "7", "SLUICE_GATE_CONCURRENCY_MAX")):
        (line,) = [one for one in out.splitlines() if one.startswith(f"{key} = {value} ")]
        assert origin in line
    assert not (folder / "data").exists(), "checking changes nothing"


def test_check_config_never_shows_a_secret(folder):
    out, err = run("check-config", "--data-dir", folder, SLUICE_ADMIN_KEY="hush" * 10,
                   SLUICE_IDENTITY_SECRET="hush" * 10, SLUICE_ORDERS_SECRET="hush" * 10,
                   SLUICE_POSTGRES_URL="postgresql://me:hush@h/d", SLUICE_MODE="services",
                   SLUICE_REDIS_URL="redis://me:hush@h", SLUICE_KAFKA_BROKERS="h:9092",
                   folder=folder)
    assert "hush" not in out + err


def test_the_defaults_are_a_file_that_holds(folder):
    text, _ = run("check-config", "--defaults")
    tomllib.loads(text)
    (folder / "all.toml").write_text(text)
    run("check-config", "--config", folder / "all.toml", folder=folder)
    committed = os.path.join(os.path.dirname(__file__), "../../config/sluice.toml")
    with open(committed, encoding="utf-8") as file:
        assert file.read() == text


@pytest.mark.parametrize("content,said", [
    ("[http]\nprot = 1\n", "http.port"),
    ("[htp]\nport = 1\n", "did you mean http?"),
    ("mode = 'embeded'\n", "embedded"),
    ("[http]\nport = 65536\n", "65535"),
    ("[http]\nport = '80'\n", "http.port"),
    ("[http]\nport = \n", "sluice.toml:2:"),
    ("[http]\nport = 1\nport = 2\n", "port"),
    ("mode = 'services'\n", "redis.url"),
    ("[purchase]\nanswer_timeout_ms = 2000\n", "purchase.answer_timeout_ms"),
    ("[admin]\naddress = '0.0.0.0'\n", "admin.address"),
    ("[http]\nport = 8081\n", "admin.port"),
    ("[identity]\nalgorithm = 'none'\n", "HS256"),
    ("[identity]\nalgorithm = 'RS256'\n", "identity.public_key_file"),
])
def test_wrong_settings_are_refused_with_a_hint(folder, content, said):
    (folder / "sluice.toml").write_text(content)
    _, err = run("check-config", "--config", folder / "sluice.toml", code=2, folder=folder)
    assert said in err, err
    _, err = run("serve", "--config", folder / "sluice.toml", code=2, folder=folder)
    assert said in err, "serve refuses what check-config refuses"


@pytest.mark.parametrize("name,value,said", [
    ("SLUICE_HTTP_PROT", "1", "SLUICE_HTTP_PORT"),
    ("SLUICE_HTTP_PORT", "eighty", "SLUICE_HTTP_PORT"),
    ("SLUICE_HTTP_PORT", "-1", "SLUICE_HTTP_PORT"), ("SLUICE_HTTP_PORT", "", "SLUICE_HTTP_PORT"),
    ("SLUICE_ADMIN_KEY", "short", "needs 16"), ("SLUICE_IDENTITY_SECRET", "short", "needs 32"),
])
def test_wrong_variables_are_refused_with_a_hint(folder, name, value, said):
    assert said in run("check-config", code=2, folder=folder, **{name: value})[1]


def test_every_mistake_is_told_at_once(folder):
    (folder / "sluice.toml").write_text(
        "[http]\nprot = 1\n[gate]\nconcurency_max = 1\n[redis]\nurl = 5\n")
    _, err = run("check-config", "--config", folder / "sluice.toml", code=2, folder=folder)
    assert all(name in err for name in ("http.port", "gate.concurrency_max", "redis.url"))


def test_a_missing_file_is_named(folder):
    _, err = run("check-config", "--config", folder / "absent.toml", code=2)
    assert "absent.toml" in err


COMMANDS = [["serve"], ["migrate"], ["check-config"], ["token"], ["health"], ["sale"],
            ["sale", "create"], ["sale", "list"], ["sale", "show"], ["sale", "open"],
            ["sale", "pause"], ["sale", "close"]]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_shows_an_example_and_where_to_read_on(command):
    out, err = run(*command, "--help")
    assert f"sluice {' '.join(command)}" in out
    assert "Example" in out and "Read on" in out and err == ""


def test_help_of_the_program_lists_every_command():
    out, _ = run("--help")
    for command in COMMANDS:
        assert command[0] in out
    assert "serve --demo" in out
    assert run("--version")[0].startswith("sluice ")


@pytest.mark.parametrize("arguments,said", [
    (["serv"], "serve"), (["Serve"], "serve"), (["sale", "opne", "1"], "open"),
    (["tokens", "ann"], "token"), (["check"], "check-config"), ([], "needs a command"),
    (["sale"], "needs a command"), (["serve", "--prot", "1"], "--port"),
    (["serve", "--demmo"], "--demo"), (["sale", "create", "--titel", "x"], "--title"),
    (["serve", "--set", "http.prot=1"], "http.port"), (["serve", "--set", "http.port"], "--set"),
    (["serve", "--mode", "embeded"], "embedded"), (["serve", "extra"], "extra"),
    (["sale", "open"], "sale"), (["sale", "open", "1", "2"], "2"),
])
def test_mistakes_exit_2_and_name_what_was_meant(arguments, said):
    out, err = run(*arguments, code=2)
    assert said in err and out == ""


def test_terminal_escapes_in_what_was_typed_are_not_echoed(sale_command):
    _, err = run("serve", "--\x1b[31mred", code=2)
    assert "\x1b" not in err
    out, _ = sale_command("create", "--title", "a\x1b[31mb\u009b", "--stock", 1, "--ends", "+1h")
    assert "a?[31mb?" in out and "\x1b" not in out
