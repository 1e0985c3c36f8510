-- Forgets an expired lease under which nothing is registered any more.
--
-- KEYS 1 leases · 2 registrations · 3 what gateways say of themselves (only in its partition)
-- ARGV 1 lease
--
-- Answers {'ok'} · {'kept'}

if holds(KEYS[1], ARGV[1]) or redis.call('EXISTS', KEYS[2]) == 1 then
  return { 'kept' }
end
if KEYS[3] then
  redis.call('HDEL', KEYS[3], ARGV[1])
end
redis.call('ZREM', KEYS[1], ARGV[1])
return { 'ok' }
