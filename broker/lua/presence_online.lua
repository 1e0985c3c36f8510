-- Lists users whom others see as not offline, in the order of their ids.
--
-- KEYS 1 online
-- ARGV 1 '-', or '(' and the user after whom the list begins · 2 how many at most
--
-- Answers {user…}

return redis.call('ZRANGEBYLEX', KEYS[1], ARGV[1], '+', 'LIMIT', 0, ARGV[2])
