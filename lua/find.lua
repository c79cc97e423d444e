-- ARGV: epoch, then users. Answers each user's record, or nil.
if not load_lane(ARGV[1]) then return 0 end
if #ARGV == 1 then return {} end
local lookup = {KEYS[3]}
for i = 2, #ARGV do lookup[i] = ARGV[i] end
return redis.call('HMGET', unpack(lookup))
