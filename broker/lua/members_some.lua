-- Lists some of who is in a conversation.
--
-- KEYS 1 members hash · 2 leases
-- ARGV 1 how many at most
--
-- Answers {how many there are about, user…}

local answer = { int(redis.call('HLEN', KEYS[1])) }
local some = redis.call('HRANDFIELD', KEYS[1], ARGV[1], 'WITHVALUES')
for i = 1, #some, 2 do
  if is_there(KEYS[2], some[i + 1]) then
    answer[#answer + 1] = some[i]
  end
end
return answer
