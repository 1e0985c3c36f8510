-- Notes that a connected user is in a conversation. When he is in as many as may be, this one is not told of him.
--
-- KEYS 1 presence hash · 2 leases · 3 visits · 4 last seen
-- ARGV 1 user · 2 conversation · 3 how many visits there may be
--
-- Answers {'ok', status, connected, at, session} · {'none'} when he is not connected

local presence = read_presence(KEYS[1])
if not is_connected(KEYS[2], presence) then
  return { 'none' }
end
if redis.call('SCARD', KEYS[3]) < tonumber(ARGV[3]) then
  redis.call('SADD', KEYS[3], ARGV[2])
end
return { 'ok', current(KEYS[2], KEYS[4], ARGV[1], presence) }
