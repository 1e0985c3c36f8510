-- The end of every step: finds out whether it was a transition, and then numbers, notes and publishes it. That somebody
-- goes who looks offline is none. This text
-- stands before the scripts that make steps, after presence.lua. All of them have these keys and arguments:
--
-- KEYS 1 presence hash · 2 leases · 3 visits · 4 unannounced · 5 online · 6 hidden · 7 last seen
--      8 registrations under the lease (when there is one)
-- ARGV 1 channel · 2 user
--
-- Answers {'same', status, connected, at, session} · {'moved', status, connected, at, session, conversation…}

-- presence is what the hash holds, with the step's changes; session is the one that came or went, or ''.
local function conclude(presence, session)
  local user = ARGV[2]
  local connected = is_connected(KEYS[2], presence)
  local status = connected and (presence.status or 'online') or 'offline'
  local shown, was_connected = presence.shown or 'offline', presence.connected == '1'
  if status == shown and connected == was_connected then
    return { 'same', flat_presence(status, connected, presence.at or '0', presence.session or '') }
  end
  -- When somebody goes who hides, nobody is told, and nothing tells when he went. What he hid with may still have to be
  -- announced.
  if not connected and shown == 'offline' then
    redis.call('SREM', KEYS[6], user)
    if redis.call('ZSCORE', KEYS[4], user) then
      redis.call('HSET', KEYS[1], 'connected', '0')
      redis.call('HDEL', KEYS[1], 'status')
    else
      redis.call('DEL', KEYS[1], KEYS[3])
    end
    return { 'same', flat_presence(status, connected, presence.at, presence.session) }
  end
  -- Receivers take the larger number for the newer presence, so it grows even when the clock does not. Of whom nothing is
  -- left but when he was seen last, that was the last number.
  local last = tonumber(presence.at or redis.call('ZSCORE', KEYS[7], user) or 0)
  presence.shown, presence.connected = status, connected and '1' or '0'
  presence.at, presence.session = int(math.max(now, last + 1)), session
  local conversations = redis.call('SMEMBERS', KEYS[3])
  if not connected and #conversations == 0 then
    redis.call('DEL', KEYS[1])
  else
    redis.call('HSET', KEYS[1], 'shown', status, 'connected', presence.connected, 'at', presence.at, 'session', session)
  end
  if not connected then
    redis.call('HDEL', KEYS[1], 'status')
  end
  if #conversations > 0 then
    redis.call('ZADD', KEYS[4], int(now), user)
  else
    redis.call('ZREM', KEYS[4], user)
  end
  if status ~= 'offline' then
    redis.call('ZADD', KEYS[5], 0, user)
  else
    redis.call('ZREM', KEYS[5], user)
    redis.call('ZADD', KEYS[7], presence.at, user)
  end
  if connected and status == 'offline' then
    redis.call('SADD', KEYS[6], user)
  elseif was_connected and shown == 'offline' then
    redis.call('SREM', KEYS[6], user)
  end
  publish_presence(ARGV[1], user, presence)
  local answer = { 'moved', flat_presence(status, connected, presence.at, session) }
  for _, conversation in ipairs(conversations) do
    answer[#answer + 1] = conversation
  end
  return answer
end
