"""Refusals: a sold-out sale under the same load as a server that does nothing and as nginx."""

import contextlib
import json
from statistics import median

from lib.processes import cpu_seconds, free_port, listens, run_to_end, running, wait_until
from lib.server import Server

CONNECTIONS = 64
USERS = 10_000
NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.log; {user}
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 600; server_tokens off;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5; default_type application/problem+json;
  server {{ listen 127.0.0.1:{port}; return 200 '{{"type":"urn:sluice:problem:sold_out",\
"title":"The sale is sold out.","status":409,"code":"sold_out"}}'; }}
}}
"""


@contextlib.contextmanager
def floor(bench, folder):
    port = free_port()
    with running([bench.binary("floor"), str(port)], folder / "floor.log") as process:
        wait_until(lambda: listens(port), "floor", 10, process)
        yield process.pid, port


@contextlib.contextmanager
def nginx(bench, folder):
    port = free_port()
    config = folder / "nginx.conf"
    user = "user root;" if bench.is_root else ""
    config.write_text(NGINX.format(folder=folder, port=port, user=user))
    command = ["/usr/sbin/nginx", "-c", str(config), "-p", str(folder)]
    with running(command, folder / "nginx.out") as process:
        wait_until(lambda: listens(port), "nginx", 10, process)
        yield process.pid, port


def sell_out(server):
    """A sale whose one unit is sold, and a server that knows who has it."""
    sale = server.open_sale(stock=1)
    loser, winner = server.tokens(2, "first").read_text().split()
    wait_until(lambda: server.buy(sale, winner)[0] in (200, 201, 202), "the one unit is sold")
    wait_until(lambda: server.buy(sale, loser) == (409, "sold_out"), "sold out")
    return sale


def load(bench, pid, url, seconds, *tokens):
    """Purchases by a file of tokens, or GETs without one."""
    before = cpu_seconds(pid)
    out = run_to_end(["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "10s", "-s",
                      bench.root / "bench/refusals.lua", url, "--", *tokens], seconds + 60)
    said = json.loads(out.splitlines()[-1])
    if said["socket_errors"]:
        raise RuntimeError(f"{url}: {said['socket_errors']} connections failed")
    seconds, spent = said["duration_us"] / 1e6, cpu_seconds(pid) - before
    return {"requests_per_s": said["requests"] / seconds, "busy": spent / seconds,
            "cpu_us": spent * 1e6 / said["requests"], "p99_ms": said["p99_us"] / 1000,
            "requests": said["requests"], "refused": said["not_2xx_3xx"]}


def measure(bench):
    folder = bench.folder("refusals")
    # The bucket of users is paid for, and never empty.
    server = Server(bench, folder, {"mode": "embedded", "gate_user_rate_per_s": 1000,
                                    "gate_user_burst": 1000})
    tokens = server.tokens(USERS, "r")
    with floor(bench, folder) as low, nginx(bench, folder) as web, server.serving():
        path = server.path(sell_out(server))
        rivals = {"floor": low, "nginx": web, "sluice": (server.pid, server.port)}
        rounds = {name: [] for name in rivals}
        for number in range(bench.options.rounds + 1):
            for name, (pid, port) in rivals.items():
                seconds = bench.options.seconds if number else 1
                found = load(bench, pid, f"http://127.0.0.1:{port}{path}", seconds, tokens)
                if name == "sluice" and found["refused"] < found["requests"]:
                    raise RuntimeError(f"not everything was refused: {found}")
                if number:  # The first round warms up.
                    rounds[name].append(found)
                    bench.say(f"refusals {number}: {name:7} {found['requests_per_s']:8.0f}/s "
                              f"{found['cpu_us']:6.2f} µs")
    return summary(rounds)


def summary(rounds):
    result = {name: {key: median(one[key] for one in found)
                     for key in ("requests_per_s", "cpu_us", "busy", "p99_ms")}
              for name, found in rounds.items()}
    low, sluice, web = result["floor"], result["sluice"], result["nginx"]
    result["rate_to_floor"] = sluice["requests_per_s"] / low["requests_per_s"]
    result["cpu_to_floor"] = low["cpu_us"] / sluice["cpu_us"]
    result["rate_to_nginx"] = sluice["requests_per_s"] / web["requests_per_s"]
    result["cpu_to_nginx"] = web["cpu_us"] / sluice["cpu_us"]
    result["rounds"] = rounds
    return result
