-- wrk script: each request is a purchase by the next user of a file of tokens, over and over;
-- without one, a plain GET.
--   wrk … -s refusals.lua URL -- [TOKENS]

local requests = {}
local place = 0

function init(args)
  if not args[1] then
    requests[1] = wrk.format("GET")
    return
  end
  for token in io.lines(args[1]) do
    requests[#requests + 1] = wrk.format("POST", nil, {
      ["Content-Type"] = "application/json",
      ["Authorization"] = "Bearer " .. token,
    }, '{"quantity":1}')
  end
end

function request()
  place = place % #requests + 1
  return requests[place]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"duration_us":%d,"not_2xx_3xx":%d,"socket_errors":%d,' ..
    '"p50_us":%d,"p99_us":%d}\n',
    summary.requests, summary.duration, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
