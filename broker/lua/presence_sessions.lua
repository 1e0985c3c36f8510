-- Lists the sessions of a user that count.
--
-- KEYS 1 presence hash · 2 leases
--
-- Answers {session, lease, since, dialect of each}

local answer = {}
for field, value in pairs(read_presence(KEYS[1])) do
  if is_session(field) and holds(KEYS[2], lease_of(value)) then
    answer[#answer + 1] = string.sub(field, 3)
    for word in string.gmatch(value, '%S+') do
      answer[#answer + 1] = word
    end
  end
end
return answer
