-- ARGV: age in milliseconds, at most how many, lowest score, how many to skip at that score.
-- Answers member, score, ... oldest first, whether or not the lane is ready.
local oldest = redis.pcall('ZRANGEBYSCORE', KEYS[4], ARGV[3], now_ms() - ARGV[1], 'WITHSCORES',
  'LIMIT', ARGV[4], ARGV[2])
if oldest.err then return {} end
return oldest
