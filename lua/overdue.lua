-- ARGV: epoch, which does not matter, age in milliseconds, at most how many, lowest score, how many
-- to skip at that score.
-- Answers the epoch of the grants, then member, score, ... oldest first, whether or not the lane is
-- ready.
local found = redis.pcall('ZRANGEBYSCORE', KEYS[4], ARGV[4], now_ms() - ARGV[2], 'WITHSCORES',
  'LIMIT', ARGV[5], ARGV[3])
if found.err then return {0} end
-- A closing changes the first key alone: any other that is left names the epoch of the grants.
local granting = math.max(
  integer(redis.call('ZSCORE', KEYS[4], SENTINEL)) or 0,
  integer(redis.pcall('HGET', KEYS[3], SENTINEL)) or 0,
  integer(redis.pcall('HGET', KEYS[2], 'epoch')) or 0)
table.insert(found, 1, granting)
return found
