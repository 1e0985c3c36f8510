// Every command of the native protocol, as docs/asyncapi.json lists them; a test compares the two.
export const COMMANDS = [
  'session:authenticate', 'session:resume', 'echo', 'ping',
  'conversation:join', 'conversation:leave', 'conversation:get', 'conversation:list', 'participant:list', 'member:list',
  'message:send', 'message:edit', 'message:delete', 'message:get', 'message:history',
  'reaction:toggle', 'reaction:add', 'reaction:remove', 'receipt:delivered', 'receipt:read',
  'typing:start', 'typing:stop', 'presence:set', 'presence:get',
  'call:start', 'call:answer', 'call:signal', 'call:get', 'call:end',
  'notification:list', 'notification:read', 'user:get',
];
