-- Notes who is in a conversation under a lease and who is not any more, and publishes whoever came or went as far as the
-- whole conversation is concerned. Under a lease that does not hold nobody comes. Of one who is still noted under expired
-- leases nobody was told that he went, and so nobody is told that he came, though he is among those who did.
--
-- KEYS 1 members hash: user → the leases under which he is there, between blanks · 2 leases · 3 rooms
--      4 registrations under the lease
-- ARGV 1 lease · 2 conversation · 3 channel · 4 with how many members nobody is published any more · 5 '1' when nobody is
--      left under the lease · 6 '1' when the lease must not hold, and everything stays otherwise · 7 how many come
--      8… user, body of the event of each who comes, then users who go
--
-- Answers {'ok', '1' when members are published, number of those who came, user…, user who went…} · {'none'}

local lease, conversation = ARGV[1], ARGV[2]
local is_held = holds(KEYS[2], lease)
if ARGV[6] == '1' and is_held then
  return { 'none' }
end
local first_gone = 8 + 2 * tonumber(ARGV[7])
local came, is_new = {}, {}

-- The other leases under which a user is, those that hold; and whether the given one was among them.
local function others(entry)
  local held, was_there = {}, false
  for other in string.gmatch(entry, '%S+') do
    if other == lease then
      was_there = true
    elseif holds(KEYS[2], other) then
      held[#held + 1] = other
    end
  end
  return held, was_there
end

if is_held and first_gone > 8 then
  for i = 8, first_gone - 1, 2 do
    local entry = redis.call('HGET', KEYS[1], ARGV[i])
    is_new[i] = not entry
    local held, was_there = others(entry or '')
    if not was_there then
      if #held == 0 then
        came[#came + 1] = i
      end
      held[#held + 1] = lease
      redis.call('HSET', KEYS[1], ARGV[i], table.concat(held, ' '))
    end
  end
  redis.call('SADD', KEYS[4], 'c' .. conversation)
  redis.call('SADD', KEYS[3], conversation)
end

local is_announced = redis.call('HLEN', KEYS[1]) <= tonumber(ARGV[4])
local function publish(kind, body)
  if is_announced then
    redis.call('SPUBLISH', ARGV[3], kind .. ' 0 0 0 ' .. int(now) .. ' -\n' .. body)
  end
end

local answer = { 'ok', is_announced and '1' or '0', int(#came) }
for _, i in ipairs(came) do
  if is_new[i] then
    publish('member.joined', ARGV[i + 1])
  end
  answer[#answer + 1] = ARGV[i]
end
for i = first_gone, #ARGV do
  local user = ARGV[i]
  local held, was_there = others(redis.call('HGET', KEYS[1], user) or '')
  if was_there and #held == 0 then
    redis.call('HDEL', KEYS[1], user)
    local quoted = cjson.encode(user)
    publish('member.left', '{"user":{"id":' .. quoted .. ',"name":' .. quoted .. '}}')
    answer[#answer + 1] = user
  elseif was_there then
    redis.call('HSET', KEYS[1], user, table.concat(held, ' '))
  end
end
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('SREM', KEYS[3], conversation)
end
if ARGV[5] == '1' then
  redis.call('SREM', KEYS[4], 'c' .. conversation)
end
return answer
