-- wrk script: each request is a purchase by the next user of a file of tokens, which is read over
-- and over, from an address that was not seen before, behind a proxy.
--   wrk … -s spoofed.lua URL -- TOKENS FIRST-ADDRESS

local tokens
local next_token
local address

function init(args)
  tokens = args[1]
  next_token = io.lines(tokens)
  address = tonumber(args[2])
end

function request()
  local token = next_token()
  if not token then
    next_token = io.lines(tokens)
    token = next_token()
  end
  address = address + 1
  local low = address % 65536
  local high = math.floor(address / 65536)
  -- A network of its own for each: one /64 counts as one address.
  return wrk.format("POST", nil, {
    ["Content-Type"] = "application/json",
    ["Authorization"] = "Bearer " .. token,
    ["X-Forwarded-For"] = string.format("2001:db8:%x:%x::1", high % 65536, low),
  }, '{"quantity":1}')
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format('{"requests":%d,"socket_errors":%d}\n', summary.requests,
    errors.connect + errors.read + errors.write + errors.timeout))
end
