-- Lists users whose presence has not been announced for a while.
--
-- KEYS 1 unannounced
-- ARGV 1 for how many milliseconds · 2 how many at most
--
-- Answers {user…}

return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', int(now - tonumber(ARGV[1])), 'LIMIT', 0, ARGV[2])
