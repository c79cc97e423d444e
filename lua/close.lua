-- ARGV: epoch. Answers 1 closed. The epoch stays in all keys, so that no lower one opens the lane
-- again.
if not load_lane(ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], 'replid', CLOSED)
return 1
