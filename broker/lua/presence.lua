-- A user's presence: read, and after a step compared with what was told last. This text stands before the scripts that
-- need it, after lease.lua.
--
-- The hash: s:<session> ("<lease> <since> <dialect>"), status (what the user chose), shown and connected (the status and
-- whether somebody was connected, at the last transition), at (its number: the time, or more), session (which came or
-- went with it, or ''), d:<dialect> ('', for each dialect that he spoke since he came).

local function read_presence(key)
  local flat, presence = redis.call('HGETALL', key), {}
  for i = 1, #flat, 2 do
    presence[flat[i]] = flat[i + 1]
  end
  return presence
end

local function lease_of(session)
  return string.match(session, '^%S+')
end

local function is_session(field)
  return string.sub(field, 1, 2) == 's:'
end

local function is_connected(leases, presence)
  for field, value in pairs(presence) do
    if is_session(field) and holds(leases, lease_of(value)) then
      return true
    end
  end
  return false
end

local function stands_under(presence, lease)
  for field, value in pairs(presence) do
    if is_session(field) and lease_of(value) == lease then
      return true
    end
  end
  return false
end

-- A presence as scripts answer it: status, '1' when connected, at, session.
local function flat_presence(status, connected, at, session)
  return status, connected and '1' or '0', at, session
end

-- How a presence is now. When nobody counts any more and nobody has found out yet, it is so since the last lease expired.
local function current(leases, last_seen, user, presence)
  local connected = is_connected(leases, presence)
  local status = connected and (presence.status or 'online') or 'offline'
  local at = presence.at or redis.call('ZSCORE', last_seen, user) or '0'
  if status == (presence.shown or 'offline') and connected == (presence.connected == '1') then
    return flat_presence(status, connected, at, presence.session or '')
  end
  at = tonumber(at)
  for field, value in pairs(presence) do
    if is_session(field) and presence.shown ~= 'offline' then
      at = math.max(at, math.min(expiry(leases, lease_of(value)), now))
    end
  end
  return flat_presence(status, connected, int(at), '')
end

-- Tells everybody who listens on the partition's presence channel.
local function publish_presence(channel, user, presence)
  local dialects = {}
  for field in pairs(presence) do
    if string.sub(field, 1, 2) == 'd:' then
      dialects[#dialects + 1] = cjson.encode(string.sub(field, 3))
    end
  end
  table.sort(dialects)
  local session = ''
  if presence.session ~= '' then
    session = ',"session":' .. cjson.encode(presence.session)
  end
  redis.call('SPUBLISH', channel, '{"presence":{"user":' .. cjson.encode(user)
    .. ',"status":' .. cjson.encode(presence.shown)
    .. ',"connected":' .. (presence.connected == '1' and 'true' or 'false')
    .. ',"at":' .. presence.at .. session .. '},"dialects":[' .. table.concat(dialects, ',') .. ']}')
end
