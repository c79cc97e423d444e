-- ARGV: epoch, state, starts_at_ms, ends_at_ms. Answers 1.
if not load_lane(ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], 'state', ARGV[2], 'starts_at_ms', ARGV[3], 'ends_at_ms', ARGV[4])
return 1
