-- Reads a conversation's state, and makes it from floors when it is missing.
--
-- KEYS 1 state hash · 2 hot log
-- ARGV 1 floors (see state.lua) or ''
--
-- Answers {'ok', epoch, epoch_starts, seq, rev, acl} · {'unknown'}
--
-- A state of before a restart is good enough to read: the next append verifies it.

local function answer(values)
  return { 'ok', values[1], values[2], values[3], values[4], values[5] }
end

local function read()
  return redis.call('HMGET', KEYS[1], 'epoch', 'epoch_starts', 'seq', 'rev', 'acl')
end

local values = read()
if values[1] then
  return answer(values)
end
local floors = parse_floors(ARGV[1])
if not floors then
  return { 'unknown' }
end
load_state(KEYS[1], KEYS[2], floors)
return answer(read())
