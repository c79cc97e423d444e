-- Which sales a node has to know: those that are not finished, and what changed since it looked.

-- finished: closed, with no order that may still move and no unit that has yet to return. It stays
-- so. change: grows with every change of any sale; that of a draft means nothing.
ALTER TABLE sales ADD COLUMN finished INTEGER NOT NULL DEFAULT 0
  CHECK (finished = 0 OR (finished = 1 AND state = 'closed'));
ALTER TABLE sales ADD COLUMN change INTEGER NOT NULL DEFAULT 0;

UPDATE sales SET change = sale_id;

-- Thousands of finished sales cost nothing where only the others are asked for.
CREATE INDEX sales_unfinished ON sales (sale_id) WHERE state <> 'draft' AND finished = 0;
CREATE INDEX sales_finished ON sales (sale_id) WHERE finished = 1;
CREATE INDEX sales_change ON sales (change) WHERE state <> 'draft';

CREATE TRIGGER sales_change AFTER UPDATE OF state, finished ON sales BEGIN
  UPDATE sales
     SET change = 1 + (SELECT coalesce(max(change), 0) FROM sales WHERE state <> 'draft')
   WHERE sale_id = new.sale_id;
END;

-- For finishing a sale; a sale that asks for no payment never pays for it.
CREATE INDEX orders_unpaid ON orders (sale_id)
  WHERE status = 'confirmed' AND pay_by_ms IS NOT NULL;
