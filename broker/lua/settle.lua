-- Lets the keys of conversations expire again of which everything is persisted by now.
--
-- KEYS 1 unsettled · 2 persisted · 3 ingest stream · 4… state hash, hot log of each conversation
-- ARGV 1 seconds of a state hash · 2 seconds of a hot log · 3… conversation ids
--
-- Answers how many were settled

local all = redis.call('XLEN', KEYS[3]) == 0
local persisted = redis.call('GET', KEYS[2])
local mark = tonumber(string.match(persisted or '', '^%d+') or nil) or 0
local settled = 0
for i = 3, #ARGV do
  -- The score is the time in the newest entry's id. Asked again here: the conversation may have gone on.
  local newest = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[i]) or nil)
  if newest and (all or newest < mark) then
    redis.call('EXPIRE', KEYS[4 + 2 * (i - 3)], ARGV[1])
    redis.call('EXPIRE', KEYS[5 + 2 * (i - 3)], ARGV[2])
    redis.call('ZREM', KEYS[1], ARGV[i])
    settled = settled + 1
  end
end
return settled
