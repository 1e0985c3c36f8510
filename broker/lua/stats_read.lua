-- Lists what the gateways say of themselves whose leases hold.
--
-- KEYS 1 what gateways say · 2 leases
--
-- Answers {lease, when, what of each}; what does not begin with when it was said, comes whole and with an empty when

local flat, answer = redis.call('HGETALL', KEYS[1]), {}
for i = 1, #flat, 2 do
  if holds(KEYS[2], flat[i]) then
    local at, text = string.match(flat[i + 1], '^(%d+) (.*)$')
    answer[#answer + 1] = flat[i]
    answer[#answer + 1] = at or ''
    -- A nil would move all that follows by one place.
    answer[#answer + 1] = text or flat[i + 1]
  end
end
return answer
