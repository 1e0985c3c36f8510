-- Notes who is in a conversation and who is no longer.
--
-- KEYS 1 who is here, scored with when that is over, in milliseconds
-- ARGV 1 for how many milliseconds somebody is here · 2 how many of the members that follow are here; the rest are not
--      3… members
--
-- Answers {'ok'}

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local ttl = tonumber(ARGV[1])
local here = tonumber(ARGV[2])
local scored, gone = {}, {}
for i = 3, #ARGV do
  if i - 2 <= here then
    scored[#scored + 1] = now + ttl
    scored[#scored + 1] = ARGV[i]
  else
    gone[#gone + 1] = ARGV[i]
  end
end
if #gone > 0 then
  redis.call('ZREM', KEYS[1], unpack(gone))
end
if #scored > 0 then
  redis.call('ZADD', KEYS[1], unpack(scored))
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
-- The key lives as long as the member that lives longest; another gateway may have set a longer time.
if #scored > 0 and redis.call('PTTL', KEYS[1]) < ttl then
  redis.call('PEXPIRE', KEYS[1], ttl)
end
return { 'ok' }
