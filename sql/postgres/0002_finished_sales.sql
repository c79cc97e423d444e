-- Which sales a node has to know: those that are not finished, and what changed since it looked.

-- finished: closed, with no order that may still move and no unit that has yet to return. It stays
-- so. change: grows with every change of any sale, in the order of the commits.
ALTER TABLE sales
  ADD COLUMN finished boolean NOT NULL DEFAULT false CHECK (NOT finished OR state = 'closed'),
  ADD COLUMN change bigint NOT NULL DEFAULT 0;

CREATE TABLE sale_changes (
  one    boolean PRIMARY KEY DEFAULT true CHECK (one),
  newest bigint NOT NULL
);

INSERT INTO sale_changes (newest) VALUES (0);

-- The row of the count stays locked until the commit: nobody sees a change before an earlier one.
CREATE FUNCTION sluice_count_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE sale_changes SET newest = newest + 1 RETURNING newest INTO STRICT NEW.change;
  RETURN NEW;
END
$$;

CREATE TRIGGER sales_change BEFORE INSERT OR UPDATE ON sales
  FOR EACH ROW EXECUTE FUNCTION sluice_count_change();

UPDATE sales SET change = 0;

-- Thousands of finished sales cost nothing where only the others are asked for.
CREATE INDEX sales_unfinished ON sales (sale_id) WHERE state <> 'draft' AND NOT finished;
CREATE INDEX sales_finished ON sales (sale_id) WHERE finished;
CREATE INDEX sales_change ON sales (change) WHERE state <> 'draft';

-- For finishing a sale; a sale that asks for no payment never pays for it.
CREATE INDEX orders_unpaid ON orders (sale_id) WHERE status = 'confirmed' AND pay_by IS NOT NULL;
