-- ARGV: epoch, how many winners to pass over, at most how many to list. Answers {version, units,
-- pending, winners in the list, the hashes that follow}, or 1 when the list is shorter than that.
local lane = load_lane(ARGV[1])
if not lane then return 0 end
local listed = redis.call('STRLEN', KEYS[5]) / HASH_BYTES - 1
if tonumber(ARGV[2]) > listed then return 1 end
local from = HASH_BYTES * (1 + ARGV[2])
return {lane.version, lane.units, pending_count(), listed,
  redis.call('GETRANGE', KEYS[5], from, from + HASH_BYTES * ARGV[3] - 1)}
