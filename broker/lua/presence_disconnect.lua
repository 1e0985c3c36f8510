-- Removes a session that stands under a lease. The same session may stand under another one by now, and then stays.
--
-- KEYS as presence_step.lua
-- ARGV 3 lease · 4 session
--
-- Answers as presence_step.lua

local field = 's:' .. ARGV[4]
local presence = read_presence(KEYS[1])
if presence[field] and lease_of(presence[field]) == ARGV[3] then
  presence[field] = nil
  redis.call('HDEL', KEYS[1], field)
end
if not stands_under(presence, ARGV[3]) then
  redis.call('SREM', KEYS[8], 'u' .. ARGV[2])
end
return conclude(presence, ARGV[4])
