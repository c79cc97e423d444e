-- ARGV: epoch, then id, user, action (keep, give_back, drop) of each settlement.
-- Answers how many of them changed something.
if not load_lane(ARGV[1]) then return 0 end

local count = (#ARGV - 1) / 3
local lookup = {KEYS[3]}
for i = 1, count do lookup[i + 1] = ARGV[3 * i] end
local records = count > 0 and redis.call('HMGET', unpack(lookup)) or {}

local latest = {}
local decided, kept, gone = {KEYS[4]}, {KEYS[3]}, {KEYS[3]}
local units, released, returned, changed = 0, 0, 0, 0

for i = 1, count do
  local id, user, action = ARGV[3 * i - 1], ARGV[3 * i], ARGV[3 * i + 1]
  local record = latest[user]
  if record == nil then record = records[i] end
  local quantity = record and string.sub(record, 2, 37) == id and integer(string.sub(record, 38))
  if quantity then
    local queued = string.sub(record, 1, 1) == 'q'
    if queued then
      decided[#decided + 1] = pending_member(record, user)
      released = released + quantity
    end
    if action ~= 'keep' then
      gone[#gone + 1] = user
      latest[user] = false
      changed = changed + 1
      if action == 'give_back' then
        units = units + quantity
        returned = returned + 1
      end
    elseif queued then
      latest[user] = 'c' .. string.sub(record, 2)
      kept[#kept + 1] = user
      kept[#kept + 1] = latest[user]
      changed = changed + 1
    end
  end
end

if #kept > 1 then redis.call('HSET', unpack(kept)) end
if #gone > 1 then redis.call('HDEL', unpack(gone)) end
if #decided > 1 then
  redis.call('ZREM', unpack(decided))
  redis.call('HINCRBY', KEYS[2], 'held', -released)
end
if returned > 0 then
  redis.call('HINCRBY', KEYS[2], 'units', units)
  redis.call('HINCRBY', KEYS[1], 'version', returned)
end
return changed
