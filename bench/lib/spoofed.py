"""Purchases of ever new users from ever new addresses: a node's memory must not follow them."""

import json

from lib.processes import memory_mb, run_to_end
from lib.refusals import sell_out
from lib.server import Server

USERS = 1_000_000  # Each comes again from other addresses.


def measure(bench):
    # Each bucket has a request: an address or a user that did not count as new would be refused so.
    settings = {"mode": "embedded", "http_trusted_proxies": "127.0.0.1", "gate_ip_rate_per_s": 1,
                "gate_ip_burst": 1, "gate_user_rate_per_s": 1, "gate_user_burst": 1000}
    settings |= bench.extra_settings
    server = Server(bench, bench.folder("spoofed"), settings)
    tokens = server.tokens(min(USERS, bench.options.spoofed), "spoofed")
    script = bench.root / "bench/spoofed.lua"
    sizes, sent = [], 0
    with server.serving():
        url = f"http://127.0.0.1:{server.port}{server.path(sell_out(server))}"
        while sent < bench.options.spoofed:
            out = run_to_end(["wrk", "-t1", "-c64", f"-d{bench.options.spoofed_seconds}s",
                              "--timeout", "10s", "-s", script, url, "--", tokens, str(sent)], 900)
            said = json.loads(out.splitlines()[-1])
            if said["socket_errors"] or said["requests"] == 0:
                raise RuntimeError(f"the load failed: {said}")
            sent += said["requests"]
            sizes.append((sent, memory_mb(server.pid)["now"]))
            bench.say(f"spoofed: {sent:,} requests, {sizes[-1][1]:.0f} MB")
        limited = server.metric("sluice_http_refusals_total", 'code="rate_limited"')
        if limited > 0.01 * sent:
            raise RuntimeError(f"{limited:.0f} of {sent} addresses were not new to the server")
    return {"requests": sent, "sizes": sizes, "first_mb": sizes[0][1], "last_mb": sizes[-1][1],
            "growth": sizes[-1][1] / sizes[0][1] - 1}
