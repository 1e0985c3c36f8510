-- Makes the consumer group of a stream, and the stream, when they are missing (at the first start, or after Redis lost
-- its data).
--
-- KEYS 1 stream · 2 persisted (ingest stream only)
-- ARGV 1 group
--
-- Answers {'made'} · {'there'}

local answer = redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0', 'MKSTREAM')
local made = not answer.err
if not made and not string.find(answer.err, 'BUSYGROUP', 1, true) then
  return answer
end
if KEYS[2] then
  local persisted = redis.call('GET', KEYS[2])
  if persisted then
    local mark_ms, mark_n = parse_id(persisted)
    local last_ms, last_n = parse_id(last_generated_id(KEYS[1]))
    -- The mark is never above the next id, unless it survived and the stream did not. Then ids go on above the mark, so
    -- that no new entry is taken for persisted.
    if last_ms < mark_ms or (last_ms == mark_ms and last_n + 1 < mark_n) then
      redis.call('XSETID', KEYS[1], persisted)
    end
  end
  mark_low_water(KEYS[1], KEYS[2])
end
return { made and 'made' or 'there' }
