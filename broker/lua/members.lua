-- Whether a user is in a conversation. This text stands before the scripts that need it, after lease.lua.

-- entry: the leases under which he is there.
local function is_there(leases, entry)
  for lease in string.gmatch(entry, '%S+') do
    if holds(leases, lease) then
      return true
    end
  end
  return false
end
