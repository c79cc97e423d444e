-- KEYS[6], KEYS[7]: records and list of the live orders, staged. ARGV: epoch, state, starts_at_ms,
-- ends_at_ms, revision, units, staged orders.
-- Answers 1 opened, 2 the stored lane is not older, 3 it is not all of this epoch's orders.
local epoch = tonumber(ARGV[1])
local staged = integer(redis.pcall('HGET', KEYS[6], SENTINEL))
local function refuse()
  if staged and staged <= epoch then redis.call('UNLINK', KEYS[6], KEYS[7]) end
  return 2
end

local lane = load_lane(nil)
if lane and lane.epoch >= epoch then return refuse() end

-- Epochs never fall, not even over the ruins of a lane, and one that was closed never comes back.
local closed = redis.pcall('HGET', KEYS[1], 'replid') == CLOSED
local newest = newest_epoch()
if newest > epoch or closed and newest == epoch then return refuse() end
local complete = redis.call('HLEN', KEYS[6]) == ARGV[7] + 1
  and redis.call('STRLEN', KEYS[7]) == HASH_BYTES * (ARGV[7] + 1)
if staged ~= epoch or not complete then return 3 end

redis.call('UNLINK', KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5])
redis.call('RENAME', KEYS[6], KEYS[3])
redis.call('RENAME', KEYS[7], KEYS[5])
redis.call('PERSIST', KEYS[3])
redis.call('PERSIST', KEYS[5])
redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'replid', replication_id(), 'version', 1,
  'state', ARGV[2], 'starts_at_ms', ARGV[3], 'ends_at_ms', ARGV[4],
  'revision', ARGV[5])
redis.call('HSET', KEYS[2], 'epoch', ARGV[1], 'units', ARGV[6], 'held', 0)
redis.call('ZADD', KEYS[4], epoch, SENTINEL)
return 1
