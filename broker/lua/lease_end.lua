-- Lets a lease that holds end soon, never later than it would.
--
-- KEYS 1 leases
-- ARGV 1 lease · 2 in how many milliseconds
--
-- Answers {'ok'}

local ends = expiry(KEYS[1], ARGV[1])
if ends > now then
  redis.call('ZADD', KEYS[1], int(math.min(ends, now + tonumber(ARGV[2]))), ARGV[1])
end
return { 'ok' }
