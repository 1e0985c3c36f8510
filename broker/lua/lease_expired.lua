-- Lists leases that have expired, unless nobody looked for a while: then gateways may have had no Redis to renew theirs.
--
-- KEYS 1 leases · 2 sweep hash: at (the last look), not_before (from when on leases are believed to have expired)
-- ARGV 1 for how many milliseconds leases are taken · 2 how many are listed at most
--
-- Answers {lease…}

local ttl = tonumber(ARGV[1])
local sweep = redis.call('HMGET', KEYS[2], 'at', 'not_before')
local at, not_before = tonumber(sweep[1] or nil), tonumber(sweep[2] or nil)
-- The clock may have gone back, so that no time from before is taken for more than one ttl.
if not at or not not_before or now - at > ttl / 2 or not_before > now + ttl then
  not_before = now + ttl
end
redis.call('HSET', KEYS[2], 'at', int(now), 'not_before', int(not_before))
redis.call('PEXPIRE', KEYS[2], int(ttl * 2))
if now < not_before then
  return {}
end
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', int(now), 'LIMIT', 0, ARGV[2])
