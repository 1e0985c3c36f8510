-- Gives an event its place, puts it in the ingest stream and publishes it: all of it, or nothing.
--
-- KEYS 1 state hash · 2 hot log · 3 ingest stream · 4 ingest size · 5 persisted · 6 unsettled
--      7 idempotency key · 8 object hash (only when the event changes an object)
-- ARGV 1 kind · 2 channel · 3 conversation id · 4 body · 5 origin or '-', then ' ' and the traceparent if it is traced
--      6 '1' when it takes a seq
--      7 acl it was authorised under, or '' · 8 '1' when it changes the acl
--      9 idempotency: seconds to keep · 10 idempotency: what to keep before the header
--      11 most entries and 12 most bytes of the ingest stream · 13 entries and 14 bytes that the hot log keeps
--      15 floors (see state.lua) or '' · 16 '' unless it changes the state of an object: the version '<epoch>:<rev>' that
--      the change was decided on · 17 '' unless it is a reaction, which is decided here: toggle, add or remove
--      then, for a reaction: 18 emoji · 19 reactor as JSON · 20 most emoji and 21 most users a message · 22 the reactions
--      as Postgres has them (see reactions.lua) or ''; its body is the beginning of one, up to "active"
--      18… (23…) field, value of the object; of a reaction's they are written only when there is no object yet
--
-- Answers {'ok', header, ingest id, replication id, body} · {'repeat', kept, replication id} · {'unknown'} · {'verify'}
--         {'reauthorize', acl} · {'stale'} · {'overloaded'}; for a reaction also {'unloaded'} · {'behind'} · {'gone'}
--         {'limit'} · {'unchanged', 'on' or 'off', reactions, replication id}
--
-- The replication id names the history that has the event by now, for those who wait until a replica has it too. What
-- a repetition finds is there as a whole: the key was written together with the event. What is kept of a reaction is
-- 'on' or 'off'.
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
-- What was read before Redis was known to have gone back may be of before as well.
local verified = ARGV[15] == ''
if ARGV[16] ~= '' and not verified then
  return { 'stale' }
end
if ARGV[7] ~= '' and ARGV[7] ~= state.acl then
  return { 'reauthorize', state.acl }
end
local epoch, rev = int(state.epoch), int(state.rev + 1)
local body, mark = ARGV[4], ARGV[10]

-- The object's state has a version of its own, its field `state`, which reactions leave as it is.
local function is_newer(version, other)
  local one_epoch, one_rev = string.match(version, '(%d+):(%d+)')
  local other_epoch, other_rev = string.match(other, '(%d+):(%d+)')
  one_epoch, other_epoch = tonumber(one_epoch), tonumber(other_epoch)
  return one_epoch > other_epoch or (one_epoch == other_epoch and tonumber(one_rev) > tonumber(other_rev))
end
-- An object that Redis has no longer, or only an older state of, is in Postgres, where the caller read it.
if ARGV[16] ~= '' then
  local held = redis.call('HGET', KEYS[8], 'state')
  if held and held ~= ARGV[16] and is_newer(held, ARGV[16]) then
    return { 'stale' }
  end
  -- What went with its conversation does not change any more; to read it anew tells.
  local deleted = redis.call('HGET', KEYS[1], 'deleted')
  if deleted and not is_newer(ARGV[16], deleted) then
    return { 'stale' }
  end
end

local reactions, object_is_there
if ARGV[17] ~= '' then
  local object = redis.call('HMGET', KEYS[8], 'conv', 'deleted', 'reactions', 'seq')
  local place = tonumber(object[4] or nil)
  for i = 23, #ARGV, 2 do
    if ARGV[i] == 'seq' then
      place = place or tonumber(ARGV[i + 1])
    end
  end
  local deleted_seq = tonumber(redis.call('HGET', KEYS[1], 'deleted_seq') or 0)
  if object[2] or (place and place <= deleted_seq) then
    return { 'gone' }
  end
  object_is_there = object[1]
  local json, unknown = held_reactions(object[3], epoch, verified and ARGV[22] or '')
  if not json then
    return { unknown }
  end
  local outcome
  outcome, reactions = change_reactions(json, ARGV[17], ARGV[18], cjson.decode(ARGV[19]), state.rev + 1,
    tonumber(ARGV[20]), tonumber(ARGV[21]))
  if outcome == 'limit' then
    return { 'limit' }
  elseif outcome == 'unchanged' then
    return { 'unchanged', reactions, json, state.replid }
  end
  mark = outcome
  body = body .. '"active":' .. (outcome == 'on' and 'true' or 'false') .. ',"reactions":' .. reactions .. '}'
end

local size = redis.call('HMGET', KEYS[4], 'entries', 'bytes')
local entries, bytes = tonumber(size[1] or 0), tonumber(size[2] or 0)
if entries >= tonumber(ARGV[11]) or bytes + #body > tonumber(ARGV[12]) then
  return { 'overloaded' }
end

local persisted = redis.call('GET', KEYS[5])
local length = redis.call('XLEN', KEYS[2])
if length == 0 then
  state.log_bytes = 0 -- the log expires before the state does
end
local now = redis.call('TIME')
local at = int(tonumber(now[1]) * 1000 + math.floor(tonumber(now[2]) / 1000))

-- From here on nothing fails.
local seq = '0'
if ARGV[6] == '1' then
  state.seq = state.seq + 1
  seq = int(state.seq)
end
if ARGV[8] == '1' then
  state.acl = epoch .. ':' .. rev
end
local header = ARGV[1] .. ' ' .. epoch .. ' ' .. rev .. ' ' .. seq .. ' ' .. at .. ' ' .. ARGV[5]

local ingest_id = redis.call('XADD', KEYS[3], '*', 'c', ARGV[3], 'h', header, 'b', body)
redis.call('HSET', KEYS[4], 'entries', int(entries + 1), 'bytes', int(bytes + #ARGV[3] + #header + #body))
redis.call('XADD', KEYS[2], rev .. '-0', 'h', header, 'b', body, 'i', ingest_id)
state.log_bytes = state.log_bytes + #header + #body
length = length + 1

-- The hot log is cut at its bounds, but never at or above what is not yet in Postgres.
local function below(id, mark)
  local id_ms, id_n = string.match(id, '(%d+)-(%d+)')
  local mark_ms, mark_n = string.match(mark, '(%d+)-(%d+)')
  id_ms, id_n, mark_ms, mark_n = tonumber(id_ms), tonumber(id_n), tonumber(mark_ms), tonumber(mark_n)
  return id_ms < mark_ms or (id_ms == mark_ms and id_n < mark_n)
end
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

redis.call('HSET', KEYS[1], 'seq', int(state.seq), 'rev', rev, 'acl', state.acl, 'log_bytes', int(state.log_bytes))
if ARGV[1] == 'conversation.deleted' then
  redis.call('HSET', KEYS[1], 'deleted', epoch .. ':' .. rev, 'deleted_seq', int(state.seq))
end
redis.call('PERSIST', KEYS[1])
redis.call('PERSIST', KEYS[2])
redis.call('ZADD', KEYS[6], string.match(ingest_id, '%d+'), ARGV[3])
redis.call('SET', KEYS[7], mark .. ' ' .. header, 'EX', ARGV[9])
if reactions then
  reactions = epoch .. ' ' .. reactions
  if object_is_there then
    redis.call('HSET', KEYS[8], 'epoch', epoch, 'rev', rev, 'reactions', reactions)
  else
    redis.call('HSET', KEYS[8], 'conv', ARGV[3], 'epoch', epoch, 'rev', rev, 'reactions', reactions, unpack(ARGV, 23))
  end
  redis.call('PERSIST', KEYS[8])
elseif ARGV[6] == '1' and KEYS[8] then
  redis.call('HSET', KEYS[8], 'conv', ARGV[3], 'epoch', epoch, 'rev', rev, 'state', epoch .. ':' .. rev, 'seq', seq,
    'reactions', epoch .. ' []', unpack(ARGV, 18))
elseif KEYS[8] then
  redis.call('HSET', KEYS[8], 'conv', ARGV[3], 'epoch', epoch, 'rev', rev, 'state', epoch .. ':' .. rev, 'at', at,
    unpack(ARGV, 18))
  redis.call('PERSIST', KEYS[8])
end
redis.call('SPUBLISH', ARGV[2], header .. '\n' .. body)
if reactions then
  return { 'ok', header, ingest_id, state.replid, body }
end
return { 'ok', header, ingest_id, state.replid }
