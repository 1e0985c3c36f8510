-- Takes a lease. One that has expired is over for good and cannot be taken again.
--
-- KEYS 1 leases
-- ARGV 1 lease · 2 for how many milliseconds
--
-- Answers {'ok', replication id} · {'over'}

local ends = expiry(KEYS[1], ARGV[1])
if ends > 0 and ends <= now then
  return { 'over' }
end
local replid = replication_id()
redis.call('ZADD', KEYS[1], int(now + tonumber(ARGV[2])), ARGV[1])
return { 'ok', replid }
