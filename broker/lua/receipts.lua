-- Puts moved cursors of one conversation in the receipts stream and announces them.
--
-- KEYS 1 receipts stream · 2 receipts size
-- ARGV 1 channel · 2 conversation id · 3 header · 4 body · 5 most entries and 6 most bytes of the stream
--
-- Answers {'ok', id} · {'overloaded'}

local size = redis.call('HMGET', KEYS[2], 'entries', 'bytes')
if tonumber(size[1] or 0) >= tonumber(ARGV[5]) or tonumber(size[2] or 0) + #ARGV[4] > tonumber(ARGV[6]) then
  return { 'overloaded' }
end
local id = redis.call('XADD', KEYS[1], '*', 'c', ARGV[2], 'h', ARGV[3], 'b', ARGV[4])
redis.call('HINCRBY', KEYS[2], 'entries', 1)
redis.call('HINCRBY', KEYS[2], 'bytes', #ARGV[2] + #ARGV[3] + #ARGV[4])
redis.call('SPUBLISH', ARGV[1], ARGV[3] .. '\n' .. ARGV[4])
return { 'ok', id }
