-- Puts moved cursors of one conversation in the receipts stream, notes how far everybody has got with them, and announces
-- them with how far they were before and with the messages that they may have got past.
--
-- KEYS 1 receipts stream · 2 receipts size · 3 cursors
-- ARGV 1 channel · 2 conversation id · 3 header · 4 most entries and 5 most bytes of the stream
--      6 seconds to keep what is noted · 7 most users that are noted · 8 messages as JSON
--      9 how far anybody was delivered and 10 how far anybody has read, if Redis does not know: '<first> <second> <user>',
--      where the user, as JSON, is the first's or nobody
--      then, for each cursor: its user as JSON · delivered and read, to where · delivered and read, from where at the least,
--      if Redis knows of less · the cursor as JSON without its last brace
--
-- Answers {'ok', body} · {'overloaded'}
--
-- Where a cursor comes from is decided here, so of several gateways that move it over a message exactly one tells so. What
-- Redis forgets is taken from Postgres by the caller; what that does not know yet is told again.

local EACH = 6
local FIRST = 11

local function number(text)
  return tonumber(text) or 0
end

local function whole(value)
  return string.format('%.0f', value)
end

local size = redis.call('HMGET', KEYS[2], 'entries', 'bytes')
local fields, length = { 'delivered', 'read' }, 0
for i = FIRST, #ARGV, EACH do
  fields[#fields + 1] = 'u' .. ARGV[i]
  length = length + #ARGV[i + 5]
end
if number(size[1]) >= number(ARGV[4]) or number(size[2]) + length > number(ARGV[5]) then
  return { 'overloaded' }
end
local held = redis.call('HMGET', KEYS[3], unpack(fields))

local function reach(text)
  local first, second, user = string.match(text, '^(%d+) (%d+) (.*)$')
  return { first = number(first), second = number(second), user = user or '' }
end

local function as_json(of)
  local user = of.user == '' and '' or '"u":' .. of.user .. ','
  return '{' .. user .. '"f":' .. whole(of.first) .. ',"s":' .. whole(of.second) .. '}'
end

local function as_text(of)
  return whole(of.first) .. ' ' .. whole(of.second) .. ' ' .. of.user
end

-- The second place is always that of somebody else than the first.
local function raise(of, user, place)
  if user == of.user then
    of.first = math.max(of.first, place)
  elseif place > of.first then
    of.second, of.first, of.user = of.first, place, user
  else
    of.second = math.max(of.second, place)
  end
end

local delivered, read = reach(held[1] or ARGV[9]), reach(held[2] or ARGV[10])
local before = '{"delivered":' .. as_json(delivered) .. ',"read":' .. as_json(read) .. '}'
local noted, told = {}, {}
for i = FIRST, #ARGV, EACH do
  local user = ARGV[i]
  local known_delivered, known_read = string.match(held[3 + (i - FIRST) / EACH] or '', '^(%d+) (%d+)$')
  local was_delivered = math.max(number(known_delivered), number(ARGV[i + 3]))
  local was_read = math.max(number(known_read), number(ARGV[i + 4]))
  local now_delivered = math.max(was_delivered, number(ARGV[i + 1]))
  local now_read = math.max(was_read, number(ARGV[i + 2]))
  told[#told + 1] = ARGV[i + 5] .. ',"df":' .. whole(was_delivered) .. ',"rf":' .. whole(was_read) .. '}'
  noted[#noted + 1] = 'u' .. user
  noted[#noted + 1] = whole(now_delivered) .. ' ' .. whole(now_read)
  raise(delivered, user, now_delivered)
  raise(read, user, now_read)
end
local cursors = '[' .. table.concat(told, ',') .. ']'
local body = '{"cursors":' .. cursors .. ',"messages":' .. ARGV[8] .. ',"before":' .. before .. '}'
local forget = redis.call('HLEN', KEYS[3]) > number(ARGV[7])

-- From here on nothing fails.
redis.call('XADD', KEYS[1], '*', 'c', ARGV[2], 'h', ARGV[3], 'b', cursors)
redis.call('HINCRBY', KEYS[2], 'entries', 1)
redis.call('HINCRBY', KEYS[2], 'bytes', #ARGV[2] + #ARGV[3] + #cursors)
if forget then
  redis.call('DEL', KEYS[3])
end
redis.call('HSET', KEYS[3], 'delivered', as_text(delivered), 'read', as_text(read), unpack(noted))
redis.call('EXPIRE', KEYS[3], ARGV[6])
redis.call('SPUBLISH', ARGV[1], ARGV[3] .. '\n' .. body)
return { 'ok', body }
