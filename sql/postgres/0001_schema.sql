-- The truth of Sluice: its tables, then the functions that change them. docs/protocol.md explains
-- the design. Times are timestamptz with millisecond values; money is integer minor units.

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
  created_at       timestamptz NOT NULL DEFAULT now(),
  pay_within_ms    bigint NOT NULL DEFAULT 0
    CHECK (pay_within_ms = 0 OR pay_within_ms BETWEEN 1000 AND 604800000)
);

-- One row per lane: the lock under which every order of the lane is decided. It changes with each
-- batch, so the page keeps room for the next version of the row (a heap-only update). Its epochs
-- only grow: the fence, the last one allotted, the last one allotted to the store itself (the
-- database mode while it equals the fence), and the last one whose projection was proven wrong or
-- refused by an operator. `unopened_epoch`: the last one that a leader was allotted, until somebody
-- begins to open the inventory under it. `returned`: units that ever came back to the stock.
CREATE TABLE product_stock (
  sale_id       bigint NOT NULL REFERENCES sales,
  lane          integer NOT NULL CHECK (lane BETWEEN 0 AND 255),
  initial       bigint NOT NULL CHECK (initial >= 0),
  stock         bigint NOT NULL CHECK (stock >= 0),
  fence_epoch   integer NOT NULL DEFAULT 0 CHECK (fence_epoch BETWEEN 0 AND 65535),
  newest_epoch  integer NOT NULL DEFAULT 0,
  store_epoch   integer NOT NULL DEFAULT 0 CHECK (store_epoch >= 0),
  suspect_epoch integer NOT NULL DEFAULT 0 CHECK (suspect_epoch >= 0),
  returned      bigint NOT NULL DEFAULT 0 CHECK (returned >= 0),
  unopened_epoch integer NOT NULL DEFAULT 0,
  PRIMARY KEY (sale_id, lane),
  CHECK (stock <= initial),
  CHECK (newest_epoch BETWEEN fence_epoch AND 65535),
  CHECK (store_epoch <= newest_epoch),
  CHECK (suspect_epoch <= fence_epoch),
  CHECK (unopened_epoch BETWEEN 0 AND newest_epoch)
) WITH (fillfactor = 20);

-- Columns are sorted by alignment. No foreign key: a check per row would cost more than the row,
-- and sluice_apply(), the one way in, inserts only what joins the locked row of its lane.
CREATE TABLE orders (
  order_id         uuid PRIMARY KEY,
  sale_id          bigint NOT NULL,
  unit_price_minor bigint NOT NULL CHECK (unit_price_minor >= 0),
  reserved_at      timestamptz NOT NULL,
  decided_at       timestamptz NOT NULL DEFAULT now(),
  pay_by           timestamptz,
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

-- For late orders: whether their user got another one since.
CREATE INDEX orders_over ON orders (sale_id, user_id) WHERE status IN ('cancelled', 'expired');

-- For the audit; an accepted order never pays for it.
CREATE INDEX orders_rejected ON orders (sale_id, reason) WHERE status = 'rejected';

-- For expiry; a sale that asks for no payment never pays for it.
CREATE INDEX orders_due ON orders (pay_by) WHERE status = 'confirmed' AND pay_by IS NOT NULL;

-- Units that returned here, for the inventory to take. A row goes when it has.
CREATE TABLE outbox (
  place    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  order_id uuid NOT NULL UNIQUE,
  sale_id  bigint NOT NULL,
  lane     integer NOT NULL,
  quantity integer NOT NULL CHECK (quantity > 0),
  user_id  text COLLATE "C" NOT NULL,
  moved_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX outbox_lane ON outbox (sale_id, lane, place);

-- Orders from before their lane's fence without a row in `orders`: what came behind the fence, and
-- what only its owner has named (`quantity` 0). A row goes when its order is decided under a later
-- epoch; with a reason the order ended without units, and the row stays.
CREATE TABLE late_orders (
  place       bigint GENERATED ALWAYS AS IDENTITY,
  order_id    uuid PRIMARY KEY,
  sale_id     bigint NOT NULL,
  noted_at    timestamptz NOT NULL DEFAULT now(),
  reserved_at timestamptz NOT NULL DEFAULT now(),
  reason      reject_reason NOT NULL DEFAULT 'none',
  epoch       integer NOT NULL CHECK (epoch BETWEEN 0 AND 65535),
  quantity    integer NOT NULL CHECK (quantity BETWEEN 0 AND 1000),
  lane        smallint NOT NULL CHECK (lane BETWEEN 0 AND 255),
  user_id     text COLLATE "C" NOT NULL CHECK (octet_length(user_id) BETWEEN 1 AND 64)
);

CREATE INDEX late_orders_undecided ON late_orders (place) WHERE reason = 'none';
CREATE INDEX late_orders_of_user ON late_orders (sale_id, user_id) WHERE reason = 'none';

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

-- What operators asked of all nodes.
CREATE TABLE requests (
  name   text PRIMARY KEY CHECK (octet_length(name) BETWEEN 1 AND 128),
  value  text NOT NULL CHECK (octet_length(value) <= 128),
  set_at timestamptz NOT NULL DEFAULT now()
);

-- sluice_apply() decides a batch of messages. Its statements are separate, and in this order,
-- because each needs what the one before it locked or wrote, seen by a snapshot of its own (READ
-- COMMITTED). The planner is told to look rows up by index: a plan made while `orders` is empty
-- would scan it.

-- The messages that may become orders, with what their sale says. Inlined into its callers.
CREATE FUNCTION sluice_acceptable(
  ids uuid[], sales bigint[], lanes integer[], epochs integer[], users text[],
  quantities integer[], reserved timestamptz[])
RETURNS TABLE (
  order_id uuid, sale_id bigint, lane integer, epoch integer, user_id text, quantity integer,
  reserved_at timestamptz, unit_price_minor bigint, currency text, pay_within interval,
  place bigint)
LANGUAGE sql STABLE AS $$
  SELECT m.order_id, m.sale_id, m.lane, m.epoch, m.user_id, m.quantity, m.reserved_at,
         s.unit_price_minor, s.currency,
         nullif(s.pay_within_ms, 0) * interval '1 millisecond', m.place
    FROM unnest(ids, sales, lanes, epochs, users, quantities, reserved) WITH ORDINALITY
           AS m (order_id, sale_id, lane, epoch, user_id, quantity, reserved_at, place)
    JOIN product_stock k ON k.sale_id = m.sale_id AND k.lane = m.lane
    JOIN sales s ON s.sale_id = m.sale_id
   WHERE m.epoch BETWEEN k.fence_epoch AND 65535
     AND m.quantity BETWEEN 1 AND s.limit_per_order
     AND octet_length(m.user_id) BETWEEN 1 AND 64
$$;

-- Keeps messages of before the fence that have no row.
CREATE FUNCTION sluice_park(
  ids uuid[], sales bigint[], lanes integer[], epochs integer[], users text[],
  quantities integer[], reserved timestamptz[])
RETURNS void LANGUAGE sql AS $$
  INSERT INTO late_orders AS l (order_id, sale_id, lane, epoch, user_id, quantity, reserved_at)
  SELECT DISTINCT ON (m.order_id) m.order_id, m.sale_id, m.lane, m.epoch, m.user_id, m.quantity,
         m.reserved_at
    FROM unnest(ids, sales, lanes, epochs, users, quantities, reserved) WITH ORDINALITY
           AS m (order_id, sale_id, lane, epoch, user_id, quantity, reserved_at, place)
    JOIN product_stock k ON k.sale_id = m.sale_id AND k.lane = m.lane
    JOIN sales s ON s.sale_id = m.sale_id
   WHERE m.epoch BETWEEN 0 AND k.fence_epoch - 1
     AND m.quantity BETWEEN 1 AND s.limit_per_order
     AND octet_length(m.user_id) BETWEEN 1 AND 64
     AND NOT EXISTS (SELECT FROM orders o WHERE o.order_id = m.order_id)
   ORDER BY m.order_id, m.place
  ON CONFLICT (order_id) DO UPDATE
     SET quantity = excluded.quantity, reserved_at = excluded.reserved_at
   WHERE l.quantity = 0 AND l.reason = 'none'
     AND l.sale_id = excluded.sale_id AND l.user_id = excluded.user_id
$$;

-- Moves a partition's position from `range_begin` to `range_next`, or raises SL001.
CREATE FUNCTION sluice_move_offset(
  range_topic text, range_partition integer, range_begin bigint, range_next bigint,
  log_time timestamptz)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  UPDATE queue_offsets o
     SET next = range_next, applied_through = greatest(o.applied_through, log_time)
   WHERE o.topic = range_topic AND o.partition = range_partition AND o.next = range_begin;
  IF NOT FOUND AND range_begin = 0 THEN
    INSERT INTO queue_offsets VALUES (range_topic, range_partition, range_next, log_time)
    ON CONFLICT DO NOTHING;
  END IF;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'partition %/% is not at offset %', range_topic, range_partition, range_begin
      USING ERRCODE = 'SL001';
  END IF;
END
$$;

-- Sells the new orders of one lane in their order while each fits, and rejects the others. One
-- rejected under the fence's epoch was granted by a projection that is wrong, unless the store
-- itself sells: it grants what may not be there.
CREATE FUNCTION sluice_sell_what_fits(
  full_sale bigint, full_lane integer,
  new_orders uuid[], new_sales bigint[], new_lanes integer[], new_quantities integer[])
RETURNS void LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
  available bigint;
  remaining bigint;
  candidate record;
  excess uuid[] := '{}';
BEGIN
  SELECT k.stock INTO STRICT available
    FROM product_stock k WHERE k.sale_id = full_sale AND k.lane = full_lane;
  remaining := available;
  FOR candidate IN
    SELECT n.order_id, n.quantity
      FROM unnest(new_orders, new_sales, new_lanes, new_quantities) WITH ORDINALITY
             AS n (order_id, sale_id, lane, quantity, place)
     WHERE n.sale_id = full_sale AND n.lane = full_lane
     ORDER BY n.place
  LOOP
    IF candidate.quantity <= remaining THEN
      remaining := remaining - candidate.quantity;
    ELSE
      excess := excess || candidate.order_id;
    END IF;
  END LOOP;
  WITH refused AS (
    UPDATE orders o SET status = 'rejected', reason = 'stock', pay_by = NULL
      FROM unnest(excess) AS e (order_id) WHERE o.order_id = e.order_id
    RETURNING o.epoch)
  UPDATE product_stock k
     SET stock = remaining,
         suspect_epoch = CASE WHEN k.store_epoch <> k.fence_epoch
                               AND k.fence_epoch IN (SELECT r.epoch FROM refused r)
                              THEN k.fence_epoch ELSE k.suspect_epoch END
   WHERE k.sale_id = full_sale AND k.lane = full_lane AND k.stock = available;
END
$$;

-- Raises SL001 unless `leader` is null or the leader's term, which it then stays until the
-- transaction ends.
CREATE FUNCTION sluice_check_leader(leader bigint)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF leader IS NULL THEN
    RETURN;
  END IF;
  PERFORM 1 FROM leases l WHERE l.name = 'recovery' AND l.term = leader FOR SHARE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'term % of the leader is over', leader USING ERRCODE = 'SL001';
  END IF;
END
$$;

-- Allots an epoch, or hands over the last one that a leader was allotted and nobody began to open.
-- No row without the lane, or when no epoch is left.
CREATE FUNCTION sluice_next_epoch(
  of_sale bigint, of_lane integer, for_store boolean, epoch_max integer, leader bigint)
RETURNS SETOF integer LANGUAGE plpgsql AS $$
BEGIN
  PERFORM sluice_check_leader(leader);
  RETURN QUERY
  SELECT k.newest_epoch FROM product_stock k
   WHERE k.sale_id = of_sale AND k.lane = of_lane AND leader IS NOT NULL
     AND k.unopened_epoch > 0 AND k.unopened_epoch = k.newest_epoch
     AND (k.store_epoch = k.newest_epoch) = for_store
     FOR NO KEY UPDATE;
  IF FOUND THEN
    RETURN;
  END IF;
  RETURN QUERY
  UPDATE product_stock k
     SET newest_epoch = k.newest_epoch + 1,
         store_epoch = CASE WHEN for_store THEN k.newest_epoch + 1 ELSE k.store_epoch END,
         unopened_epoch = CASE WHEN leader IS NULL THEN k.unopened_epoch
                               ELSE k.newest_epoch + 1 END
   WHERE k.sale_id = of_sale AND k.lane = of_lane AND k.newest_epoch < epoch_max
  RETURNING k.newest_epoch;
END
$$;

-- Gives the right to open the inventory under an epoch, once, or raises SL001.
CREATE FUNCTION sluice_begin_opening(
  of_sale bigint, of_lane integer, of_epoch integer, leader bigint)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM sluice_check_leader(leader);
  UPDATE product_stock k SET unopened_epoch = 0
   WHERE k.sale_id = of_sale AND k.lane = of_lane AND k.newest_epoch = of_epoch
     AND k.fence_epoch = of_epoch AND of_epoch > 0
     AND k.unopened_epoch = of_epoch;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'lane %:% may not be opened under epoch %', of_sale, of_lane, of_epoch
      USING ERRCODE = 'SL001';
  END IF;
END
$$;

-- Raises fences. A fence never falls; one above the last epoch allotted, or of an unknown lane, is
-- ignored.
CREATE FUNCTION sluice_raise_fences(
  fence_sales bigint[], fence_lanes integer[], fence_epochs integer[])
RETURNS void LANGUAGE sql AS $$
  UPDATE product_stock k SET fence_epoch = f.epoch
    FROM (SELECT m.sale_id, m.lane, max(m.epoch) AS epoch
            FROM unnest(fence_sales, fence_lanes, fence_epochs) AS m (sale_id, lane, epoch)
            JOIN product_stock a ON a.sale_id = m.sale_id AND a.lane = m.lane
           WHERE m.epoch <= a.newest_epoch
           GROUP BY m.sale_id, m.lane) f
   WHERE k.sale_id = f.sale_id AND k.lane = f.lane AND k.fence_epoch < f.epoch
$$;

-- One row per message, in order; `queued` for one that is parked. `late`: some may be parked orders
-- that were granted again under a later epoch than that of their id. `range_topic` null: no offset
-- moves. The fences are raised behind the messages, in the same transaction.
CREATE FUNCTION sluice_apply(
  ids uuid[], sales bigint[], lanes integer[], epochs integer[], users text[],
  quantities integer[], reserved timestamptz[],
  range_topic text, range_partition integer, range_begin bigint, range_next bigint,
  log_time timestamptz,
  fence_sales bigint[], fence_lanes integer[], fence_epochs integer[], late boolean)
RETURNS TABLE (status text, reason reject_reason)
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
#variable_conflict use_column
DECLARE
  granted integer[] := epochs;
  new_orders uuid[];
  new_sales bigint[];
  new_lanes integer[];
  new_quantities integer[];
  sold record;
  all_confirmed boolean;
BEGIN
  -- Sorted, so that two batches never wait for each other. From here on no one else decides for
  -- these lanes, raises their fence or changes their stock.
  PERFORM 1 FROM product_stock k
    JOIN (SELECT DISTINCT m.sale_id, m.lane
            FROM unnest(sales || fence_sales, lanes || fence_lanes) AS m (sale_id, lane)) l
      ON k.sale_id = l.sale_id AND k.lane = l.lane
   ORDER BY k.sale_id, k.lane FOR NO KEY UPDATE OF k;

  IF range_topic IS NOT NULL THEN
    PERFORM sluice_move_offset(range_topic, range_partition, range_begin, range_next, log_time);
  END IF;

  -- What ended without units stays so, whoever has granted it since. An order ends so, too, when
  -- its user got another one under a later epoch that is over by now: that one took its place.
  IF late THEN
    UPDATE late_orders l SET reason = 'duplicate'
     WHERE l.order_id = ANY (ids) AND l.reason = 'none'
       AND EXISTS (SELECT FROM orders o
                    WHERE o.sale_id = l.sale_id AND o.user_id = l.user_id
                      AND o.status IN ('cancelled', 'expired') AND o.epoch > l.epoch);
    SELECT array_agg(CASE WHEN l.order_id IS NULL THEN m.epoch ELSE -1 END ORDER BY m.place)
      INTO granted
      FROM unnest(ids, epochs) WITH ORDINALITY AS m (order_id, epoch, place)
      LEFT JOIN late_orders l ON l.order_id = m.order_id AND l.reason <> 'none';
  END IF;

  WITH inserted AS (
    INSERT INTO orders (order_id, sale_id, unit_price_minor, reserved_at, pay_by, status, epoch,
                        quantity, lane, currency, user_id)
    SELECT a.order_id, a.sale_id, a.unit_price_minor, a.reserved_at, now() + a.pay_within,
           'confirmed', a.epoch, a.quantity, a.lane, a.currency, a.user_id
      FROM sluice_acceptable(ids, sales, lanes, granted, users, quantities, reserved) a
     ORDER BY a.place
    ON CONFLICT DO NOTHING
    RETURNING order_id, sale_id, lane, quantity)
  SELECT coalesce(array_agg(i.order_id), '{}'), array_agg(i.sale_id), array_agg(i.lane),
         array_agg(i.quantity)
    INTO new_orders, new_sales, new_lanes, new_quantities
    FROM inserted i;
  all_confirmed := cardinality(new_orders) = cardinality(ids);

  -- An acceptable message without a row was refused by orders_live: its user has a live order. The
  -- projection that granted it under the fence's epoch is wrong.
  IF NOT all_confirmed THEN
    WITH refused AS (
      INSERT INTO orders (order_id, sale_id, unit_price_minor, reserved_at, status, reason, epoch,
                          quantity, lane, currency, user_id)
      SELECT a.order_id, a.sale_id, a.unit_price_minor, a.reserved_at, 'rejected', 'duplicate',
             a.epoch, a.quantity, a.lane, a.currency, a.user_id
        FROM sluice_acceptable(ids, sales, lanes, granted, users, quantities, reserved) a
       ORDER BY a.place
      ON CONFLICT DO NOTHING
      RETURNING sale_id, lane, epoch)
    UPDATE product_stock k SET suspect_epoch = k.fence_epoch
      FROM (SELECT DISTINCT r.sale_id, r.lane, r.epoch FROM refused r) f
     WHERE k.sale_id = f.sale_id AND k.lane = f.lane AND k.fence_epoch = f.epoch
       AND k.store_epoch <> k.fence_epoch;
    PERFORM sluice_park(ids, sales, lanes, granted, users, quantities, reserved);
  END IF;
  IF late THEN
    DELETE FROM late_orders l USING orders o
     WHERE l.order_id = ANY (ids) AND l.reason = 'none' AND o.order_id = l.order_id;
  END IF;

  FOR sold IN
    SELECT n.sale_id, n.lane, sum(n.quantity) AS units
      FROM unnest(new_sales, new_lanes, new_quantities) AS n (sale_id, lane, quantity)
     GROUP BY n.sale_id, n.lane
  LOOP
    UPDATE product_stock k SET stock = k.stock - sold.units
     WHERE k.sale_id = sold.sale_id AND k.lane = sold.lane AND k.stock >= sold.units;
    IF NOT FOUND THEN
      PERFORM sluice_sell_what_fits(sold.sale_id, sold.lane, new_orders, new_sales, new_lanes,
                                    new_quantities);
      all_confirmed := false;
    END IF;
  END LOOP;

  IF all_confirmed THEN
    RETURN QUERY SELECT 'confirmed', 'none'::reject_reason FROM unnest(ids);
  ELSE
    -- The rows are the outcomes, matched by id before anything else.
    RETURN QUERY
    SELECT CASE WHEN o.sale_id = m.sale_id AND o.user_id = m.user_id THEN o.status::text
                WHEN l.reason = 'none' THEN 'queued'
                ELSE 'rejected' END,
           CASE WHEN o.sale_id = m.sale_id AND o.user_id = m.user_id THEN o.reason
                ELSE coalesce(l.reason, 'invalid') END
      FROM unnest(ids, sales, users) WITH ORDINALITY AS m (order_id, sale_id, user_id, place)
      LEFT JOIN orders o ON o.order_id = m.order_id
      LEFT JOIN late_orders l ON l.order_id = m.order_id AND o.order_id IS NULL
                             AND l.sale_id = m.sale_id AND l.user_id = m.user_id
     ORDER BY m.place;
  END IF;

  -- After the outcomes were read, which are those of before the fence.
  IF cardinality(fence_sales) > 0 THEN
    PERFORM sluice_raise_fences(fence_sales, fence_lanes, fence_epochs);
  END IF;
END
$$;

-- Locks lanes as sluice_apply() does.
CREATE FUNCTION sluice_lock_lanes(sales bigint[], lanes integer[])
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM 1 FROM product_stock k
    JOIN (SELECT DISTINCT m.sale_id, m.lane FROM unnest(sales, lanes) AS m (sale_id, lane)) l
      ON k.sale_id = l.sale_id AND k.lane = l.lane
   ORDER BY k.sale_id, k.lane FOR NO KEY UPDATE OF k;
END
$$;

-- Notes orders of before the fence that only their owners have named.
CREATE FUNCTION sluice_note_late(
  ids uuid[], sales bigint[], lanes integer[], epochs integer[], users text[])
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM sluice_lock_lanes(sales, lanes);
  INSERT INTO late_orders (order_id, sale_id, lane, epoch, user_id, quantity)
  SELECT m.order_id, m.sale_id, m.lane, m.epoch, m.user_id, 0
    FROM unnest(ids, sales, lanes, epochs, users) AS m (order_id, sale_id, lane, epoch, user_id)
    JOIN product_stock k ON k.sale_id = m.sale_id AND k.lane = m.lane
   WHERE m.epoch < k.fence_epoch
     AND NOT EXISTS (SELECT FROM orders o WHERE o.order_id = m.order_id)
  ON CONFLICT DO NOTHING;
END
$$;

-- Ends late orders without units, if they are undecided and of the size that was seen. Raises SL001
-- unless `leader` is the leader's term.
CREATE FUNCTION sluice_refuse_late(
  ids uuid[], sales bigint[], lanes integer[], quantities integer[], reasons text[],
  leader bigint)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM sluice_check_leader(leader);
  PERFORM sluice_lock_lanes(sales, lanes);
  UPDATE late_orders l SET reason = m.reason::reject_reason
    FROM unnest(ids, quantities, reasons) AS m (order_id, quantity, reason)
   WHERE l.order_id = m.order_id AND l.quantity = m.quantity AND l.reason = 'none';
END
$$;

-- Moves orders on, one after the other. One row for each transition whose order is that user's in
-- that sale, as the order is in the end; `place` counts the transitions from 1.
CREATE FUNCTION sluice_move(
  ids uuid[], sales bigint[], lanes integer[], users text[], targets text[])
RETURNS TABLE (
  place bigint, order_id uuid, sale_id bigint, lane integer, user_id text, quantity integer,
  status order_status, reason reject_reason, unit_price_minor bigint, currency text,
  reserved_at timestamptz, pay_by timestamptz)
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
#variable_conflict use_column
BEGIN
  -- Before any order, and sorted, as in sluice_apply(): neither waits for the other for ever.
  PERFORM sluice_lock_lanes(sales, lanes);

  WITH wish AS (
    -- Of an order that is named twice, the first that may be.
    SELECT DISTINCT ON (o.order_id) o.order_id, m.target::order_status AS target, m.place
      FROM unnest(ids, sales, lanes, users, targets) WITH ORDINALITY
             AS m (id, sale, lane, buyer, target, place)
      JOIN orders o
        ON o.order_id = m.id AND o.sale_id = m.sale AND o.lane = m.lane
       AND o.user_id = m.buyer AND o.status = 'confirmed'
       AND (m.target <> 'expired' OR o.pay_by <= clock_timestamp())
     ORDER BY o.order_id, m.place),
  moved AS (
    UPDATE orders o SET status = w.target
      FROM wish w WHERE o.order_id = w.order_id
    RETURNING o.order_id, o.sale_id, o.lane, o.quantity, o.user_id, w.target, w.place),
  back AS (
    SELECT * FROM moved WHERE target <> 'paid'),
  stocked AS (
    UPDATE product_stock k SET stock = k.stock + b.units, returned = k.returned + b.units
      FROM (SELECT sale_id, lane, sum(quantity) AS units FROM back GROUP BY sale_id, lane) b
     WHERE k.sale_id = b.sale_id AND k.lane = b.lane)
  INSERT INTO outbox (order_id, sale_id, lane, quantity, user_id)
  SELECT b.order_id, b.sale_id, b.lane, b.quantity, b.user_id FROM back b ORDER BY b.place;

  RETURN QUERY
  SELECT m.place, o.order_id, o.sale_id, o.lane::integer, o.user_id, o.quantity, o.status,
         o.reason, o.unit_price_minor, o.currency, o.reserved_at, o.pay_by
    FROM unnest(ids, sales, users) WITH ORDINALITY AS m (id, sale, buyer, place)
    JOIN orders o ON o.order_id = m.id AND o.sale_id = m.sale AND o.user_id = m.buyer
   ORDER BY m.place;
END
$$;

-- Forgets rows that a lane's inventory took, or raises SL001 when a later epoch was allotted.
CREATE FUNCTION sluice_relayed(
  taken_sale bigint, taken_lane integer, taken_epoch integer, ids uuid[])
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  -- Locked: no later epoch is allotted before the rows are gone.
  PERFORM 1 FROM product_stock k
   WHERE k.sale_id = taken_sale AND k.lane = taken_lane AND k.newest_epoch = taken_epoch
     FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'lane %:% is not under epoch %', taken_sale, taken_lane, taken_epoch
      USING ERRCODE = 'SL001';
  END IF;
  DELETE FROM outbox b
   WHERE b.sale_id = taken_sale AND b.lane = taken_lane AND b.order_id = ANY (ids);
END
$$;
