-- Deletes consumers that went away and left nothing pending. To delete one with pending entries would lose them,
-- so looking and deleting are one step.
--
-- KEYS 1 stream
-- ARGV 1 group · 2 milliseconds since it was last heard of · 3 the only consumer to look at, or ''
--
-- Answers how many were deleted

local consumers = redis.pcall('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])
if consumers.err then
  return 0
end
local deleted = 0
for _, info in ipairs(consumers) do
  local consumer = {}
  for i = 1, #info, 2 do
    consumer[info[i]] = info[i + 1]
  end
  local meant = ARGV[3] == '' or ARGV[3] == consumer.name
  if meant and consumer.pending == 0 and consumer.idle >= tonumber(ARGV[2]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], consumer.name)
    deleted = deleted + 1
  end
end
return deleted
