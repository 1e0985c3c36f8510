-- Revokes the tokens of a user that were issued before a moment, and tells those gateways that have sockets of his. In one
-- step: who is told can read it, and who reads too early is told. The moment only ever rises; one that is earlier than
-- what stands there was told before, or is told here once more.
--
-- KEYS 1 the moment, in milliseconds
-- ARGV 1 the moment · 2 for how many milliseconds it is known, 0 is for ever · 3 the user's channel · 4 what is said there
--
-- Answers {the moment in force}

local moment, ttl = ARGV[1], tonumber(ARGV[2])
local before = redis.call('GET', KEYS[1])
if before and tonumber(before) > tonumber(moment) then
  moment = before
end
-- Another gateway may have set a longer time, or none (-1).
local known = redis.call('PTTL', KEYS[1])
if ttl == 0 or known == -1 then
  redis.call('SET', KEYS[1], moment)
else
  redis.call('SET', KEYS[1], moment, 'PX', math.max(ttl, known))
end
redis.call('SPUBLISH', ARGV[3], ARGV[4])
return { moment }
