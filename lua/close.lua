-- ARGV: epoch. Answers 1 closed, 0 the stored lane is newer. No epoch up to this one opens the lane
-- again, also if it was never opened here.
local epoch = tonumber(ARGV[1])
if newest_epoch() > epoch then return 0 end
-- What is no hash is no lane either.
if redis.call('TYPE', KEYS[1]).ok ~= 'hash' then redis.call('UNLINK', KEYS[1]) end
redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'replid', CLOSED)
return 1
