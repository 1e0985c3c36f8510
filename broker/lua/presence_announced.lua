-- Notes that a transition was announced, unless there was another one since. Of who is not connected nothing stays then.
--
-- KEYS 1 presence hash · 2 visits · 3 unannounced
-- ARGV 1 user · 2 the transition's number
--
-- Answers {'ok'} · {'newer'}

local presence = redis.call('HMGET', KEYS[1], 'at', 'connected')
if presence[1] ~= ARGV[2] then
  return { 'newer' }
end
redis.call('ZREM', KEYS[3], ARGV[1])
if presence[2] == '0' then
  redis.call('DEL', KEYS[1], KEYS[2])
end
return { 'ok' }
