-- Counts users with a socket, and conversations.
--
-- KEYS 1 online · 2 hidden · 3 rooms
--
-- Answers {users, conversations}

return { redis.call('ZCARD', KEYS[1]) + redis.call('SCARD', KEYS[2]), redis.call('SCARD', KEYS[3]) }
