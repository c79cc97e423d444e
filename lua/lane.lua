-- Put in front of every other script. KEYS[1..5]: sale, stock, success, pending, winners of a lane.
-- Scripts answer 0 for a lane that is not ready under the epoch asked for.

-- No user id contains '#', so the sentinel never meets a user's field or member.
local SENTINEL = '#epoch'

-- KEYS[5] is a string: the epoch in as many digits, then a hash of so many bytes for each grant. It
-- only grows, so that nodes read on from where they were: who is listed may have no order any more.
local HASH_BYTES = 8

-- Stands for the replication id of a lane that was closed: no Redis has it.
local CLOSED = 'closed'

local STATES = {draft = true, open = true, paused = true, closed = true}

local function replication_id()
  return string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
end

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- nil for what is no text of a whole number, as a missing field or the error of a pcall.
local function integer(text)
  return type(text) == 'string' and string.match(text, '^%-?%d+$') and tonumber(text)
end

-- The epoch that the list of winners names, nil without one.
local function listed_epoch()
  return integer(redis.pcall('GETRANGE', KEYS[5], 0, HASH_BYTES - 1))
end

-- The lane under that epoch (nil: under any), or nil when it is not ready: a key is missing, of
-- another type or epoch, or this Redis is not the one in which the lane was opened.
local function load_lane(epoch)
  local sale = redis.pcall('HMGET', KEYS[1], 'epoch', 'replid', 'state', 'version',
    'starts_at_ms', 'ends_at_ms', 'revision')
  if not sale[1] or epoch and sale[1] ~= epoch then return nil end
  if not STATES[sale[3] or ''] or sale[2] ~= replication_id() then return nil end
  local stock = redis.pcall('HMGET', KEYS[2], 'epoch', 'units', 'held')
  if stock[1] ~= sale[1] then return nil end
  if redis.pcall('HGET', KEYS[3], SENTINEL) ~= sale[1] then return nil end
  if redis.pcall('ZSCORE', KEYS[4], SENTINEL) ~= sale[1] then return nil end
  if listed_epoch() ~= integer(sale[1]) then return nil end
  local lane = {
    epoch = integer(sale[1]),
    version = integer(sale[4]),
    starts_at_ms = integer(sale[5]),
    ends_at_ms = integer(sale[6]),
    revision = integer(sale[7]),
    units = integer(stock[2]),
    held = integer(stock[3]),
  }
  if not (lane.epoch and lane.version and lane.starts_at_ms and lane.ends_at_ms and lane.revision
      and lane.units and lane.held) then
    return nil
  end
  lane.state = sale[3]
  return lane
end

-- The highest epoch that any of the lane's keys names, 0 without one. What pcall cannot read names
-- none.
local function newest_epoch()
  local newest = 0
  local sentinels = {
    redis.pcall('HGET', KEYS[1], 'epoch'),
    redis.pcall('HGET', KEYS[2], 'epoch'),
    redis.pcall('HGET', KEYS[3], SENTINEL),
    redis.pcall('ZSCORE', KEYS[4], SENTINEL),
  }
  for i = 1, 4 do newest = math.max(newest, integer(sentinels[i]) or 0) end
  return math.max(newest, listed_epoch() or 0)
end

local function pending_count()
  return redis.call('ZCARD', KEYS[4]) - 1
end

-- A success record is the status ('q'ueued, 'c'onfirmed, 'p'aid), the order id (36 characters) and
-- the quantity. A pending member is the id, the quantity, ':' and the user; its score the time.
local function pending_member(record, user)
  return string.sub(record, 2) .. ':' .. user
end
