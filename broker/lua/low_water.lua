-- The low-water mark of an ingest stream: everything below it is in Postgres or parked as a dead letter.
-- This text stands before the scripts that need it.

local function parse_id(id)
  local ms, n = string.match(id, '(%d+)-(%d+)')
  return tonumber(ms), tonumber(n)
end

local function last_generated_id(stream)
  local info = redis.call('XINFO', 'STREAM', stream)
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then
      return info[i + 1]
    end
  end
end

-- Entries leave the stream only when they are persisted, whoever persisted them, so the mark is the first entry that
-- is still there, or the next id that can be given. It rises by itself, because new ids are above all older ones. It
-- falls only when the stream itself was lost and holds lower ids than before: then a mark that stays would lie.
local function mark_low_water(stream, persisted)
  if redis.call('EXISTS', stream) == 0 then
    return
  end
  local first = redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
  if first then
    redis.call('SET', persisted, first[1])
    return
  end
  local ms, n = string.match(last_generated_id(stream), '(%d+)-(%d+)')
  redis.call('SET', persisted, ms .. '-' .. string.format('%.0f', tonumber(n) + 1))
end
