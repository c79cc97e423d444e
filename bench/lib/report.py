"""The table of a run, with the goal beside each figure that has one."""

GOALS = {
    "rate_to_floor": (0.60, "at least"), "cpu_to_floor": (0.60, "at least"),
    "orders_per_s": (12_000, "at least"), "p99_ms": (12, "at most"), "p999_ms": (25, "at most"),
    "embedded_per_s": (20_000, "at least"), "memory_mb": (100, "at most"),
    "settled_ms": (500, "at most"), "times_calm": (2, "at most"), "views_s": (10, "at most"),
    "views_mb": (32, "at most"), "polls_per_s": (50_000, "at least"), "none": (0, "at most"),
    "payments_per_s": (5_000, "at least"), "loss": (0.15, "at most"),
    "bytes_per_order": (80, "at most"), "node_mb": (150, "at most"), "round_s": (1, "at most"),
    "audited_s": (600, "at most"), "list_to_refusal": (0.8, "at least"),
    "growth": (0.02, "at most"),
}


def line(text, value, unit, goal=None):
    verdict = ""
    if goal:
        bound, word = GOALS[goal] if isinstance(goal, str) else goal
        held = value >= bound if word == "at least" else value <= bound
        verdict = f"goal {word} {bound:g}: {'held' if held else 'MISSED'}"
    number = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.2f}"
    return f"  {text:52} {number:>10} {unit:10} {verdict}".rstrip()


def refusals(found):
    yield "Refusals of a sold-out sale, one HTTP thread, 64 connections (medians)"
    for name in ("floor", "nginx", "sluice"):
        yield line(f"{name}: answers", found[name]["requests_per_s"], "/s")
        yield line(f"{name}: CPU of the server per answer", found[name]["cpu_us"], "µs")
        yield line(f"{name}: share of a core that it used", found[name]["busy"], "")
    yield line("sluice's rate to the floor's", found["rate_to_floor"], "", "rate_to_floor")
    yield line("floor's CPU to sluice's", found["cpu_to_floor"], "", "cpu_to_floor")
    yield line("sluice's rate to nginx's", found["rate_to_nginx"], "")
    yield line("nginx's CPU to sluice's", found["cpu_to_nginx"], "")


def crowd(title, found, rate_goal):
    full, steady = found["full_rate"], found["open_loop"]
    yield title
    yield line(f"durable orders, {full['users']:,} users at full rate", full["durable_per_s"],
               "/s", rate_goal)
    yield line("  p50 of the answer", full["p50_ms"], "ms")
    yield line("  p99 of the answer", full["p99_ms"], "ms")
    yield line("open loop", steady["rate_per_s"], "/s")
    for name, key in (("p50", "p50_ms"), ("p90", "p90_ms"), ("p99", "p99_ms"),
                      ("p99.9", "p999_ms")):
        yield line(f"  {name} of the answer", steady[key], "ms", key if key in GOALS else None)
    yield line("  cores in use", steady["cores_used"], "")
    for name, cpu_us in full["cpu_us_per_order"].items():
        yield line(f"CPU per order at full rate: {name}", cpu_us, "µs")
    for name, cpu_us in sorted(full["cpu_us_per_order_by_thread"].items(), key=lambda x: -x[1]):
        if cpu_us >= 0.5:
            yield line(f"  sluice's thread {name}", cpu_us, "µs")
    orders = full["users"] + steady["users"]
    yield line(f"memory of sluice after {full['users']:,} orders", full["memory_mb"]["peak"], "MB",
               "memory_mb")
    yield line(f"memory of sluice after {orders:,} orders", steady["memory_mb"]["peak"], "MB",
               "memory_mb")


def memory(found):
    yield "Resident memory of sluice"
    for mode, values in found.items():
        yield line(f"{mode}: idle", values["idle_mb"], "MB", "memory_mb")
        yield line(f"{mode}: with {values['connections']:,} idle connections",
                   values["with_connections_mb"], "MB", "memory_mb")


def outage(found):
    yield f"After an outage of Redis of {found['away_s']} s, {len(found['times_ms'])} times"
    yield line("until its orders are settled, median", found["median_ms"], "ms")
    yield line("until its orders are settled, worst", found["max_ms"], "ms", "settled_ms")


def winners(found):
    yield (f"A sale of {found['units']:,} units sells out at {found['sell_rate']:,.0f}/s on "
           f"{found['nodes']} nodes, {found['readers']} HTTP threads")
    yield line("from its start to its last unit", found["sold_out_s"], "s")
    yield line("until every node knows its winners", found["complete_s"], "s", "views_s")
    yield line("memory that it takes of a node: meanwhile, at most", found["cost_mb"], "MB",
               "views_mb")
    yield line("  afterwards", found["kept_mb"], "MB")
    reserve = found["reserve_p99_ms"]
    yield line("Redis' answer to a reserving call: p99 calm", reserve["calm"], "ms")
    yield line(f"purchases of another sale at {found['side_rate']:,.0f}/s: p99 calm",
               found["calm_p99_ms"], "ms")
    for name, key in (("while the first one sells", "selling"),
                      ("while its winners are read", "reading")):
        yield line(f"reserve's p99 {name}", reserve[key], "ms")
        yield line("  to calm", reserve[key] / max(reserve["calm"], 1e-3), "", "times_calm")
        yield line(f"other sale's p99 {name}", found[f"{key}_p99_ms"], "ms")
        yield line("  to calm", found[f"{key}_ratio"], "")
    yield line("purchases of the other sale refused, of all", found["side"]["refused"], "")


def polls(found):
    yield f"Look-ups of orders beside a rush of {found['rush_per_s']:,.0f} purchases/s (medians)"
    yield line(f"look-ups answered, of {found['asked_per_s']:,.0f}/s", found["other_per_s"], "/s",
               "polls_per_s")
    yield line("  refused, of all", found["other_refused"], "")
    yield line("p99 of the rush alone", found["alone_p99_ms"], "ms")
    yield line("p99 of the rush beside look-ups", found["together_p99_ms"], "ms")
    yield line("  to alone", found["ratio"], "", "times_calm")
    yield line("purchases refused, of all", found["rush_refused"], "", "none")


def payments(found):
    yield "The shop's payments beside a rush at full rate (medians)"
    yield line(f"payments done, of {found['asked_per_s']:,.0f}/s", found["other_per_s"], "/s",
               "payments_per_s")
    yield line("  p99 of the answer", found["payment_p99_ms"], "ms")
    yield line("  refused, of all", found["other_refused"], "", "none")
    yield line("durable orders of the rush alone", found["alone_per_s"], "/s")
    yield line("durable orders of the rush beside payments", found["together_per_s"], "/s")
    yield line("  its loss, as a share", found["loss"], "", "loss")
    yield line("purchases refused, of all", found["rush_refused"], "", "none")


# Seconds in which a lane with so many orders must sell again.
SELLS_WITHIN_S = {"embedded": {1_000_000: 8, 5_000_000: 40},
                  "services": {1_000_000: 15, 5_000_000: 75}}


def restart(found):
    yield "A restart without the inventory, one lane with many orders"
    for mode, runs in found.items():
        for run in runs:
            bound = SELLS_WITHIN_S[mode].get(run["orders"])
            yield line(f"{mode}, {run['orders']:,} orders: sells after", run["sells_s"], "s",
                       bound and (bound, "at most"))
            yield line("  an audit of it", run["audit_s"], "s")
            if mode == "embedded":
                yield line("  memory of an order", run["bytes_per_order"], "bytes",
                           "bytes_per_order")
            else:
                yield line("  memory of the node, peak", run["peak_mb"], "MB", "node_mb")


def sales(found):
    yield f"{found['sales']:,} open sales, {found['nodes']} nodes"
    yield line("all sell after", found["sells_s"], "s")
    yield line("a round, mean of the slowest node", found["round_s"], "s", "round_s")
    yield line("every sale audited within", found["audited_s"], "s", "audited_s")
    yield line("first page of the list", found["list_per_s"], "/s")
    yield line("refusals of a sold-out sale", found["refusals_per_s"], "/s")
    yield line("list's rate to refusals'", found["list_to_refusal"], "", "list_to_refusal")


def spoofed(found):
    yield f"Memory after {found['requests']:,} requests, each from a new address"
    yield line("after the first part", found["first_mb"], "MB")
    yield line("at the end", found["last_mb"], "MB")
    yield line("growth, as a share", found["growth"], "", "growth")


def table(results):
    machine = results["machine"]
    yield (f"{machine['cores']} cores, {machine['cpu']}, kernel {machine['kernel']}, "
           f"load before {machine['load_before']:.2f}")
    if "refusals" in results:
        yield from refusals(results["refusals"])
    if "orders" in results:
        yield from crowd("Orders with Redis, Kafka and Postgres (202 to the row)",
                         results["orders"], "orders_per_s")
    if "embedded" in results:
        yield from crowd("Orders in embedded mode (201: on disk)", results["embedded"],
                         "embedded_per_s")
    if "memory" in results:
        yield from memory(results["memory"])
    if "outage" in results:
        yield from outage(results["outage"])
    for name, part in (("winners", winners), ("polls", polls), ("payments", payments),
                       ("restart", restart), ("sales", sales), ("spoofed", spoofed)):
        if name in results:
            yield from part(results[name])
