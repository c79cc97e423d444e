"""Buyers: some patient, some with two tabs, some who lose their order's id, all recorded."""

import asyncio
import random
import time
from dataclasses import dataclass, field

import jwt

from .client import Client
from .ledger import Ledger, answer_of, promised

FINAL = ("confirmed", "paid", "rejected", "cancelled", "expired")
HABITS = ("plain", "double", "forgetful", "returning", "careless")
# What becomes of an order that must be paid.
ENDINGS = ("pays", "leaves", "cancels", "cancels twice", "pays and cancels",
           "cancels and buys again")
PAY_WITHIN_MS = (3_000, 60_000)  # the one passes within a round, the other does not
GIVES_UP = 0.3                   # of those who hear that units may come back, each time


@dataclass
class Plan:
    """One sale of a round."""

    stock: int
    lanes: int = 1
    limit: int = 1
    sells_out: bool = False
    share: float = 1.0  # of the crowd
    pay_within_ms: int = 0  # 0: orders are final once confirmed
    sale: int = 0

    def terms(self):
        """As the admin API takes them."""
        terms = {"stock": self.stock, "lanes": self.lanes, "limit_per_order": self.limit}
        return {**terms, "pay_within_ms": self.pay_within_ms} if self.pay_within_ms else terms


def half_to_be_paid(plans, chance):
    """Makes the orders of half of the sales ones that must be paid, soon or later in turn."""
    within = chance.sample(PAY_WITHIN_MS, len(PAY_WITHIN_MS))
    for turn, plan in enumerate(chance.sample(plans, len(plans) // 2)):
        plan.pay_within_ms = within[turn % len(within)]
    return plans


@dataclass
class Crowd:
    """Steady load of new buyers on some sales, through all nodes."""

    nodes: list            # with .name, .port, .admin_port and .admin_key
    plans: list
    seed: int
    name: str              # of the round: users are named after it
    rate_per_s: float = 200
    buyers_max: int = 400  # under way at once
    patience_s: float = 15
    ledger: Ledger = field(default_factory=Ledger)
    stopped: bool = False
    begun: int = 0

    def __post_init__(self):
        self.random = random.Random(self.seed)
        self.clients = [Client(node.port) for node in self.nodes]
        self.shops = [Client(node.admin_port) for node in self.nodes]
        self.clock_offset = time.time() - time.monotonic()
        now = int(time.time())
        # Signing costs more than asking; the servers check `sub` and nothing else that differs.
        self.claims = {"iss": "sluice", "aud": "sluice", "iat": now, "exp": now + 86_400}

    def token(self, user):
        return jwt.encode({"sub": user, **self.claims}, self.nodes[0].identity_secret,
                          algorithm="HS256")

    async def run(self):
        """Sends buyers until `stopped`, then waits for those under way."""
        under_way = set()
        began = time.monotonic()
        while not self.stopped:
            due = began + self.begun / self.rate_per_s
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            while len(under_way) >= self.buyers_max:
                await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
            plan = self.random.choices(self.plans, [plan.share for plan in self.plans])[0]
            task = asyncio.create_task(self.buyer(plan, self._name(plan)))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
            if time.monotonic() - due > 1:
                # Behind after a stall: the rate holds from here, without a burst.
                began += time.monotonic() - due
        if under_way:
            done, _ = await asyncio.wait(under_way)
            for task in done:
                task.result()

    def _name(self, plan):
        self.begun += 1
        return f"{self.name}.{plan.sale}.{self.begun}"

    # --- one buyer ------------------------------------------------------------------------------

    async def buyer(self, plan, user, habit=None):
        """Buys, looks after the order, and comes back, each after a habit."""
        chance = random.Random(f"{self.seed} {user}")
        habit = habit or chance.choice(HABITS)
        token = self.token(user)
        quantity = chance.randint(1, plan.limit)
        if habit == "double":
            await asyncio.gather(*(self.buy_at(client, plan.sale, user, token, quantity)
                                   for client in range(len(self.clients))))
        bought = await self._buy_until_definite(chance, plan, user, token, quantity)
        if habit == "careless" or not bought:
            return
        if habit == "forgetful":
            await self._ask(chance, "mine", plan.sale, user, token)
        await self._follow(chance, plan.sale, user, token, bought)
        if habit == "returning":
            await asyncio.sleep(chance.uniform(0, 2))
            await self.buy_at(chance.randrange(len(self.clients)), plan.sale, user, token,
                               quantity)
            await self._ask(chance, "mine", plan.sale, user, token)
        if plan.pay_within_ms:
            await asyncio.sleep(chance.uniform(0, 0.5))
            await self._end(chance, plan, user, token, bought)

    async def _buy_until_definite(self, chance, plan, user, token, quantity):
        """The order id; None when told that nothing is left, or out of patience."""
        until = time.monotonic() + self.patience_s
        while time.monotonic() < until:
            at = chance.randrange(len(self.clients))
            answer = await self.buy_at(at, plan.sale, user, token, quantity)
            if answer.status in (200, 201, 202):
                return answer.order
            if answer.status == 409:
                if answer.code == "sold_out":
                    return None
                quantity = 1
            if answer.code == "sold_out_for_now":
                # Where units come back for long, a crowd of the patient would only grow.
                if self.stopped or (plan.pay_within_ms and chance.random() < GIVES_UP):
                    return None
            await asyncio.sleep(chance.uniform(0.05, 0.5))
        return None

    async def _end(self, chance, plan, user, token, order):
        """Pays, cancels, both or nothing, and looks what became of it."""
        sale, ending = plan.sale, chance.choice(ENDINGS)
        nodes = range(len(self.clients))
        if ending == "leaves":
            return
        if ending == "pays and cancels":
            moves = chance.sample(("pay", "cancel"), 2)
            await asyncio.gather(*(self.move_at(at % len(nodes), move, sale, user, token, order)
                                   for at, move in enumerate(moves)))
        elif ending == "cancels twice":
            await asyncio.gather(*(self.move_at(at, "cancel", sale, user, token, order)
                                   for at in nodes))
        ask = "pay" if ending.startswith("pays") else "cancel"
        await self._move_until_definite(chance, ask, sale, user, token, order)
        if ending == "cancels and buys again":
            again = await self._buy_until_definite(chance, plan, user, token, 1)
            if again and again != order and chance.random() < 0.5:
                await self._move_until_definite(chance, "pay", sale, user, token, again)
        await self._ask(chance, "find", sale, user, token, order)
        await self._ask(chance, "mine", sale, user, token)

    async def _move_until_definite(self, chance, ask, sale, user, token, order, patience_s=5):
        until = time.monotonic() + patience_s
        while time.monotonic() < until:
            at = chance.randrange(len(self.clients))
            answer = await self.move_at(at, ask, sale, user, token, order)
            if answer.status == 200 or answer.code == "order_final":
                return
            await asyncio.sleep(chance.uniform(0.1, 0.5))

    async def _follow(self, chance, sale, user, token, order):
        """Looks until the order is decided, three times at most."""
        for _ in range(3):
            answer = await self._ask(chance, "find", sale, user, token, order, wait_ms=1000)
            if answer.state in FINAL:
                return
            await asyncio.sleep(chance.uniform(0.1, 0.5))

    async def buy_at(self, at, sale, user, token, quantity):
        sent = time.monotonic()
        reply = await self.clients[at].ask("POST", f"/v1/sales/{sale}/orders", token,
                                           {"quantity": quantity})
        return self._note(sale, user, answer_of(reply, "buy", self.nodes[at].name, sent,
                                                time.monotonic(), quantity=quantity))

    async def _ask(self, chance, ask, sale, user, token, order="mine", wait_ms=0):
        at = chance.randrange(len(self.clients))
        wait = f"?wait={wait_ms}" if wait_ms else ""
        sent = time.monotonic()
        reply = await self.clients[at].ask("GET", f"/v1/sales/{sale}/orders/{order}{wait}", token,
                                           patience_s=wait_ms / 1000)
        return self._note(sale, user, answer_of(reply, ask, self.nodes[at].name, sent,
                                                time.monotonic(), order))

    async def move_at(self, at, ask, sale, user, token, order):
        """`pay`: the shop's payment service says so; `cancel`: its owner does."""
        node = self.nodes[at]
        path = f"sales/{sale}/orders/{order}/{ask}"
        sent = time.monotonic()
        if ask == "pay":
            reply = await self.shops[at].ask("POST", f"/admin/{path}", node.admin_key,
                                             {"user": user})
        else:
            reply = await self.clients[at].ask("POST", f"/v1/{path}", token)
        return self._note(sale, user, answer_of(reply, ask, node.name, sent, time.monotonic(),
                                                order))

    def _note(self, sale, user, answer):
        self.ledger.note(sale, user, answer)
        return answer

    # --- after the load -------------------------------------------------------------------------

    async def sell_out(self, plan, left, patience_s=30):
        """Buyers of one unit come until `left()` is 0; then one more asks for the last word."""
        until = time.monotonic() + patience_s
        batch = 0
        while await left():
            if time.monotonic() > until:
                return False
            batch += 1
            await asyncio.gather(*(self._one_unit(plan, f"{self.name}.{plan.sale}.end{batch}-{i}")
                                   for i in range(50)))
        return True

    async def _one_unit(self, plan, user):
        chance = random.Random(f"{self.seed} {user}")
        at = chance.randrange(len(self.clients))
        answer = await self.buy_at(at, plan.sale, user, self.token(user), 1)
        if answer.status not in (200, 201, 202):
            await asyncio.sleep(0.2)

    async def pay_all(self, sale, orders):
        """The shop says of each (user, order) once that it is paid."""
        gate = asyncio.Semaphore(16)

        async def pay(user, order):
            async with gate:
                at = self.random.randrange(len(self.shops))
                await self.move_at(at, "pay", sale, user, "", order)

        await asyncio.gather(*(pay(user, order) for user, order in orders))

    async def outcomes(self, sale, patience_s=60):
        """promised order -> (status, reason), as one node or the other says now. An order that is
        not decided in time keeps the last that was said."""
        found = {}
        until = time.monotonic() + patience_s
        gate = asyncio.Semaphore(64)
        orders = [(user, order) for user, answers in list(self.ledger.of_sale(sale).items())
                  for order in promised(answers)]
        await asyncio.gather(*(self._outcome(gate, sale, user, order, until, found)
                               for user, order in orders))
        return found

    async def _outcome(self, gate, sale, user, order, until, found):
        chance = random.Random(f"{self.seed} {order}")
        async with gate:
            token = self.token(user)
            while True:
                answer = await self._ask(chance, "find", sale, user, token, order)
                found[order] = (answer.state or f"status {answer.status}", answer.reason)
                if answer.state in FINAL or time.monotonic() > until:
                    return
                await asyncio.sleep(0.2)

    def close(self):
        for client in self.clients + self.shops:
            client.close()


def longest_silence(ledger, begin, end):
    """(seconds, since when) of the longest time, between `begin` and `end`, in which no purchase
    got a definite answer."""
    times = sorted(answer.done for answer in ledger.everything()
                   if answer.ask == "buy" and answer.status in (200, 201, 202, 409)
                   and begin <= answer.done <= end)
    marks = [begin, *times, end]
    return max((later - sooner, sooner) for sooner, later in zip(marks, marks[1:]))
