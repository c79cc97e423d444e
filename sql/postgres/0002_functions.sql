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
  reserved_at timestamptz, unit_price_minor bigint, currency text, place bigint)
LANGUAGE sql STABLE AS $$
  SELECT m.order_id, m.sale_id, m.lane, m.epoch, m.user_id, m.quantity, m.reserved_at,
         s.unit_price_minor, s.currency, m.place
    FROM unnest(ids, sales, lanes, epochs, users, quantities, reserved) WITH ORDINALITY
           AS m (order_id, sale_id, lane, epoch, user_id, quantity, reserved_at, place)
    JOIN product_stock k ON k.sale_id = m.sale_id AND k.lane = m.lane
    JOIN sales s ON s.sale_id = m.sale_id
   WHERE m.epoch BETWEEN k.fence_epoch AND 65535
     AND m.quantity BETWEEN 1 AND s.limit_per_order
     AND octet_length(m.user_id) BETWEEN 1 AND 64
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

-- Sells the new orders of one lane in their order while each fits, and rejects the others.
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
  UPDATE orders o SET status = 'rejected', reason = 'stock'
    FROM unnest(excess) AS e (order_id) WHERE o.order_id = e.order_id;
  UPDATE product_stock k SET stock = remaining
   WHERE k.sale_id = full_sale AND k.lane = full_lane AND k.stock = available;
END
$$;

-- One row per message, in order. `range_topic` null: no offset moves.
CREATE FUNCTION sluice_apply(
  ids uuid[], sales bigint[], lanes integer[], epochs integer[], users text[],
  quantities integer[], reserved timestamptz[],
  range_topic text, range_partition integer, range_begin bigint, range_next bigint,
  log_time timestamptz)
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
    JOIN (SELECT DISTINCT m.sale_id, m.lane FROM unnest(sales, lanes) AS m (sale_id, lane)) l
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

  -- An acceptable message without a row was refused by orders_live: its user has a live order.
  IF NOT all_confirmed THEN
    INSERT INTO orders (order_id, sale_id, unit_price_minor, reserved_at, status, reason, epoch,
                        quantity, lane, currency, user_id)
    SELECT a.order_id, a.sale_id, a.unit_price_minor, a.reserved_at, 'rejected', 'duplicate',
           a.epoch, a.quantity, a.lane, a.currency, a.user_id
      FROM sluice_acceptable(ids, sales, lanes, epochs, users, quantities, reserved) a
     ORDER BY a.place
    ON CONFLICT DO NOTHING;
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
    RETURN;
  END IF;

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
END
$$;
