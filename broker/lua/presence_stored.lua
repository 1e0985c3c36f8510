-- Forgets when users went offline, as far as it is not newer than what was stored.
--
-- KEYS 1 last seen
-- ARGV user, time of each
--
-- Answers {'ok'}

for i = 1, #ARGV, 2 do
  local seen = redis.call('ZSCORE', KEYS[1], ARGV[i])
  if seen and tonumber(seen) <= tonumber(ARGV[i + 1]) then
    redis.call('ZREM', KEYS[1], ARGV[i])
  end
end
return { 'ok' }
