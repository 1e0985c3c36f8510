-- Notes that a user has left a conversation.
--
-- KEYS 1 visits
-- ARGV 1 conversation
--
-- Answers {'ok'}

redis.call('SREM', KEYS[1], ARGV[1])
return { 'ok' }
