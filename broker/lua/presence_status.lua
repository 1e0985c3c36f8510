-- Notes what a connected user lets others see.
--
-- KEYS as presence_step.lua, without a lease
-- ARGV 3 status
--
-- Answers as presence_step.lua, or {'none'} when the user is not connected

local presence = read_presence(KEYS[1])
if not is_connected(KEYS[2], presence) then
  return { 'none' }
end
presence.status = ARGV[3]
redis.call('HSET', KEYS[1], 'status', ARGV[3])
return conclude(presence, '')
