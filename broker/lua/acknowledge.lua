-- Takes entries out of a stream that are in Postgres or parked, in one step with everything that depends on it.
-- To repeat it does no harm: only what is really deleted is subtracted.
--
-- KEYS 1 stream · 2 its size · 3 persisted (ingest stream), or the size again (receipts stream: it has no mark)
--      4… objects that the entries changed
-- ARGV 1 group · 2 number of entries · 3 seconds that objects live on
--      4… id, size in bytes of each entry, then epoch, rev of each object as its entry had it
--
-- Answers {entries, bytes} that were deleted

local count = tonumber(ARGV[2])
local entries, bytes = 0, 0
for i = 0, count - 1 do
  local id = ARGV[4 + 2 * i]
  redis.call('XACK', KEYS[1], ARGV[1], id)
  if redis.call('XDEL', KEYS[1], id) == 1 then
    entries = entries + 1
    bytes = bytes + tonumber(ARGV[5 + 2 * i])
  end
end

-- The number of entries is known exactly, and so are the bytes of an empty stream: a count that went wrong mends.
local left = redis.call('XLEN', KEYS[1])
if left == 0 then
  redis.call('DEL', KEYS[2])
else
  redis.call('HSET', KEYS[2], 'entries', left)
  local bytes_left = tonumber(redis.call('HGET', KEYS[2], 'bytes') or 0) - bytes
  redis.call('HSET', KEYS[2], 'bytes', string.format('%.0f', math.max(bytes_left, 0)))
end

-- An object that an unpersisted entry changed since stays.
local first_version = 4 + 2 * count
for i = 4, #KEYS do
  local position = first_version + 2 * (i - 4)
  local epoch, rev = tonumber(ARGV[position]), tonumber(ARGV[position + 1])
  local object = redis.call('HMGET', KEYS[i], 'epoch', 'rev')
  local object_epoch, object_rev = tonumber(object[1] or nil), tonumber(object[2] or nil)
  if object_epoch and object_rev
    and (object_epoch < epoch or (object_epoch == epoch and object_rev <= rev)) then
    redis.call('EXPIRE', KEYS[i], ARGV[3])
  end
end

if KEYS[3] ~= KEYS[2] then
  mark_low_water(KEYS[1], KEYS[3])
end
return { entries, bytes }
