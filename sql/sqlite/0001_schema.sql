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
  revision         INTEGER NOT NULL DEFAULT 0,
  -- 0: orders need no payment.
  pay_within_ms    INTEGER NOT NULL DEFAULT 0
    CHECK (pay_within_ms = 0 OR pay_within_ms BETWEEN 1000 AND 604800000)
) STRICT;

-- Epochs of a lane only grow: the fence, the last one allotted, the last one allotted to the store
-- itself (the database mode while it equals the fence), and the last one whose projection was proven
-- wrong or refused by an operator. `unopened_epoch`: the last one that a leader was allotted, until
-- somebody begins to open the inventory under it.
CREATE TABLE product_stock (
  sale_id       INTEGER NOT NULL REFERENCES sales,
  lane          INTEGER NOT NULL CHECK (lane >= 0),
  stock         INTEGER NOT NULL CHECK (stock >= 0),
  fence_epoch   INTEGER NOT NULL DEFAULT 0 CHECK (fence_epoch BETWEEN 0 AND 65535),
  newest_epoch  INTEGER NOT NULL DEFAULT 0 CHECK (newest_epoch BETWEEN 0 AND 65535),
  store_epoch   INTEGER NOT NULL DEFAULT 0 CHECK (store_epoch BETWEEN 0 AND newest_epoch),
  suspect_epoch INTEGER NOT NULL DEFAULT 0 CHECK (suspect_epoch BETWEEN 0 AND fence_epoch),
  -- Units that ever came back to the stock.
  returned      INTEGER NOT NULL DEFAULT 0 CHECK (returned >= 0),
  unopened_epoch INTEGER NOT NULL DEFAULT 0 CHECK (unopened_epoch BETWEEN 0 AND newest_epoch),
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
  pay_by_ms      INTEGER,
  CHECK ((status = 'rejected') = (reason <> 'none')),
  FOREIGN KEY (sale_id, lane) REFERENCES product_stock
) STRICT, WITHOUT ROWID;

-- One live order per user and sale.
CREATE UNIQUE INDEX orders_live ON orders (sale_id, user_id)
  WHERE status IN ('queued', 'confirmed', 'paid');

-- For late orders: whether their user got another one since.
CREATE INDEX orders_over ON orders (sale_id, user_id) WHERE status IN ('cancelled', 'expired');

-- For the image of a lane, whose reader finds everything here. Ids begin with their time, so an order
-- lands at the right edge of its lane.
CREATE INDEX orders_image ON orders (sale_id, lane, order_id, user_id, status, quantity)
  WHERE status IN ('queued', 'confirmed', 'paid');

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

-- Orders from before their lane's fence without a row in `orders`: what came behind the fence, and
-- what only its owner has named (`quantity` 0). A row goes when its order is decided under a later
-- epoch; with a reason the order ended without units, and the row stays.
CREATE TABLE late_orders (
  place          INTEGER PRIMARY KEY AUTOINCREMENT,
  order_id       BLOB    NOT NULL UNIQUE CHECK (length(order_id) = 16),
  sale_id        INTEGER NOT NULL,
  lane           INTEGER NOT NULL,
  user_id        TEXT    NOT NULL,
  quantity       INTEGER NOT NULL CHECK (quantity >= 0),
  reason         TEXT    NOT NULL DEFAULT 'none',
  epoch          INTEGER NOT NULL,
  reserved_at_ms INTEGER NOT NULL,
  noted_at_ms    INTEGER NOT NULL
) STRICT;

CREATE INDEX late_orders_undecided ON late_orders (place) WHERE reason = 'none';
CREATE INDEX late_orders_of_user ON late_orders (sale_id, user_id) WHERE reason = 'none';

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

-- What operators asked of all nodes.
CREATE TABLE requests (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
