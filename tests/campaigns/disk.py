"""Disk: the embedded server (SQLite) killed amid commits, on a full, a failing and a slow disk.

The disk's moods come from a small library (slow_fsync.c) preloaded into the server, which needs no
rights; where this process may mount, a real full file system is tried, too. kill -9 keeps what the
kernel has taken, so the loss of power itself is not shown here: that each commit is synced before
its answer is (a failing sync must fail the purchase).
"""

import asyncio
import os
import random
import shutil
import sqlite3
import struct
import subprocess
import tempfile
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

from sluice import free_settings

from . import OUTPUT
from .crowd import Crowd, Plan
from .invariants import Case, broken_promises, check
from .nodes import Node
from .report import Report
from .rounds import count_requests, evidence
from .snapshot import LIVE, LaneRow, OrderRow, Snapshot

MOODS = {"well": 0, "full": 1, "slow": 2, "failing syncs": 3, "failing writes": 4, "torn writes": 5}
MOOD_S = 1.5         # how long a mood lasts
RECOVERS_WITHIN_S = 5
SERVES_WITHIN_S = 2
KILL_AFTER_S = (0.02, 0.35)
KILLS_A_ROUND = 50
KILLS_BY_DEFAULT = 3
# What else a start waits for is measured with the default; the other kills shall come fast.
SHORT_LEASE = free_settings(recovery_lease_ms=500, recovery_tick_ms=100)
SERVICES_ONLY = ("projection", "winners", "logged_is_kept", "acknowledged_is_logged")


class Disk:
    """The moods of one server's disk."""

    def __init__(self, folder):
        self.library = folder / "slow_fsync.so"
        self.control = folder / "disk-control"
        source = Path(__file__).with_name("slow_fsync.c")
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-o",
                        self.library, source, "-ldl"], check=True)
        self.set("well")

    def set(self, mood, milliseconds=0):
        # Written in place: the server has the file mapped.
        with open(self.control, "r+b" if self.control.exists() else "wb") as file:
            file.write(struct.pack("=ii", MOODS[mood], milliseconds))

    def environment(self):
        return {"LD_PRELOAD": str(self.library), "CAMPAIGN_DISK_CONTROL": str(self.control)}


def embedded(folder, environment):
    settings = free_settings(mode="embedded", http_threads=1)
    return Node("embedded", folder, {**settings, **environment})


def read_file(data):
    """sale -> Snapshot, of a copy of the files as they lie there now."""
    with tempfile.TemporaryDirectory(prefix="sluice-disk-") as copy:
        for path in data.glob("sluice.db*"):
            shutil.copy(path, copy)
        connection = sqlite3.connect(f"{copy}/sluice.db")
        try:
            intact = connection.execute("PRAGMA integrity_check").fetchall()
            assert intact == [("ok",)], f"the database is broken: {intact[:3]}"
            return _read_sales(connection)
        finally:
            connection.close()


def _read_sales(connection):
    # The lanes' initial units are not stored one by one: the rest goes to the first lanes.
    sales = connection.execute("SELECT sale_id, initial_stock, lanes FROM sales").fetchall()
    found = {}
    for sale, initial, lanes in sales:
        stock = connection.execute("SELECT lane, stock, fence_epoch FROM product_stock WHERE "
                                   "sale_id = ? ORDER BY lane", [sale]).fetchall()
        orders = connection.execute("SELECT hex(order_id), user_id, lane, epoch, quantity, status, "
                                    "reason FROM orders WHERE sale_id = ?", [sale]).fetchall()
        rows = [LaneRow(lane, initial // lanes + (lane < initial % lanes), units, fence)
                for lane, units, fence in stock]
        found[sale] = Snapshot(sale, rows, [OrderRow(_uuid(row[0]), *row[1:]) for row in orders],
                               {}, {})
    return found


def _uuid(text):
    text = text.lower()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def lost_orders(ledger, snapshots):
    """Evidence of each order that was said to be confirmed and is not in the file."""
    for sale, snapshot in snapshots.items():
        rows = {row.order: row for row in snapshot.live()}
        for user, answers in list(ledger.of_sale(sale).items()):
            for answer in list(answers):
                row = rows.get(answer.order)
                if answer.state in LIVE and (row is None or row.user != user):
                    yield f"sale {sale}: {user} was told {answer.order} is {answer.state}: {row}"


# --- kills --------------------------------------------------------------------------------------


async def _kill_often(node, disk, crowd, kills, chance, report):
    """The seconds from each start to readiness."""
    starts = []
    for kill in range(kills):
        disk.set("slow", chance.choice((0, 0, 5, 20)))
        if chance.random() < 0.2:
            disk.set("torn writes")
        await asyncio.sleep(chance.uniform(*KILL_AFTER_S))
        await asyncio.to_thread(node.kill)
        disk.set("well")
        snapshots = await asyncio.to_thread(read_file, node.folder / "data")
        report.breach("acknowledged_is_on_disk", list(lost_orders(crowd.ledger, snapshots)),
                      f"kill {kill}: ")
        began = time.monotonic()
        await asyncio.to_thread(node.start)
        await asyncio.to_thread(node.wait_ready, 30)
        starts.append(time.monotonic() - began)
    return starts


# --- moods --------------------------------------------------------------------------------------


async def _try_mood(disk, mood, milliseconds, crowd, report):
    """Buyers get a definite answer meanwhile, and orders again soon afterwards."""
    disk.set(mood, milliseconds)
    began = time.monotonic()
    # A commit that was under way may still succeed.
    await asyncio.sleep(MOOD_S)
    disk.set("well")
    ended = time.monotonic()
    seen = _purchases(crowd, began + 0.2, ended)
    _report_answers(mood, seen, report)
    report.breach("definite_answer", [f"{mood}: {one}" for one in seen if one.status == 0])
    if mood != "slow":
        report.breach("no_order_without_its_commit",
                      [f"{mood}: {one}" for one in seen if one.status == 201])
    if not any(one.status for one in seen):
        report.breach("definite_answer", [f"{mood}: nobody was answered"])
    await _until_sold_again(mood, ended, crowd, report)


def _report_answers(mood, seen, report):
    said = Counter(one.code or f"status {one.status}" for one in seen)
    report.figure(f"{mood}: purchases answered",
                  ", ".join(f"{count} {code}" for code, count in said.most_common()))


def _purchases(crowd, begin, end):
    return [one for one in crowd.ledger.everything()
            if one.ask == "buy" and begin <= one.sent <= end and one.done <= end + 5]


async def _until_sold_again(mood, since, crowd, report):
    while time.monotonic() < since + RECOVERS_WITHIN_S:
        bought = [one.done for one in _purchases(crowd, since, float("inf")) if one.status == 201]
        if bought:
            report.figure(f"{mood}: sells again after, s", round(min(bought) - since, 2))
            return
        await asyncio.sleep(0.05)
    report.breach("recovers_without_restart",
                  [f"{mood}: nothing sold within {RECOVERS_WITHIN_S} s"])


# --- a real full file system ------------------------------------------------------------------


@contextmanager
def small_file_system(folder, megabytes=12):
    """A file system of that size, or None where this process may not mount."""
    folder.mkdir(parents=True)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", folder],
                             stderr=subprocess.DEVNULL, check=False).returncode == 0
    try:
        yield folder if mounted else None
    finally:
        if mounted:
            subprocess.run(["umount", folder], check=True)


async def _fill_up(folder, report, choices):
    """Fills a small file system, sees refusals, frees it, and sees orders again."""
    ballast = folder / "ballast"
    node = embedded(folder, {})
    await asyncio.to_thread(node.start)
    await asyncio.to_thread(node.wait_ready)
    crowd = Crowd([node], [Plan(stock=1_000_000)], f"{choices.seed}.full", "full",
                  rate_per_s=choices.rate)
    crowd.plans[0].sale = node.open_sale(stock=1_000_000)
    running = asyncio.create_task(crowd.run())
    try:
        await asyncio.sleep(0.5)
        with open(ballast, "wb", buffering=0) as file:
            try:
                while file.write(b"\0" * 65536):
                    pass
            except OSError:
                pass
        began = time.monotonic()
        await asyncio.sleep(MOOD_S * 2)
        seen = _purchases(crowd, began, time.monotonic())
        ballast.unlink()
        _report_answers("full file system", seen, report)
        report.breach("definite_answer", [f"full file system: {one}" for one in seen
                                          if one.status == 0])
        await _until_sold_again("full file system", time.monotonic(), crowd, report)
    finally:
        crowd.stopped = True
        await running
        await asyncio.to_thread(node.kill)
        crowd.close()
    report.breach("acknowledged_is_on_disk",
                  list(lost_orders(crowd.ledger, read_file(folder / "data"))), "full file system: ")


# --- the campaign -------------------------------------------------------------------------------


async def _round(number, node, disk, report, choices, kills, last):
    seed = f"{choices.seed}.{number}"
    chance = random.Random(f"disk {seed}")
    plans = [Plan(stock=1_000_000, limit=3),
             Plan(stock=int(choices.rate * kills * 0.05) + 10, lanes=2, sells_out=True)]
    crowd = Crowd([node], plans, seed, f"disk{number}", rate_per_s=choices.rate, buyers_max=200)
    for plan in plans:
        plan.sale = await asyncio.to_thread(node.open_sale, **plan.terms())
    running = asyncio.create_task(crowd.run())
    try:
        starts = await _kill_often(node, disk, crowd, kills, chance, report)
        if last:
            for mood, milliseconds in (("full", 0), ("failing writes", 0), ("failing syncs", 0),
                                       ("torn writes", 0), ("slow", 300)):
                await _try_mood(disk, mood, milliseconds, crowd, report)
    finally:
        crowd.stopped = True
        await running
    report.add("kills", len(starts))
    await _check(node, crowd, plans, report)
    return starts


async def _check(node, crowd, plans, report):
    """At rest, with the server ended in good order."""
    async def left():
        """Whether anybody of the last was told anything but that all is sold."""
        said = [answers[-1].code for user, answers in crowd.ledger.of_sale(plans[1].sale).items()
                if ".end" in user]
        return len(said) < 50 or set(said[-50:]) != {"sold_out"}

    if not await crowd.sell_out(plans[1], left):
        report.breach("everything_sold", [f"sale {plans[1].sale}: nobody says that it is sold out"])
    outcomes = {plan.sale: await crowd.outcomes(plan.sale) for plan in plans}
    assert await asyncio.to_thread(node.terminate) == 0, "the server did not end in good order"
    snapshots = read_file(node.folder / "data")
    for plan in plans:
        case = Case(snapshots[plan.sale], crowd.ledger, outcomes[plan.sale], plan.sells_out,
                    crowd.clock_offset)
        for name, sentences in check(case, leave_out=SERVICES_ONLY).items():
            report.breach(name, sentences, f"sale {plan.sale}: ")
            report.story(f"sale {plan.sale}, {name}", evidence(case, sentences[:3]))
        report.add("orders confirmed", len(case.snapshot.live()))
        report.add("orders acknowledged", len(case.promised))
        report.count("acknowledged and then rejected", broken_promises(case))
    count_requests(report, crowd.ledger)
    crowd.close()


def _rounds(node, disk, report, choices):
    """The first few kills by the default settings, then rounds of many."""
    sizes = [min(KILLS_BY_DEFAULT, choices.count)]
    while sum(sizes) < choices.count:
        sizes.append(min(KILLS_A_ROUND, choices.count - sum(sizes)))
    for number, kills in enumerate(sizes):
        node.start()
        node.wait_ready()
        starts = asyncio.run(_round(number, node, disk, report, choices, kills,
                                    number + 1 == len(sizes)))
        name = "serves again, by default" if number == 0 else "serves again, with a short lease"
        if number < 2:
            report.times(name, starts, SERVES_WITHIN_S)
        node.environment.update(SHORT_LEASE)
        if report.breaches and not choices.keep_going:
            return


def run(choices):
    report = Report("disk", choices.seed, count=choices.count)
    folder = OUTPUT / f"disk-{os.getpid()}"
    folder.mkdir(parents=True)
    disk = Disk(folder)
    node = embedded(folder / "node", disk.environment())
    try:
        _rounds(node, disk, report, choices)
        with small_file_system(folder / "small") as small:
            if small is None:
                report.figure("full file system", "left out: this process may not mount")
            else:
                asyncio.run(_fill_up(small, report, choices))
    finally:
        node.kill()
    code = report.finish()
    if code == 0:
        shutil.rmtree(folder, ignore_errors=True)
    return code
