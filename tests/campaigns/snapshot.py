"""What Postgres, Redis and the log say about one sale, read past the server."""

import json
import time
from dataclasses import dataclass, field
from typing import NamedTuple, Optional

import psycopg
import redis
from confluent_kafka import Consumer, TopicPartition

LIVE = ("confirmed", "paid")


class LaneRow(NamedTuple):
    lane: int
    initial: int
    stock: int
    fence: int
    by_store: int = 0  # the last epoch that the store sells by itself

    def sold_by_store(self):
        return self.fence > 0 and self.by_store == self.fence


class OrderRow(NamedTuple):
    order: str
    user: str
    lane: int
    epoch: int
    quantity: int
    status: str
    reason: str
    pay_by_ms: Optional[int] = None  # since 1970


@dataclass
class Projected:
    """One lane in Redis; not ready when a key is missing, foreign or of another epoch."""

    ready: bool = False
    epoch: int = 0
    units: int = 0
    pending: dict = field(default_factory=dict)  # order -> quantity
    success: dict = field(default_factory=dict)  # user -> (order, status letter, quantity)


class Logged(NamedTuple):
    """A record of one lane, in the order of its partition: an order, or (without one) a fence."""

    order: str
    epoch: int


@dataclass
class Snapshot:
    """One sale at one time."""

    sale: int
    lanes: list
    orders: list
    projected: dict  # lane -> Projected
    log: dict        # lane -> [Logged]
    outbox: list = field(default_factory=list)  # orders whose units Redis may not have yet
    late: list = field(default_factory=list)    # orders that came behind a fence, refused or not

    def live(self):
        return [row for row in self.orders if row.status in LIVE]


def read_truth(url, sale):
    """(lanes, orders) of one snapshot of Postgres."""
    return read_store(url, sale)[:2]


def read_store(url, sale):
    """(lanes, orders, outbox) of one snapshot of Postgres."""
    with psycopg.connect(url, connect_timeout=5) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        lanes = connection.execute(
            "SELECT lane, initial, stock, fence_epoch, store_epoch FROM product_stock WHERE "
            "sale_id = %s ORDER BY lane", [sale]).fetchall()
        orders = connection.execute(
            "SELECT order_id::text, user_id, lane, epoch, quantity, status::text, reason::text, "
            "(extract(epoch FROM pay_by) * 1000)::bigint FROM orders WHERE sale_id = %s",
            [sale]).fetchall()
        outbox = connection.execute(
            "SELECT order_id::text FROM outbox WHERE sale_id = %s", [sale]).fetchall()
    return ([LaneRow(*row) for row in lanes], [OrderRow(*row) for row in orders],
            [row[0] for row in outbox])


def read_late(url, sale):
    """order -> whether it is undecided, of those that came behind a fence and have no row."""
    with psycopg.connect(url, connect_timeout=5) as connection:
        return dict(connection.execute(
            "SELECT order_id::text, reason = 'none' FROM late_orders WHERE sale_id = %s AND "
            "quantity > 0", [sale]).fetchall())


def read_stock(url, sale):
    """lane -> units left."""
    with psycopg.connect(url, connect_timeout=5) as connection:
        return dict(connection.execute(
            "SELECT lane, stock FROM product_stock WHERE sale_id = %s", [sale]).fetchall())


def read_unpaid(url, sale):
    """(user, order) of every confirmed order."""
    with psycopg.connect(url, connect_timeout=5) as connection:
        return connection.execute(
            "SELECT user_id, order_id::text FROM orders WHERE sale_id = %s AND "
            "status = 'confirmed'", [sale]).fetchall()


def fill_lane(url, sale, count):
    """Gives lane 0 that many confirmed orders, past the server, in one transaction."""
    with psycopg.connect(url) as connection:
        connection.execute(
            "UPDATE product_stock SET stock = stock - %s WHERE sale_id = %s AND lane = 0",
            [count, sale])
        connection.execute(
            "INSERT INTO orders (order_id, sale_id, unit_price_minor, reserved_at, status, epoch, "
            "quantity, lane, currency, user_id) SELECT gen_random_uuid(), %s, 1999, now(), "
            "'confirmed', 1, 1, 0, 'EUR', 'old-' || n FROM generate_series(1, %s) n", [sale, count])


def _key(kind, sale, lane):
    return f"seckill:{kind}:{{{sale}:{lane}}}"


def read_projected(client, sale, lane):
    """One lane as Redis has it at one instant."""
    pipe = client.pipeline(transaction=True)
    pipe.hgetall(_key("sale", sale, lane))
    pipe.hgetall(_key("stock", sale, lane))
    pipe.hgetall(_key("success", sale, lane))
    pipe.zrange(_key("pending", sale, lane), 0, -1, withscores=True)
    pipe.info("replication")
    head, stock, success, pending, info = pipe.execute(raise_on_error=True)
    epoch = head.get(b"epoch", b"")
    sentinels = (stock.get(b"epoch"), success.get(b"#epoch"),
                 b"%d" % dict(pending).get(b"#epoch", -1))
    ready = (bool(epoch) and sentinels == (epoch,) * 3
             and head.get(b"replid", b"").decode() == info["master_replid"])
    members = [member.decode() for member, _ in pending if not member.startswith(b"#")]
    return Projected(
        ready, int(epoch or 0), int(stock.get(b"units", 0)),
        {member[:36]: int(member[36:].partition(":")[0]) for member in members},
        {user.decode(): (record[1:37].decode(), chr(record[0]), int(record[37:]))
         for user, record in success.items() if not user.startswith(b"#")})


def lane_ready(client, sale, lane):
    """Whether Redis sells the lane."""
    try:
        return read_projected(client, sale, lane).ready
    except (redis.RedisError, OSError):
        return False


def store_sells(url, sale, lane):
    """Whether the store sells the lane by itself."""
    try:
        with psycopg.connect(url, connect_timeout=2) as connection:
            found = connection.execute(
                "SELECT fence_epoch > 0 AND store_epoch = fence_epoch FROM product_stock "
                "WHERE sale_id = %s AND lane = %s", [sale, lane]).fetchone()
        return bool(found and found[0])
    except psycopg.Error:
        return False


def read_log(brokers, topic, patience_s=60):
    """(sale, lane) -> [Logged], each lane's records in their order, without what is no record."""
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": f"{topic}.campaign",
                         "enable.auto.commit": False, "fetch.wait.max.ms": 10})
    log = {}
    try:
        until = time.monotonic() + patience_s
        for partition in consumer.list_topics(topic, timeout=30).topics[topic].partitions:
            begin, end = consumer.get_watermark_offsets(TopicPartition(topic, partition),
                                                        timeout=30)
            consumer.assign([TopicPartition(topic, partition, begin)])
            _read_partition(consumer, begin, end, until, log)
    finally:
        consumer.close()
    return log


def _read_partition(consumer, begin, end, until, log):
    seen = begin
    while seen < end:
        assert time.monotonic() < until, "the log could not be read in time"
        for message in consumer.consume(min(1000, end - seen), timeout=1):
            if message.error() is None:
                _take(message.value(), log)
                seen = message.offset() + 1


def _take(value, log):
    try:
        record = json.loads(value)
        place = record["sale_id"], record["lane"]
        epoch = record["fence"] if "fence" in record else record["epoch"]
        log.setdefault(place, []).append(Logged(record.get("order_id", ""), epoch))
    except (ValueError, KeyError, TypeError):
        return


def read(services, sale, log):
    """Everything about a sale; the stores must be at rest for it to fit together."""
    lanes, orders, outbox = read_store(services.postgres_url, sale)
    projected = {row.lane: read_projected(services.redis.client, sale, row.lane) for row in lanes}
    return Snapshot(sale, lanes, orders, projected,
                    {row.lane: log.get((sale, row.lane), []) for row in lanes}, outbox,
                    list(read_late(services.postgres_url, sale)))
