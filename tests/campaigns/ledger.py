"""Everything that buyers asked and were answered, in the order in which it happened to each."""

import struct
from collections import defaultdict
from typing import NamedTuple

_MASK = (1 << 64) - 1
_LANE_KEY = b"sluice.lane".ljust(16, b"\0")


class Answer(NamedTuple):
    """One request and its answer; times in seconds of one monotonic clock."""

    sent: float
    done: float
    node: str
    ask: str          # buy, find, mine, pay (by the shop), cancel (by the owner)
    status: int       # 0: no answer
    code: str = ""    # of a refusal; lost or not_sent without an answer
    order: str = ""   # in the answer, or asked about
    state: str = ""   # queued, confirmed, paid, rejected, ...
    reason: str = ""  # of a rejection
    quantity: int = 0
    backlogged: bool = False


class Ledger:
    """Answers by (sale, user)."""

    def __init__(self):
        self.answers = defaultdict(list)

    def note(self, sale, user, answer):
        self.answers[sale, user].append(answer)

    def of_sale(self, sale):
        """user -> answers."""
        return {user: answers for (of, user), answers in self.answers.items() if of == sale}

    def everything(self):
        return [answer for answers in self.answers.values() for answer in answers]


def promised(answers):
    """order id -> the first answer that acknowledged it."""
    first = {}
    for answer in answers:
        if answer.ask == "buy" and answer.status in (200, 201, 202):
            first.setdefault(answer.order, answer)
    return first


def answer_of(reply, ask, node, sent, done, order="", quantity=0):
    """What a client's reply means. `order_undecided` says that the order is queued."""
    body = reply.body
    code = body.get("code", "")
    state = body.get("status", "") if reply.status < 300 else ""
    if code == "order_undecided":
        state = "queued"
    return Answer(sent, done, node, ask, reply.status, code, body.get("order_id", order), state,
                  body.get("reason", ""), body.get("quantity", quantity),
                  body.get("backlogged", False))


# --- what an order id says ----------------------------------------------------------------------


def _number(order):
    return int(order.replace("-", ""), 16)


def made_at_ms(order):
    return _number(order) >> 80


def epoch_of(order):
    number = _number(order)
    return (number >> 64 & 0xFFF) << 4 | number >> 58 & 0xF


def lane_in(order):
    return _number(order) >> 50 & 0xFF


# --- a user's lane ------------------------------------------------------------------------------


def _rotate(x, bits):
    return (x << bits | x >> (64 - bits)) & _MASK


def _round(v0, v1, v2, v3):
    v0 = (v0 + v1) & _MASK
    v1 = _rotate(v1, 13) ^ v0
    v0 = _rotate(v0, 32)
    v2 = (v2 + v3) & _MASK
    v3 = _rotate(v3, 16) ^ v2
    v0 = (v0 + v3) & _MASK
    v3 = _rotate(v3, 21) ^ v0
    v2 = (v2 + v1) & _MASK
    v1 = _rotate(v1, 17) ^ v2
    v2 = _rotate(v2, 32)
    return v0, v1, v2, v3


def sip_hash(key, data):
    """SipHash-2-4 of bytes."""
    k0, k1 = struct.unpack("<QQ", key)
    v = (k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D,
         k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573)
    padded = data + b"\0" * (7 - len(data) % 8) + bytes([len(data) & 0xFF])
    for (word,) in struct.iter_unpack("<Q", padded):
        v = (v[0], v[1], v[2], v[3] ^ word)
        v = _round(*_round(*v))
        v = (v[0] ^ word, v[1], v[2], v[3])
    v = (v[0], v[1], v[2] ^ 0xFF, v[3])
    for _ in range(4):
        v = _round(*v)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def lane_of(user, lanes):
    """The lane in which a user buys, for ever."""
    return sip_hash(_LANE_KEY, user.encode()) % lanes if lanes > 1 else 0
