-- Put in front of every other script. KEYS[1..4]: sale, stock, success, pending of one lane.
-- Scripts answer 0 for a lane that is not ready under the epoch asked for.

-- No user id contains '#', so the sentinel never meets a user's field or member.
local SENTINEL = '#epoch'

local function replication_id()
  return string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
end

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- The lane under that epoch (nil: under any), or nil when it is not ready: a key is missing or of
-- another epoch, or this Redis is not the one in which the lane was opened.
local function load_lane(epoch)
  local sale = redis.pcall('HMGET', KEYS[1], 'epoch', 'replid', 'version', 'state',
    'starts_at_ms', 'ends_at_ms', 'revision')
  for i = 1, 7 do
    if not sale[i] then return nil end
  end
  if epoch and sale[1] ~= epoch then return nil end
  if sale[2] ~= replication_id() then return nil end
  local stock = redis.pcall('HMGET', KEYS[2], 'epoch', 'units')
  if stock[1] ~= sale[1] or not stock[2] then return nil end
  if redis.pcall('HGET', KEYS[3], SENTINEL) ~= sale[1] then return nil end
  if redis.pcall('ZSCORE', KEYS[4], SENTINEL) ~= sale[1] then return nil end
  return {
    epoch = tonumber(sale[1]),
    version = tonumber(sale[3]),
    state = sale[4],
    starts_at_ms = tonumber(sale[5]),
    ends_at_ms = tonumber(sale[6]),
    revision = tonumber(sale[7]),
    units = tonumber(stock[2]),
  }
end

local function pending_count()
  return redis.call('ZCARD', KEYS[4]) - 1
end

-- A success record is the status ('q'ueued, 'c'onfirmed, 'p'aid), the order id (36 characters) and
-- the quantity. A pending member is the id, the quantity, ':' and the user; its score the time.
local function pending_member(record, user)
  return string.sub(record, 2) .. ':' .. user
end
