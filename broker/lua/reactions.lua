-- The reactions to a message, as its object holds them, and what a command makes of them.
-- This text stands before the scripts that need it.
--
-- The object's field `reactions`: '<epoch> <JSON>'. The JSON is [{"emoji", "users": [{"id", "name", "rev"}]}]: users in
-- the order in which they came, with the rev of the event that brought them, and emoji in the order of their first users.
-- The epoch is the one in which this was known to be right: of an older one Redis may have lost the newest.

-- cjson knows no empty list.
local function encode_reactions(reactions)
  if #reactions == 0 then
    return '[]'
  end
  return cjson.encode(reactions)
end

-- Returns the reactions as JSON, or nil and why they must be read from Postgres first: 'unloaded' when the object does
-- not hold them, so that Postgres has all there are; 'behind' when Postgres has them as soon as it has what waits in the
-- stream.
local function held_reactions(held, epoch, seed)
  local held_epoch, json = string.match(held or '', '^(%d+) (.*)$')
  if held_epoch == epoch then
    return json
  end
  if seed ~= '' then
    return seed
  end
  return nil, held_epoch and 'behind' or 'unloaded'
end

local function came_earlier(one, other)
  return one.users[1].rev < other.users[1].rev
end

-- Returns 'on' or 'off' with the JSON of all reactions then; or why nothing changes, 'unchanged' or 'limit', with whether
-- the reaction is there.
local function change_reactions(json, change, emoji, reactor, rev, most_emoji, most_users)
  local reactions = cjson.decode(json)
  local place, total = nil, 0
  for i = 1, #reactions do
    total = total + #reactions[i].users
    if reactions[i].emoji == emoji then
      place = i
    end
  end
  local users = place and reactions[place].users or {}
  local there
  for i = 1, #users do
    if users[i].id == reactor.id then
      there = i
    end
  end

  if change == (there and 'add' or 'remove') then
    return 'unchanged', there and 'on' or 'off'
  end
  if there then
    table.remove(users, there)
    if #users == 0 then
      table.remove(reactions, place)
    elseif there == 1 then
      table.sort(reactions, came_earlier)
    end
    return 'off', encode_reactions(reactions)
  end
  if total >= most_users or (not place and #reactions >= most_emoji) then
    return 'limit'
  end
  if not place then
    reactions[#reactions + 1] = { emoji = emoji, users = users }
  end
  users[#users + 1] = { id = reactor.id, name = reactor.name, rev = rev }
  return 'on', encode_reactions(reactions)
end
