-- ARGV: epoch, cursor, count. Answers {version, next cursor, users...}: one step of a scan, so
-- that a large lane does not stop Redis. While the version stands and no unit is left nobody can
-- join.
local lane = load_lane(ARGV[1])
if not lane then return 0 end
local step = redis.call('HSCAN', KEYS[3], ARGV[2], 'COUNT', ARGV[3])
local reply = {lane.version, step[1]}
for i = 1, #step[2], 2 do
  local user = step[2][i]
  if user ~= SENTINEL then reply[#reply + 1] = user end
end
return reply
