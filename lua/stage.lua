-- KEYS[6], KEYS[7]: where records and list of the live orders of a rebuild collect, a page at a
-- time; both name the epoch. ARGV: epoch, how many are there already (0 begins anew), the hashes
-- of all users, then user and record of each.
-- Answers 1, 2 a later epoch collects, 3 not so many are there, 4 a user stands there twice.
-- Redis deletes what nobody goes on with.
local epoch, place = tonumber(ARGV[1]), tonumber(ARGV[2])
local collecting = integer(redis.pcall('HGET', KEYS[6], SENTINEL)) or 0
if collecting > epoch then return 2 end
if place == 0 then
  -- Without memory Redis refuses only what a script writes first.
  redis.call('HSET', KEYS[6], SENTINEL, ARGV[1])
  redis.call('UNLINK', KEYS[6], KEYS[7])
  redis.call('HSET', KEYS[6], SENTINEL, ARGV[1])
  redis.call('SET', KEYS[7], string.format('%0' .. HASH_BYTES .. 'd', ARGV[1]))
elseif collecting < epoch or redis.call('HLEN', KEYS[6]) ~= place + 1 then
  return 3
end
if #ARGV > 3 then redis.call('HSET', KEYS[6], unpack(ARGV, 4)) end
redis.call('APPEND', KEYS[7], ARGV[3])
for i = 6, 7 do redis.call('PEXPIRE', KEYS[i], 600000) end
if redis.call('HLEN', KEYS[6]) ~= place + 1 + (#ARGV - 3) / 2 then return 4 end
return 1
