"""A lane of many orders becomes ready after a restart, however long the whole image takes."""

import sqlite3

import psycopg

ORDERS = 300_000
LEFT = 5

SQLITE = """
BEGIN;
WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {orders})
INSERT INTO orders (order_id, sale_id, lane, user_id, quantity, status, reason, epoch,
                    reserved_at_ms)
SELECT randomblob(16), {sale}, 0, 'bulk-' || i, 1, 'confirmed', 'none', 1, 1800000000000 FROM n;
UPDATE product_stock SET stock = {left} WHERE sale_id = {sale};
COMMIT;
"""

POSTGRES = """
INSERT INTO orders (order_id, sale_id, unit_price_minor, reserved_at, status, epoch, quantity, lane,
                    currency, user_id)
SELECT gen_random_uuid(), {sale}, 1, now(), 'confirmed', 1, 1, 0, 'EUR', 'bulk-' || i
  FROM generate_series(0, {orders} - 1) AS i;
UPDATE product_stock SET stock = {left} WHERE sale_id = {sale};
"""


def check_sells_on(server, sale):
    """Who has an order keeps it, and what is left is sold to others."""
    assert server.buy(sale, f"bulk-{ORDERS // 2}").status_code == 200
    assert server.buy(sale, "late").status_code in (201, 202)


def test_embedded_restart_with_many_orders(embedded):
    server = embedded().start()
    sale = server.open_sale(stock=ORDERS + LEFT)
    server.terminate()
    connection = sqlite3.connect(embedded.truth.path)
    connection.executescript(SQLITE.format(sale=sale, orders=ORDERS, left=LEFT))
    connection.close()

    # The whole takes longer than any one call may; each page does not.
    server.start(SLUICE_RECOVERY_CALL_TIMEOUT_MS="200")
    check_sells_on(server, sale)
    server.terminate()
    assert embedded.truth.stock(sale) == LEFT - 1


def test_services_rebuild_of_many_orders(services, own_redis):
    server = services().start()
    sale = server.open_sale(stock=ORDERS + LEFT)
    server.terminate()
    with psycopg.connect(services.truth.url) as connection:
        connection.execute(POSTGRES.format(sale=sale, orders=ORDERS, left=LEFT))
    own_redis.flush()

    server.start(SLUICE_RECOVERY_CALL_TIMEOUT_MS="500")
    check_sells_on(server, sale)
    assert not services.projection.client.keys("seckill:staging:*")
