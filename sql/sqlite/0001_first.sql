-- Times are milliseconds since 1970. Names of states and reasons are those of the API.

CREATE TABLE schema_migrations (
  version       INTEGER PRIMARY KEY,
  name          TEXT    NOT NULL,
  applied_at_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE sales (
  sale_id          INTEGER PRIMARY KEY AUTOINCREMENT,
  title            TEXT    NOT NULL,
  description      TEXT    NOT NULL,
  unit_price_minor INTEGER NOT NULL CHECK (unit_price_minor >= 0),
  currency         TEXT    NOT NULL,
  initial_stock    INTEGER NOT NULL CHECK (initial_stock > 0),
  limit_per_order  INTEGER NOT NULL CHECK (limit_per_order > 0),
  lanes            INTEGER NOT NULL CHECK (lanes > 0),
  starts_at_ms     INTEGER NOT NULL,
  ends_at_ms       INTEGER NOT NULL,
  state            TEXT    NOT NULL CHECK (state IN ('draft', 'open', 'paused', 'closed')),
  revision         INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE product_stock (
  sale_id     INTEGER NOT NULL REFERENCES sales,
  lane        INTEGER NOT NULL CHECK (lane >= 0),
  stock       INTEGER NOT NULL CHECK (stock >= 0),
  fence_epoch INTEGER NOT NULL DEFAULT 0 CHECK (fence_epoch BETWEEN 0 AND 65535),
  PRIMARY KEY (sale_id, lane)
) STRICT, WITHOUT ROWID;

-- Ids begin with their time, so new rows land at the right edge of the tree.
CREATE TABLE orders (
  order_id       BLOB    PRIMARY KEY CHECK (length(order_id) = 16),
  sale_id        INTEGER NOT NULL,
  lane           INTEGER NOT NULL,
  user_id        TEXT    NOT NULL,
  quantity       INTEGER NOT NULL CHECK (quantity > 0),
  status         TEXT    NOT NULL,
  reason         TEXT    NOT NULL,
  epoch          INTEGER NOT NULL,
  reserved_at_ms INTEGER NOT NULL,
  CHECK ((status = 'rejected') = (reason <> 'none')),
  FOREIGN KEY (sale_id, lane) REFERENCES product_stock
) STRICT, WITHOUT ROWID;

-- One live order per user and sale.
CREATE UNIQUE INDEX orders_live ON orders (sale_id, user_id)
  WHERE status IN ('queued', 'confirmed', 'paid');

CREATE TABLE queue_offsets (
  topic       TEXT    NOT NULL,
  partition   INTEGER NOT NULL,
  next        INTEGER NOT NULL CHECK (next >= 0),
  log_time_ms INTEGER NOT NULL,
  PRIMARY KEY (topic, partition)
) STRICT, WITHOUT ROWID;

CREATE TABLE leases (
  name     TEXT    PRIMARY KEY,
  holder   TEXT    NOT NULL,
  term     INTEGER NOT NULL,
  until_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
