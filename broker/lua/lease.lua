-- Which leases hold. This text stands before the scripts that need it; it reads the clock.

-- Lua writes large numbers as 1e+14; scores and headers need digits.
local function int(number)
  return string.format('%.0f', number)
end

-- Changes with every restart and every failover (as in state.lua).
local function replication_id()
  return string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)') or ''
end

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

-- When a lease expires, or did; 0 when there is none. Read once a run.
local known = {}
local function expiry(leases, lease)
  if not known[lease] then
    known[lease] = tonumber(redis.call('ZSCORE', leases, lease) or 0)
  end
  return known[lease]
end

local function holds(leases, lease)
  return expiry(leases, lease) > now
end
