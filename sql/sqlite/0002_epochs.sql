-- Epochs of a lane that only grow: the last one allotted, the last one allotted to the store itself
-- (the database mode while it equals the fence), and the last one whose projection was proven wrong
-- or refused by an operator.
ALTER TABLE product_stock ADD COLUMN newest_epoch INTEGER NOT NULL DEFAULT 0
  CHECK (newest_epoch BETWEEN 0 AND 65535);
ALTER TABLE product_stock ADD COLUMN store_epoch INTEGER NOT NULL DEFAULT 0
  CHECK (store_epoch BETWEEN 0 AND newest_epoch);
ALTER TABLE product_stock ADD COLUMN suspect_epoch INTEGER NOT NULL DEFAULT 0
  CHECK (suspect_epoch BETWEEN 0 AND fence_epoch);

UPDATE product_stock SET newest_epoch = fence_epoch;

-- What operators asked of all nodes.
CREATE TABLE requests (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
