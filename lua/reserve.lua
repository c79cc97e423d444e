-- ARGV: epoch, the hashes of all users, 1 if the orders are late and the window does not matter,
-- the time after which the caller waits no more (0: not known), then id, user, quantity of each
-- attempt.
-- Answers {now, version, pending, one per attempt}: the user's record, or 1 granted, 2 sold out,
-- 3 insufficient, 4 not open. Or {now} when the caller waits no more.
local now, not_after = now_ms(), tonumber(ARGV[4])
if not_after > 0 and now > not_after then return {now} end
local lane = load_lane(ARGV[1])
if not lane then return 0 end

local count = (#ARGV - 4) / 3
local lookup = {KEYS[3]}
for i = 1, count do lookup[i + 1] = ARGV[3 * i + 3] end
local records = count > 0 and redis.call('HMGET', unpack(lookup)) or {}

local open = ARGV[3] == '1'
  or lane.state == 'open' and now >= lane.starts_at_ms and now < lane.ends_at_ms
local units, granted = lane.units, 0
-- A number would be formatted again for every member.
local score = string.format('%.0f', now)
local fresh = {}
local success, pending, winners = {KEYS[3]}, {KEYS[4]}, {}
local reply = {now, lane.version, 0}

for i = 1, count do
  local user = ARGV[3 * i + 3]
  local record = records[i] or fresh[user]
  local answer
  if record then
    answer = record
  elseif not open then
    answer = 4
  elseif units <= 0 then
    answer = 2
  else
    local quantity = ARGV[3 * i + 4]
    local left = units - tonumber(quantity)
    if left < 0 then
      answer = 3
    else
      units = left
      record = 'q' .. ARGV[3 * i + 2] .. quantity
      fresh[user] = record
      granted = granted + 1
      success[2 * granted] = user
      success[2 * granted + 1] = record
      pending[2 * granted] = score
      pending[2 * granted + 1] = pending_member(record, user)
      winners[granted] = string.sub(ARGV[2], HASH_BYTES * (i - 1) + 1, HASH_BYTES * i)
      answer = 1
    end
  end
  reply[i + 3] = answer
end

if granted > 0 then
  redis.call('APPEND', KEYS[5], table.concat(winners))
  redis.call('HSET', unpack(success))
  redis.call('ZADD', unpack(pending))
  redis.call('HINCRBY', KEYS[2], 'units', units - lane.units)
  redis.call('HINCRBY', KEYS[2], 'held', lane.units - units)
end
reply[3] = pending_count()
return reply
