-- KEYS[6], KEYS[7]: where the live orders of a rebuild collect. ARGV: epoch. Answers 1: nothing of
-- that epoch or an earlier one is there.
local collecting = integer(redis.pcall('HGET', KEYS[6], SENTINEL)) or 0
if collecting <= tonumber(ARGV[1]) then redis.call('UNLINK', KEYS[6], KEYS[7]) end
return 1
