-- Lists something of what is registered under a lease.
--
-- KEYS 1 registrations
-- ARGV 1 how many at most
--
-- Answers {registration…}

return redis.call('SRANDMEMBER', KEYS[1], ARGV[1])
