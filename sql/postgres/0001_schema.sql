-- The truth of Sluice. docs/ explains the design; the functions that change these tables are in
-- 0002_functions.sql. Times are timestamptz with millisecond values; money is integer minor units.

CREATE TYPE sale_state AS ENUM ('draft', 'open', 'paused', 'closed');

CREATE TYPE order_status AS ENUM ('confirmed', 'paid', 'rejected', 'cancelled', 'expired');

CREATE TYPE reject_reason AS ENUM ('none', 'stock', 'duplicate', 'fenced', 'invalid');

CREATE TABLE sales (
  sale_id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  title            text NOT NULL CHECK (octet_length(title) BETWEEN 1 AND 200),
  description      text NOT NULL CHECK (octet_length(description) <= 2000),
  unit_price_minor bigint NOT NULL CHECK (unit_price_minor BETWEEN 0 AND 1000000000000),
  currency         text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
  stock            bigint NOT NULL CHECK (stock BETWEEN 1 AND 1000000000),
  limit_per_order  integer NOT NULL CHECK (limit_per_order BETWEEN 1 AND 1000),
  lanes            integer NOT NULL CHECK (lanes BETWEEN 1 AND 256 AND lanes <= stock),
  starts_at        timestamptz NOT NULL,
  ends_at          timestamptz NOT NULL CHECK (ends_at > starts_at),
  state            sale_state NOT NULL DEFAULT 'draft',
  revision         integer NOT NULL DEFAULT 0,
  created_at       timestamptz NOT NULL DEFAULT now()
);

-- One row per lane: the lock under which every order of the lane is decided. It changes with each
-- batch, so the page keeps room for the next version of the row (a heap-only update).
CREATE TABLE product_stock (
  sale_id     bigint NOT NULL REFERENCES sales,
  lane        integer NOT NULL CHECK (lane BETWEEN 0 AND 255),
  initial     bigint NOT NULL CHECK (initial >= 0),
  stock       bigint NOT NULL CHECK (stock >= 0),
  fence_epoch integer NOT NULL DEFAULT 0 CHECK (fence_epoch BETWEEN 0 AND 65535),
  PRIMARY KEY (sale_id, lane),
  CHECK (stock <= initial)
) WITH (fillfactor = 20);

-- Columns are sorted by alignment. No foreign key: a check per row would cost more than the row,
-- and sluice_apply(), the one way in, inserts only what joins the locked row of its lane.
CREATE TABLE orders (
  order_id         uuid PRIMARY KEY,
  sale_id          bigint NOT NULL,
  unit_price_minor bigint NOT NULL CHECK (unit_price_minor >= 0),
  reserved_at      timestamptz NOT NULL,
  decided_at       timestamptz NOT NULL DEFAULT now(),
  status           order_status NOT NULL,
  reason           reject_reason NOT NULL DEFAULT 'none',
  epoch            integer NOT NULL CHECK (epoch BETWEEN 0 AND 65535),
  quantity         integer NOT NULL CHECK (quantity BETWEEN 1 AND 1000),
  lane             smallint NOT NULL CHECK (lane BETWEEN 0 AND 255),
  currency         text COLLATE "C" NOT NULL CHECK (octet_length(currency) = 3),
  user_id          text COLLATE "C" NOT NULL CHECK (octet_length(user_id) BETWEEN 1 AND 64),
  CHECK ((status = 'rejected') = (reason <> 'none'))
);

-- Once per user: the rule of the whole shop.
CREATE UNIQUE INDEX orders_live ON orders (sale_id, user_id) WHERE status IN ('confirmed', 'paid');

-- For the audit; an accepted order never pays for it.
CREATE INDEX orders_rejected ON orders (sale_id, reason) WHERE status = 'rejected';

-- The next offset to read of each partition of the log, and the log time before it.
CREATE TABLE queue_offsets (
  topic           text NOT NULL,
  partition       integer NOT NULL CHECK (partition >= 0),
  next            bigint NOT NULL CHECK (next >= 0),
  applied_through timestamptz NOT NULL,
  PRIMARY KEY (topic, partition)
) WITH (fillfactor = 20);

-- Who leads. `holder` is null when the lease was given up; the term outlives it.
CREATE TABLE leases (
  name   text PRIMARY KEY CHECK (octet_length(name) BETWEEN 1 AND 128),
  holder text CHECK (octet_length(holder) BETWEEN 1 AND 128),
  term   bigint NOT NULL CHECK (term >= 1),
  until  timestamptz NOT NULL
);
