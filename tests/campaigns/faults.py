"""A seeded schedule of faults, and the hands that apply it."""

import asyncio
import math
import random
import time
from collections import Counter
from typing import NamedTuple

NODE = "node"  # Stands for any of them.
# What may happen to whom, and how often.
KINDS = (
    ("redis", "kill", 4), ("redis", "pause", 3), ("redis", "flush", 2), ("redis", "forget", 2),
    ("redis", "roll_back", 2), ("kafka", "kill", 2), ("kafka", "pause", 3),
    ("postgres", "kill", 3), ("postgres", "pause", 3), (NODE, "kill", 8), (NODE, "pause", 6),
    (NODE, "lose_postgres", 5), (NODE, "lose_redis", 3),
    ("operator", "rebuild", 2),
)
KILLS = ("kill", "forget", "roll_back")
SHORTEST_S, LONGEST_S = 0.2, 8.0
RECOVERS_AT_ALL_S = 120


class Fault(NamedTuple):
    """`at`: seconds after the round's begin; `lasts`: how long the target is away."""

    at: float
    target: str
    kind: str
    lasts: float


def schedule(seed, count, spacing_s, nodes="ab"):
    """`count` faults, in order; the same for the same arguments. Those of different targets may
    overlap, and half of them come close upon the one before. `nodes`: their names."""
    chance = random.Random(f"faults {seed}")
    kinds = [(target, kind) for target, kind, _ in KINDS]
    weights = [weight for _, _, weight in KINDS]
    at, faults = 0.5, []
    for _ in range(count):
        target, kind = chance.choices(kinds, weights)[0]
        if target == NODE:
            target = chance.choice(nodes)
        span = math.log(LONGEST_S / SHORTEST_S)
        lasts = SHORTEST_S * math.exp(chance.random() * span)
        if kind in KILLS:
            # A supervisor starts what died; only a pause may last.
            lasts = min(lasts, 1.5)
        if kind in ("flush", "rebuild"):
            lasts = 0.0
        faults.append(Fault(round(at, 2), target, kind, round(lasts, 2)))
        at += chance.choice((0.1, 2.0)) * spacing_s * chance.uniform(0.6, 1.4)
    return faults


def calm(seed, nodes="ab"):
    """A few faults to be measured one by one."""
    chance = random.Random(f"calm {seed}")
    redis = chance.choice(("kill", "flush", "forget", "roll_back"))
    return [Fault(0, "redis", redis, 0.5), Fault(0, chance.choice(nodes), "kill", 0.0)]


class Recovery(NamedTuple):
    """How long a target took to be of use again; `alone`: nothing else was wrong meanwhile."""

    target: str
    kind: str
    seconds: float
    alone: bool
    since: float


class Faults:
    """Applies a schedule. `targets`: name -> service, node or operator. `lanes_ready()`: whether
    every lane sells from Redis again."""

    def __init__(self, targets, lanes_ready):
        self.targets = targets
        self.lanes_ready = lanes_ready
        self.locks = {name: asyncio.Lock() for name in targets}
        self.active = 0
        self.begun = Counter()  # target -> faults: to see whether one came in between
        self.counts = Counter()
        self.recoveries = []
        self.story = []         # (monotonic time, text)
        self.watches = set()

    async def run(self, faults):
        """Returns when all of them are over and what they hit runs again."""
        began = time.monotonic()
        running = []
        for fault in faults:
            await asyncio.sleep(max(0.0, began + fault.at - time.monotonic()))
            # One target suffers one fault at a time; the schedule waits for it, so that the
            # number of faults under way is bounded.
            await self.locks[fault.target].acquire()
            running.append(asyncio.create_task(self._apply(fault)))
        await asyncio.gather(*running)

    async def run_alone(self, faults):
        """Each only when all has recovered from the one before."""
        for fault in faults:
            await self.run([fault._replace(at=0)])
            await self.settle()

    async def settle(self):
        """Waits until everything that recovers has done so."""
        while self.watches:
            await asyncio.gather(*self.watches)

    def tell(self, text):
        self.story.append((time.monotonic(), text))

    def story_of(self, begin, end):
        """What was told in that time, as lines."""
        return [f"{at:.3f} {text}" for at, text in self.story if begin <= at <= end]

    async def _apply(self, fault):
        self.active += 1
        self.begun[fault.target] += 1
        self.tell(f"{fault.target} {fault.kind} for {fault.lasts} s")
        try:
            await getattr(self, f"_{fault.kind}")(fault)
            self.counts[f"{fault.target} {fault.kind}"] += 1
        finally:
            self.active -= 1
            self.locks[fault.target].release()
        self.tell(f"{fault.target} is back")

    async def _pause(self, fault):
        target = self.targets[fault.target]
        await asyncio.to_thread(target.pause)
        try:
            await asyncio.sleep(fault.lasts)
        finally:
            await asyncio.to_thread(target.resume)

    async def _lose(self, fault, service):
        """A node is cut off from a service that others reach."""
        door = self.targets[fault.target].doors[service]
        await asyncio.to_thread(door.close)
        try:
            await asyncio.sleep(fault.lasts)
        finally:
            await asyncio.to_thread(door.open)

    async def _lose_postgres(self, fault):
        await self._lose(fault, "postgres")

    async def _lose_redis(self, fault):
        await self._lose(fault, "redis")

    async def _kill(self, fault, begin="start"):
        target = self.targets[fault.target]
        await asyncio.to_thread(target.kill)
        await asyncio.sleep(fault.lasts)
        began = time.monotonic()
        await asyncio.to_thread(getattr(target, begin))
        if fault.target == "redis":
            self._watch(fault, "lanes", self.lanes_ready, time.monotonic())
        elif hasattr(target, "ready"):
            self._watch(fault, "node", target.ready, began)

    async def _forget(self, fault):
        await self._kill(fault, begin="start_empty")

    async def _roll_back(self, fault):
        await self._kill(fault, begin="roll_back")

    async def _flush(self, fault):
        await asyncio.to_thread(self.targets["redis"].flush)
        self._watch(fault, "lanes", self.lanes_ready, time.monotonic())

    async def _rebuild(self, fault):
        if await asyncio.to_thread(self.targets["operator"].rebuild):
            self._watch(fault, "lanes", self.lanes_ready, time.monotonic())

    def _watch(self, fault, what, holds, since):
        """Notes how long it takes from `since` until `holds()`, while the load goes on."""
        alone = self.active == 1 and not self.watches
        watch = asyncio.create_task(self._until(fault, what, holds, since, alone))
        self.watches.add(watch)
        watch.add_done_callback(self.watches.discard)

    async def _until(self, fault, what, holds, since, alone):
        begun = dict(self.begun)
        while not await asyncio.to_thread(holds):
            if self.begun[fault.target] != begun[fault.target]:
                return  # hit again before it recovered
            if time.monotonic() > since + RECOVERS_AT_ALL_S:
                break
            await asyncio.sleep(0.01)
        alone = alone and self.begun == begun
        seconds = time.monotonic() - since
        self.recoveries.append(Recovery(what, fault.kind, seconds, alone, since))
