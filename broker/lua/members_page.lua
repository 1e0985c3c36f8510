-- Lists a page of who is in a conversation.
--
-- KEYS 1 members hash · 2 leases
-- ARGV 1 where the page begins · 2 how many members it has, about · 3 how many seconds ago a Redis must have started, so
--      that gateways have told it again who is here
--
-- Answers {'ok', where the next page begins or '0', user…} · {'young'}

local uptime = string.match(redis.call('INFO', 'server'), 'uptime_in_seconds:(%d+)')
if tonumber(uptime or 0) < tonumber(ARGV[3]) then
  return { 'young' }
end
local page = redis.call('HSCAN', KEYS[1], ARGV[1], 'COUNT', ARGV[2])
local answer = { 'ok', page[1] }
for i = 1, #page[2], 2 do
  if is_there(KEYS[2], page[2][i + 1]) then
    answer[#answer + 1] = page[2][i]
  end
end
return answer
