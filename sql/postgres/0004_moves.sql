-- What happens to an order after it is confirmed, in a sale whose orders must be paid: it is paid,
-- cancelled or expires. docs/protocol.md explains it.
ALTER TABLE sales
  ADD COLUMN pay_within_ms bigint NOT NULL DEFAULT 0
    CHECK (pay_within_ms = 0 OR pay_within_ms BETWEEN 1000 AND 604800000);

-- Units that ever came back to the stock.
ALTER TABLE product_stock
  ADD COLUMN returned bigint NOT NULL DEFAULT 0 CHECK (returned >= 0);

ALTER TABLE orders ADD COLUMN pay_by timestamptz;

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

DROP FUNCTION sluice_acceptable(
  uuid[], bigint[], integer[], integer[], text[], integer[], timestamptz[]);

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

-- Sells the new orders of one lane in their order while each fits, and rejects the others. One
-- rejected under the fence's epoch was granted by a projection that is wrong, unless the store
-- itself sells: it grants what may not be there.
CREATE OR REPLACE FUNCTION sluice_sell_what_fits(
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

-- One row per message, in order. `range_topic` null: no offset moves. The fences are raised behind
-- the messages, in the same transaction.
CREATE OR REPLACE FUNCTION sluice_apply(
  ids uuid[], sales bigint[], lanes integer[], epochs integer[], users text[],
  quantities integer[], reserved timestamptz[],
  range_topic text, range_partition integer, range_begin bigint, range_next bigint,
  log_time timestamptz,
  fence_sales bigint[], fence_lanes integer[], fence_epochs integer[])
RETURNS TABLE (status order_status, reason reject_reason)
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
#variable_conflict use_column
DECLARE
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

  WITH inserted AS (
    INSERT INTO orders (order_id, sale_id, unit_price_minor, reserved_at, pay_by, status, epoch,
                        quantity, lane, currency, user_id)
    SELECT a.order_id, a.sale_id, a.unit_price_minor, a.reserved_at, now() + a.pay_within,
           'confirmed', a.epoch, a.quantity, a.lane, a.currency, a.user_id
      FROM sluice_acceptable(ids, sales, lanes, epochs, users, quantities, reserved) a
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
        FROM sluice_acceptable(ids, sales, lanes, epochs, users, quantities, reserved) a
       ORDER BY a.place
      ON CONFLICT DO NOTHING
      RETURNING sale_id, lane, epoch)
    UPDATE product_stock k SET suspect_epoch = k.fence_epoch
      FROM (SELECT DISTINCT r.sale_id, r.lane, r.epoch FROM refused r) f
     WHERE k.sale_id = f.sale_id AND k.lane = f.lane AND k.fence_epoch = f.epoch
       AND k.store_epoch <> k.fence_epoch;
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
    RETURN QUERY SELECT 'confirmed'::order_status, 'none'::reject_reason FROM unnest(ids);
  ELSE
    -- The rows are the outcomes, matched by id before anything else.
    RETURN QUERY
    SELECT CASE WHEN o.sale_id = m.sale_id AND o.user_id = m.user_id THEN o.status
                ELSE 'rejected' END,
           CASE WHEN o.sale_id = m.sale_id AND o.user_id = m.user_id THEN o.reason
                WHEN o.order_id IS NULL AND m.epoch < k.fence_epoch THEN 'fenced'
                ELSE 'invalid' END
      FROM unnest(ids, sales, lanes, epochs, users) WITH ORDINALITY
             AS m (order_id, sale_id, lane, epoch, user_id, place)
      LEFT JOIN orders o ON o.order_id = m.order_id
      LEFT JOIN product_stock k ON k.sale_id = m.sale_id AND k.lane = m.lane
     ORDER BY m.place;
  END IF;

  -- After the outcomes were read, which are those of before the fence.
  IF cardinality(fence_sales) > 0 THEN
    PERFORM sluice_raise_fences(fence_sales, fence_lanes, fence_epochs);
  END IF;
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
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
#variable_conflict use_column
DECLARE
  wish record;
  moved record;
BEGIN
  -- Before any order, and sorted, as in sluice_apply(): neither waits for the other for ever.
  PERFORM 1 FROM product_stock k
    JOIN (SELECT DISTINCT m.sale_id, m.lane FROM unnest(sales, lanes) AS m (sale_id, lane)) l
      ON k.sale_id = l.sale_id AND k.lane = l.lane
   ORDER BY k.sale_id, k.lane FOR NO KEY UPDATE OF k;

  FOR wish IN
    SELECT m.id, m.sale, m.lane, m.buyer, m.target::order_status AS target
      FROM unnest(ids, sales, lanes, users, targets) WITH ORDINALITY
             AS m (id, sale, lane, buyer, target, place)
     ORDER BY m.place
  LOOP
    UPDATE orders o SET status = wish.target
     WHERE o.order_id = wish.id AND o.sale_id = wish.sale AND o.lane = wish.lane
       AND o.user_id = wish.buyer AND o.status = 'confirmed'
       AND (wish.target <> 'expired' OR o.pay_by <= clock_timestamp())
    RETURNING o.order_id, o.sale_id, o.lane, o.quantity, o.user_id INTO moved;
    CONTINUE WHEN NOT FOUND OR wish.target = 'paid';
    UPDATE product_stock k
       SET stock = k.stock + moved.quantity, returned = k.returned + moved.quantity
     WHERE k.sale_id = moved.sale_id AND k.lane = moved.lane;
    INSERT INTO outbox (order_id, sale_id, lane, quantity, user_id)
    VALUES (moved.order_id, moved.sale_id, moved.lane, moved.quantity, moved.user_id);
  END LOOP;

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
