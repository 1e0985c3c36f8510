-- Lets a lease last on, unless it has expired, or Redis may have gone back in time since it was taken.
--
-- KEYS 1 leases
-- ARGV 1 lease · 2 for how many milliseconds from now on · 3 the replication id when it was taken
--
-- Answers {'ok'} · {'lost'}

if not holds(KEYS[1], ARGV[1]) or replication_id() ~= ARGV[3] then
  return { 'lost' }
end
redis.call('ZADD', KEYS[1], int(now + tonumber(ARGV[2])), ARGV[1])
return { 'ok' }
