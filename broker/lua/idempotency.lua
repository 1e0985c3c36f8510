-- Ends a claim on an idempotency key: with the answer to repeat from now on, or with none. A claim that ran out, and
-- may be somebody else's by now, is left alone.
--
-- KEYS 1 the idempotency key
-- ARGV 1 the claim as it was made · 2 the answer, or '' to let the key go · 3 how long the answer is kept, in ms
--
-- Answers {'ok'} · {'lost'}

if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return { 'lost' }
end
if ARGV[2] == '' then
  redis.call('DEL', KEYS[1])
else
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
end
return { 'ok' }
