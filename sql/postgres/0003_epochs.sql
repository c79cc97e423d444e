-- Epochs of a lane that only grow: the last one allotted, the last one allotted to the store itself
-- (the database mode while it equals the fence), and the last one whose projection was proven wrong
-- or refused by an operator. docs/protocol.md explains them.
ALTER TABLE product_stock
  ADD COLUMN newest_epoch integer NOT NULL DEFAULT 0,
  ADD COLUMN store_epoch integer NOT NULL DEFAULT 0 CHECK (store_epoch >= 0),
  ADD COLUMN suspect_epoch integer NOT NULL DEFAULT 0 CHECK (suspect_epoch >= 0);

UPDATE product_stock SET newest_epoch = fence_epoch;

ALTER TABLE product_stock
  ADD CHECK (newest_epoch BETWEEN fence_epoch AND 65535),
  ADD CHECK (store_epoch <= newest_epoch),
  ADD CHECK (suspect_epoch <= fence_epoch);

-- What operators asked of all nodes.
CREATE TABLE requests (
  name   text PRIMARY KEY CHECK (octet_length(name) BETWEEN 1 AND 128),
  value  text NOT NULL CHECK (octet_length(value) <= 128),
  set_at timestamptz NOT NULL DEFAULT now()
);

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
    UPDATE orders o SET status = 'rejected', reason = 'stock'
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

DROP FUNCTION sluice_apply(
  uuid[], bigint[], integer[], integer[], text[], integer[], timestamptz[],
  text, integer, bigint, bigint, timestamptz);

-- One row per message, in order. `range_topic` null: no offset moves. The fences are raised behind
-- the messages, in the same transaction.
CREATE FUNCTION sluice_apply(
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
    INSERT INTO orders (order_id, sale_id, unit_price_minor, reserved_at, status, epoch, quantity,
                        lane, currency, user_id)
    SELECT a.order_id, a.sale_id, a.unit_price_minor, a.reserved_at, 'confirmed', a.epoch,
           a.quantity, a.lane, a.currency, a.user_id
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
