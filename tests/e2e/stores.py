"""What the stores say, read past the server: the other side of every end-to-end check."""

import os
import sqlite3
import subprocess

import psycopg
import redis

LIVE = ("confirmed", "paid")


def migrate(server):
    clean = {k: v for k, v in os.environ.items() if not k.startswith("SLUICE_")}
    subprocess.run([server.binary, "migrate"], env={**clean, **server.environment}, check=True,
                   timeout=120)


class _Sql:
    def live_orders(self, sale):
        """order id -> user, of every live order."""
        rows = self.rows("SELECT order_id, user_id FROM orders WHERE sale_id = {} AND status IN "
                         "('confirmed', 'paid')", sale)
        return {self.order_id(row[0]): row[1] for row in rows}

    def statuses(self, sale):
        rows = self.rows("SELECT status, count(*) FROM orders WHERE sale_id = {} GROUP BY status",
                         sale)
        return dict(rows)

    def status_of(self, sale):
        """order id -> status, of every row."""
        rows = self.rows("SELECT order_id, status FROM orders WHERE sale_id = {}", sale)
        return {self.order_id(order): status for order, status in rows}

    def outbox(self, sale):
        """Ids of orders whose units returned here, and may not be in the inventory yet."""
        rows = self.rows("SELECT order_id FROM outbox WHERE sale_id = {}", sale)
        return [self.order_id(row[0]) for row in rows]

    def stock(self, sale):
        return self.rows("SELECT sum(stock) FROM product_stock WHERE sale_id = {}", sale)[0][0]

    def initial(self, sale):
        return self.rows(f"SELECT {self.initial_column} FROM sales WHERE sale_id = {{}}", sale)[0][0]

    def live_units(self, sale):
        return self.rows("SELECT coalesce(sum(quantity), 0) FROM orders WHERE sale_id = {} AND "
                         "status IN ('confirmed', 'paid')", sale)[0][0]

    def check_conservation(self, sale):
        """Invariants 1 and 2: every unit is in stock or in one live order; one order a user."""
        assert self.stock(sale) >= 0
        assert self.stock(sale) + self.live_units(sale) == self.initial(sale)
        users = list(self.live_orders(sale).values())
        assert len(users) == len(set(users))


class Postgres(_Sql):
    initial_column = "stock"

    def __init__(self, url):
        self.url = url

    def rows(self, query, *values):
        with psycopg.connect(self.url) as connection:
            return connection.execute(query.format(*["%s"] * len(values)), values).fetchall()

    def execute(self, statements):
        with psycopg.connect(self.url) as connection:
            connection.execute(statements)

    @staticmethod
    def order_id(value):
        return str(value)


class Sqlite(_Sql):
    """Only while no server holds the file."""

    initial_column = "initial_stock"

    def __init__(self, path):
        self.path = path

    def rows(self, query, *values):
        connection = sqlite3.connect(self.path)
        try:
            return connection.execute(query.format(*["?"] * len(values)), values).fetchall()
        finally:
            connection.close()

    @staticmethod
    def order_id(value):
        text = value.hex() if isinstance(value, bytes) else value.replace("-", "")
        return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


class Redis:
    def __init__(self, url):
        self.client = redis.Redis.from_url(url)

    def clear(self):
        self.client.flushdb()

    def _key(self, kind, sale, lane):
        return f"seckill:{kind}:{{{sale}:{lane}}}"

    def stock(self, sale, lane=0):
        return int(self.client.hget(self._key("stock", sale, lane), "units"))

    def pending(self, sale, lane=0):
        """Orders reserved and undecided. Each key holds a sentinel that does not count."""
        return self.client.zcard(self._key("pending", sale, lane)) - 1

    def winners(self, sale, lane=0):
        """user -> order id."""
        records = self.client.hgetall(self._key("success", sale, lane))
        return {user.decode(): record[1:37].decode() for user, record in records.items()
                if not user.startswith(b"#")}
