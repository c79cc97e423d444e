-- What happens to an order after it is confirmed, in a sale whose orders must be paid: it is paid,
-- cancelled or expires.
ALTER TABLE sales ADD COLUMN pay_within_ms INTEGER NOT NULL DEFAULT 0
  CHECK (pay_within_ms = 0 OR pay_within_ms BETWEEN 1000 AND 604800000);

-- Units that ever came back to the stock.
ALTER TABLE product_stock ADD COLUMN returned INTEGER NOT NULL DEFAULT 0 CHECK (returned >= 0);

ALTER TABLE orders ADD COLUMN pay_by_ms INTEGER;

-- For expiry; a sale that asks for no payment never pays for it.
CREATE INDEX orders_due ON orders (pay_by_ms) WHERE status = 'confirmed' AND pay_by_ms IS NOT NULL;

-- Units that returned here, for the inventory to take. A row goes when it has.
CREATE TABLE outbox (
  place    INTEGER PRIMARY KEY AUTOINCREMENT,
  order_id BLOB    NOT NULL UNIQUE,
  sale_id  INTEGER NOT NULL,
  lane     INTEGER NOT NULL,
  quantity INTEGER NOT NULL CHECK (quantity > 0),
  user_id  TEXT    NOT NULL
) STRICT;

CREATE INDEX outbox_lane ON outbox (sale_id, lane, place);
