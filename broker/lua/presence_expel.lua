-- Removes all sessions of a user that stand under a lease that does not hold, and what is registered of him under it.
--
-- KEYS as presence_step.lua
-- ARGV 3 lease
--
-- Answers as presence_step.lua, or {'none'} when the lease holds

local lease = ARGV[3]
if holds(KEYS[2], lease) then
  return { 'none' }
end
local presence = read_presence(KEYS[1])
local gone, newest, newest_since = {}, '', -1
for field, value in pairs(presence) do
  if is_session(field) and lease_of(value) == lease then
    gone[#gone + 1] = field
    local since = tonumber(string.match(value, '^%S+ (%d+)')) or 0
    if since > newest_since or (since == newest_since and field > newest) then
      newest, newest_since = field, since
    end
  end
end
for _, field in ipairs(gone) do
  presence[field] = nil
  redis.call('HDEL', KEYS[1], field)
end
redis.call('SREM', KEYS[8], 'u' .. ARGV[2])
return conclude(presence, string.sub(newest, 3))
