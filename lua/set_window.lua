-- ARGV: epoch, state, starts_at_ms, ends_at_ms, revision. Answers 1.
local lane = load_lane(ARGV[1])
if not lane then return 0 end
if tonumber(ARGV[5]) < lane.revision then return 1 end
redis.call('HSET', KEYS[1], 'state', ARGV[2], 'starts_at_ms', ARGV[3], 'ends_at_ms', ARGV[4],
  'revision', ARGV[5])
return 1
