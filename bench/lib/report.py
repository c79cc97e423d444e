"""The table of a run, with the goal beside each figure that has one."""

GOALS = {
    "rate_to_floor": (0.60, "at least"), "cpu_to_floor": (0.60, "at least"),
    "orders_per_s": (12_000, "at least"), "p99_ms": (12, "at most"), "p999_ms": (25, "at most"),
    "embedded_per_s": (20_000, "at least"), "memory_mb": (100, "at most"),
    "settled_ms": (500, "at most"),
}


def line(text, value, unit, goal=None):
    verdict = ""
    if goal:
        bound, word = GOALS[goal]
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
