-- Gives an event its place, puts it in the ingest stream and publishes it: all of it, or nothing.
--
-- KEYS 1 state hash · 2 hot log · 3 ingest stream · 4 ingest size · 5 persisted · 6 unsettled
--      7 idempotency key · 8 object hash (only when the event changes an object)
-- ARGV 1 kind · 2 channel · 3 conversation id · 4 body · 5 origin or '-' · 6 '1' when it takes a seq
--      7 acl it was authorised under, or '' · 8 '1' when it changes the acl
--      9 idempotency: seconds to keep · 10 idempotency: what to keep before the header
--      11 most entries and 12 most bytes of the ingest stream · 13 entries and 14 bytes that the hot log keeps
--      15 floors (see state.lua) or '' · 16 '' when the event creates the object, else the version '<epoch>:<rev>'
--      that the change was decided on · 17… field, value of the object
--
-- Answers {'ok', header, ingest id, replication id} · {'repeat', kept, replication id} · {'unknown'} · {'verify'}
--         {'reauthorize', acl} · {'stale'} · {'overloaded'}
--
-- The replication id names the history that has the event by now, for those who wait until a replica has it too. What
-- a repetition finds is there as a whole: the key was written together with the event.
--
-- Everything is checked before the first write of the append, and no command after it can fail: a script that
-- fails halfway is not rolled back.

local kept = redis.call('GET', KEYS[7])
if kept then
  redis.call('EXPIRE', KEYS[7], ARGV[9])
  return { 'repeat', kept, replication_id() }
end

local state, missing = load_state(KEYS[1], KEYS[2], parse_floors(ARGV[15]))
if not state then
  return { missing }
end
if ARGV[7] ~= '' and ARGV[7] ~= state.acl then
  return { 'reauthorize', state.acl }
end

-- An object that Redis has no longer is in Postgres, where the caller read it.
if ARGV[16] ~= '' then
  local object = redis.call('HMGET', KEYS[8], 'epoch', 'rev')
  if object[1] and object[1] .. ':' .. object[2] ~= ARGV[16] then
    return { 'stale' }
  end
end

local size = redis.call('HMGET', KEYS[4], 'entries', 'bytes')
local entries, bytes = tonumber(size[1] or 0), tonumber(size[2] or 0)
if entries >= tonumber(ARGV[11]) or bytes + #ARGV[4] > tonumber(ARGV[12]) then
  return { 'overloaded' }
end

local persisted = redis.call('GET', KEYS[5])
if redis.call('EXISTS', KEYS[2]) == 0 then
  state.log_bytes = 0 -- the log expires before the state does
end
local now = redis.call('TIME')
local at = tonumber(now[1]) * 1000 + math.floor(tonumber(now[2]) / 1000)
local body = ARGV[4]

-- From here on nothing fails.
state.rev = state.rev + 1
local seq = 0
if ARGV[6] == '1' then
  state.seq = state.seq + 1
  seq = state.seq
end
if ARGV[8] == '1' then
  state.acl = int(state.epoch) .. ':' .. int(state.rev)
end
local header = ARGV[1] .. ' ' .. int(state.epoch) .. ' ' .. int(state.rev) .. ' ' .. int(seq) .. ' ' .. int(at)
  .. ' ' .. ARGV[5]

local ingest_id = redis.call('XADD', KEYS[3], '*', 'c', ARGV[3], 'h', header, 'b', body)
redis.call('HINCRBY', KEYS[4], 'entries', 1)
redis.call('HINCRBY', KEYS[4], 'bytes', #ARGV[3] + #header + #body)
redis.call('XADD', KEYS[2], int(state.rev) .. '-0', 'h', header, 'b', body, 'i', ingest_id)
state.log_bytes = state.log_bytes + #header + #body

-- The hot log is cut at its bounds, but never at or above what is not yet in Postgres.
local function below(id, mark)
  local id_ms, id_n = string.match(id, '(%d+)-(%d+)')
  local mark_ms, mark_n = string.match(mark, '(%d+)-(%d+)')
  id_ms, id_n, mark_ms, mark_n = tonumber(id_ms), tonumber(id_n), tonumber(mark_ms), tonumber(mark_n)
  return id_ms < mark_ms or (id_ms == mark_ms and id_n < mark_n)
end
local length = redis.call('XLEN', KEYS[2])
for _ = 1, 8 do
  if not persisted or (length <= tonumber(ARGV[13]) and state.log_bytes <= tonumber(ARGV[14])) then
    break
  end
  local oldest = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1]
  if not oldest or not below(oldest[2][6], persisted) then
    break
  end
  redis.call('XDEL', KEYS[2], oldest[1])
  state.log_bytes = state.log_bytes - #oldest[2][2] - #oldest[2][4]
  length = length - 1
end

redis.call('HSET', KEYS[1], 'seq', int(state.seq), 'rev', int(state.rev), 'acl', state.acl,
  'log_bytes', int(state.log_bytes))
redis.call('PERSIST', KEYS[1])
redis.call('PERSIST', KEYS[2])
redis.call('ZADD', KEYS[6], string.match(ingest_id, '%d+'), ARGV[3])
redis.call('SET', KEYS[7], ARGV[10] .. ' ' .. header, 'EX', ARGV[9])
if KEYS[8] then
  redis.call('HSET', KEYS[8], 'conv', ARGV[3], 'epoch', int(state.epoch), 'rev', int(state.rev), unpack(ARGV, 17))
  if seq > 0 then
    redis.call('HSET', KEYS[8], 'seq', int(seq))
  end
  redis.call('PERSIST', KEYS[8])
end
redis.call('SPUBLISH', ARGV[2], header .. '\n' .. body)
return { 'ok', header, ingest_id, state.replid }
