-- KEYS[5]: where the live orders of a rebuild collect, a page at a time; its sentinel names the
-- epoch. ARGV: epoch, how many are there already (0 begins anew), then user and record of each.
-- Answers 1, 2 a later epoch collects, 3 not so many are there, 4 a user stands there twice.
-- Redis deletes what nobody goes on with.
local epoch, place = tonumber(ARGV[1]), tonumber(ARGV[2])
local collecting = integer(redis.pcall('HGET', KEYS[5], SENTINEL)) or 0
if collecting > epoch then return 2 end
if place == 0 then
  -- Without memory Redis refuses only what a script writes first.
  redis.call('HSET', KEYS[5], SENTINEL, ARGV[1])
  redis.call('UNLINK', KEYS[5])
  redis.call('HSET', KEYS[5], SENTINEL, ARGV[1])
elseif collecting < epoch or redis.call('HLEN', KEYS[5]) ~= place + 1 then
  return 3
end
if #ARGV > 2 then redis.call('HSET', KEYS[5], unpack(ARGV, 3)) end
redis.call('PEXPIRE', KEYS[5], 600000)
if redis.call('HLEN', KEYS[5]) ~= place + 1 + (#ARGV - 2) / 2 then return 4 end
return 1
