-- Notes that a user is in a conversation, with a session that is registered: before that, his old ones may be about to go,
-- and what is noted with them. When he is in as many as may be, one of the others is not told of him any more.
--
-- KEYS 1 presence hash · 2 leases · 3 visits · 4 last seen
-- ARGV 1 user · 2 session · 3 conversation · 4 how many visits there may be
--
-- Answers {'ok', status, connected, at, session} · {'none'} when the session does not count

local presence = read_presence(KEYS[1])
local entry = presence['s:' .. ARGV[2]]
if not entry or not holds(KEYS[2], lease_of(entry)) then
  return { 'none' }
end
if redis.call('SADD', KEYS[3], ARGV[3]) == 1 and redis.call('SCARD', KEYS[3]) > tonumber(ARGV[4]) then
  redis.call('SREM', KEYS[3], ARGV[3])
  redis.call('SPOP', KEYS[3])
  redis.call('SADD', KEYS[3], ARGV[3])
end
return { 'ok', current(KEYS[2], KEYS[4], ARGV[1], presence) }
