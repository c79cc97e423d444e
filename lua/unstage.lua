-- KEYS[5]: where the live orders of a rebuild collect. ARGV: epoch. Answers 1: nothing of that epoch
-- or an earlier one is there.
local collecting = integer(redis.pcall('HGET', KEYS[5], SENTINEL)) or 0
if collecting <= tonumber(ARGV[1]) then redis.call('UNLINK', KEYS[5]) end
return 1
