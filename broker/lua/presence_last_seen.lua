-- Lists who went offline and when, the longest ago first.
--
-- KEYS 1 last seen
-- ARGV 1 how many at most
--
-- Answers {user, time of each}

return redis.call('ZRANGE', KEYS[1], 0, tonumber(ARGV[1]) - 1, 'WITHSCORES')
