-- ARGV: epoch, which does not matter, age in milliseconds, at most how many, lowest score, how many
-- to skip at that score.
-- Answers member, score, ... oldest first, whether or not the lane is ready.
local oldest = redis.pcall('ZRANGEBYSCORE', KEYS[4], ARGV[4], now_ms() - ARGV[2], 'WITHSCORES',
  'LIMIT', ARGV[5], ARGV[3])
if oldest.err then return {} end
return oldest
