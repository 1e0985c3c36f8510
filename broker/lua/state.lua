-- The state of a conversation: read, made when it is missing, raised when Redis may have gone back in time.
-- This text stands before the scripts that need it.
--
-- The hash: epoch, seq, rev (decimal integers), epoch_starts ("<epoch>:<rev>" of the last epochs, oldest first: up to
-- which rev of the epoch before what was seen is still true), acl ("<epoch>:<rev>" of what last changed who may
-- do what), replid (the replication id of the Redis that gave the newest number), log_bytes, deleted and deleted_seq
-- (only when the conversation was deleted: the version of that, and the newest message then; Postgres has none of what
-- was there any more when this hash has gone).
--
-- Floors are what the caller knows the numbers to be at the least: from Postgres, and from what it has seen
-- itself. They are read after a script answered `unknown` or `verify`.

-- Lua writes large numbers as 1e+14; keys and headers need digits.
local function int(number)
  return string.format('%.0f', number)
end

-- Changes with every restart and every failover, the two events after which data may be missing.
local function replication_id()
  return string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)') or ''
end

-- floors: '' or six numbers separated by spaces: epoch rev seq in Postgres, epoch rev seq seen.
local function parse_floors(text)
  if text == '' then
    return nil
  end
  local numbers = {}
  for digits in string.gmatch(text, '%d+') do
    numbers[#numbers + 1] = tonumber(digits)
  end
  return {
    epoch = math.max(numbers[1], numbers[4], 1),
    rev = math.max(numbers[2], numbers[5]),
    seq = math.max(numbers[3], numbers[6]),
    -- More was seen than is stored: the difference is lost, so its numbers belong to an epoch that is over.
    lost = numbers[4] > numbers[1] or (numbers[4] == numbers[1] and numbers[5] > numbers[2]),
    stored_epoch = numbers[1],
    stored_rev = numbers[2],
  }
end

local function write_state(key, log, state)
  redis.call('DEL', log)
  redis.call('HSET', key, 'epoch', int(state.epoch), 'epoch_starts', state.epoch_starts, 'seq', int(state.seq),
    'rev', int(state.rev), 'acl', state.acl, 'replid', state.replid, 'log_bytes', '0')
end

-- A reader that was away while Redis restarted several times follows them one by one; so many are remembered.
local EPOCHS_KEPT = 16
local STATE_SECONDS = 2592000

local function add_epoch(starts, epoch, rev)
  local all = {}
  for start in string.gmatch(starts, '%S+') do
    all[#all + 1] = start
  end
  all[#all + 1] = int(epoch) .. ':' .. int(rev)
  return table.concat(all, ' ', math.max(#all - EPOCHS_KEPT + 1, 1))
end

-- Returns the state, or nil and 'unknown' or 'verify' when floors are needed and not given.
local function load_state(key, log, floors)
  local values = redis.call('HMGET', key, 'epoch', 'epoch_starts', 'seq', 'rev', 'acl', 'replid', 'log_bytes')
  local replid, fresh = replication_id(), false
  local state = {
    epoch = tonumber(values[1] or nil), epoch_starts = values[2], seq = tonumber(values[3] or nil),
    rev = tonumber(values[4] or nil), acl = values[5], replid = values[6], log_bytes = tonumber(values[7] or 0),
  }
  if not values[1] then
    if not floors then
      return nil, 'unknown'
    end
    local epoch = floors.epoch
    if floors.lost then
      epoch = epoch + 1
    end
    -- It came from Postgres: nothing of it is unpersisted.
    fresh = true
    -- Where an epoch started that is older than this state is not known: to say the newest rev would let readers of the
    -- epoch before keep what that start took from them.
    local starts = ''
    if floors.lost or floors.stored_epoch == 0 then
      starts = int(epoch) .. ':' .. int(floors.stored_rev)
    end
    state = { epoch = epoch, epoch_starts = starts, seq = floors.seq, rev = floors.rev, log_bytes = 0 }
  elseif state.replid ~= replid then
    if not floors then
      return nil, 'verify'
    end
    state.epoch = math.max(state.epoch, floors.epoch) + 1
    state.epoch_starts = add_epoch(state.epoch_starts, state.epoch, state.rev)
    state.rev = math.max(state.rev, floors.rev)
    state.seq = math.max(state.seq, floors.seq)
    state.log_bytes = 0
  else
    return state
  end
  state.acl = int(state.epoch) .. ':' .. int(state.rev)
  state.replid = replid
  write_state(key, log, state)
  if fresh then
    redis.call('EXPIRE', key, STATE_SECONDS)
  end
  return state
end
