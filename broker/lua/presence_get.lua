-- Reads how the presence of users is now.
--
-- KEYS 1 leases · 2 last seen · 3… presence hashes
-- ARGV 1… users, one for each hash
--
-- Answers {status, connected, at, session of each}

local answer = {}
for i, user in ipairs(ARGV) do
  local status, connected, at, session = current(KEYS[1], KEYS[2], user, read_presence(KEYS[2 + i]))
  answer[#answer + 1] = status
  answer[#answer + 1] = connected
  answer[#answer + 1] = at
  answer[#answer + 1] = session
end
return answer
