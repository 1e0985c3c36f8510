-- Lists who is in a conversation.
--
-- KEYS 1 who is here, scored with when that is over, in milliseconds
-- ARGV 1 how many seconds ago a Redis must have started, so that gateways have told it again who is here
--
-- Answers {'ok', members…} · {'young'}

local uptime = string.match(redis.call('INFO', 'server'), 'uptime_in_seconds:(%d+)')
if tonumber(uptime or 0) < tonumber(ARGV[1]) then
  return { 'young' }
end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local answer = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now, '+inf')
table.insert(answer, 1, 'ok')
return answer
