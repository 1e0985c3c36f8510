-- Lists a page of who is in a conversation under a lease, whether or not it holds.
--
-- KEYS 1 members hash
-- ARGV 1 where the page begins · 2 how many members are looked at, about · 3 lease
--
-- Answers {where the next page begins or '0', user…}

local page = redis.call('HSCAN', KEYS[1], ARGV[1], 'COUNT', ARGV[2])
local answer = { page[1] }
for i = 1, #page[2], 2 do
  for lease in string.gmatch(page[2][i + 1], '%S+') do
    if lease == ARGV[3] then
      answer[#answer + 1] = page[2][i]
    end
  end
end
return answer
