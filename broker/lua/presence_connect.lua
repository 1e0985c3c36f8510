-- Registers a session under a lease; under one that does not hold nothing.
--
-- KEYS as presence_step.lua
-- ARGV 3 lease · 4 session · 5 since when · 6 dialect
--
-- Answers as presence_step.lua, or {'none'}

local lease, session, dialect = ARGV[3], ARGV[4], ARGV[6]
if not holds(KEYS[2], lease) then
  return { 'none' }
end
local presence = read_presence(KEYS[1])
local entry = lease .. ' ' .. ARGV[5] .. ' ' .. dialect
presence['s:' .. session], presence['d:' .. dialect] = entry, ''
redis.call('HSET', KEYS[1], 's:' .. session, entry, 'd:' .. dialect, '')
redis.call('SADD', KEYS[8], 'u' .. ARGV[2])
return conclude(presence, session)
