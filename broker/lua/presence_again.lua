-- Takes up the announcement of a user's last transition, which is published for everybody again. For a while nobody else
-- takes it up.
--
-- KEYS 1 presence hash · 2 visits · 3 unannounced
-- ARGV 1 channel · 2 user
--
-- Answers {'moved', status, connected, at, session, conversation…} · {'none'} when there is nobody to tell

local user = ARGV[2]
if not redis.call('ZSCORE', KEYS[3], user) then
  return { 'none' }
end
local presence = read_presence(KEYS[1])
local conversations = redis.call('SMEMBERS', KEYS[2])
if not presence.at or #conversations == 0 then
  redis.call('ZREM', KEYS[3], user)
  if presence.connected == '0' then
    redis.call('DEL', KEYS[1])
  end
  return { 'none' }
end
redis.call('ZADD', KEYS[3], int(now), user)
publish_presence(ARGV[1], user, presence)
local answer = { 'moved', presence.shown, presence.connected, presence.at, presence.session }
for _, conversation in ipairs(conversations) do
  answer[#answer + 1] = conversation
end
return answer
