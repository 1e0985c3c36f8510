-- Notes what a gateway says of itself, while its lease holds.
--
-- KEYS 1 what gateways say · 2 leases
-- ARGV 1 lease · 2 what it says
--
-- Answers {'ok'} · {'none'}

if not holds(KEYS[2], ARGV[1]) then
  return { 'none' }
end
redis.call('HSET', KEYS[1], ARGV[1], int(now) .. ' ' .. ARGV[2])
return { 'ok' }
