// What a command of a socket is as a request: the same payload, its ids in the path, the rest in the body or the query.

/** A payload without an id that its path needs asks for a path that is none. */
const segment = (id) => encodeURIComponent(id ?? '');

/** All parameters are texts, so that `null` can only be left out. */
function query(parameters) {
  const given = Object.entries(parameters).filter(([, value]) => value !== undefined && value !== null);
  const text = new URLSearchParams(given.map(([name, value]) => [name, `${value}`])).toString();
  return text === '' ? '' : `?${text}`;
}

const conversation = (id) => `/v1/conversations/${segment(id)}`;
const message = (id) => `/v1/messages/${segment(id)}`;
const call = (id) => `/v1/calls/${segment(id)}`;
const user = (id) => `/v1/users/${segment(id)}`;

const receipt = (type) => ({
  request: ({ conversationId, ...body }) => ['POST', `${conversation(conversationId)}/receipts`, { type, ...body }],
});
const typing = (state) => ({
  request: ({ conversationId, ...body }) => ['POST', `${conversation(conversationId)}/typing`, { state, ...body }],
});
const reaction = (method) => ({
  request: ({ messageId, emoji }) => [method, `${message(messageId)}/reactions/${segment(emoji)}`],
});

/**
 * For each event of the native dialect that is a command with a request of its own: `request` takes the payload and who
 * asks, and answers `[method, path, body]`; `within` is the field of the acknowledgement, or the way there, that is the
 * request's answer.
 */
export const TWINS = {
  'conversation:get': { within: 'conversation', request: ({ conversationId }) => ['GET', conversation(conversationId)] },
  'conversation:list': { request: (parameters) => ['GET', `/v1/conversations${query(parameters)}`] },
  'participant:list': {
    request: ({ conversationId, ...rest }) => ['GET', `${conversation(conversationId)}/participants${query(rest)}`],
  },
  'member:list': {
    request: ({ conversationId, ...rest }) => ['GET', `${conversation(conversationId)}/members${query(rest)}`],
  },
  'user:get': { within: 'user', request: ({ userId }) => ['GET', user(userId)] },
  'message:send': {
    within: 'message',
    request: ({ conversationId, ...body }) => ['POST', `${conversation(conversationId)}/messages`, body],
  },
  'message:get': { within: 'message', request: ({ messageId }) => ['GET', message(messageId)] },
  'message:edit': { within: 'message', request: ({ messageId, ...body }) => ['PATCH', message(messageId), body] },
  'message:delete': { within: 'message', request: ({ messageId }) => ['DELETE', message(messageId)] },
  'message:history': {
    request: ({ conversationId, ...rest }) => ['GET', `${conversation(conversationId)}/messages${query(rest)}`],
  },
  'reaction:toggle': { request: ({ messageId, ...body }) => ['POST', `${message(messageId)}/reactions`, body] },
  'reaction:add': reaction('PUT'),
  'reaction:remove': reaction('DELETE'),
  'receipt:delivered': receipt('delivered'),
  'receipt:read': receipt('read'),
  'typing:start': typing('started'),
  'typing:stop': typing('stopped'),
  'presence:set': { within: 'presence', request: (body, who) => ['PUT', `${user(who)}/presence`, body] },
  'presence:get': { within: ['presences', 0], request: ({ userIds }) => ['GET', `${user(userIds?.[0])}/presence`] },
  'call:start': { within: 'call', request: ({ conversationId, ...body }) => ['POST', `${conversation(conversationId)}/calls`, body] },
  'call:answer': { within: 'call', request: ({ callId }) => ['POST', `${call(callId)}/answer`] },
  'call:end': { within: 'call', request: ({ callId }) => ['POST', `${call(callId)}/end`] },
  'call:get': { within: 'call', request: ({ callId }) => ['GET', call(callId)] },
  'call:signal': { request: ({ callId, ...body }) => ['POST', `${call(callId)}/signals`, body] },
  'notification:list': { request: (parameters, who) => ['GET', `${user(who)}/notifications${query(parameters)}`] },
  'notification:read': { request: (body, who) => ['POST', `${user(who)}/notifications/read`, body] },
};

/** Commands of a socket that say something of the socket itself. */
export const OF_SOCKETS = [
  'session:authenticate', 'session:resume', 'conversation:join', 'conversation:leave', 'echo', 'ping',
];

/** The same for an acknowledgement and for an answer: `{result}` or `{refusal: {code, message, retryable, retryAfterMs}}`. */
export function ofAcknowledgement(event, { ok, error, ...reply }) {
  if (!ok) return { refusal: error };
  const { within = [] } = TWINS[event];
  return { result: [within].flat().reduce((value, key) => value[key], reply) };
}

export function ofAnswer({ status, body }) {
  if (status < 400) return { result: body };
  const { code, detail, retryable, retryAfterMs } = body;
  return { refusal: { code, message: detail, retryable, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) } };
}

const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/g;
const TIME = /"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z"/g;

/** Without what must differ between two states that were made alike: the conversation's name, ids, times. */
export function alike(outcome, conversationId) {
  const ids = [];
  const number = (id) => (ids.includes(id) ? ids.indexOf(id) : ids.push(id) - 1);
  const text = JSON.stringify(outcome)
    .replaceAll(JSON.stringify(conversationId), '"<conversation>"')
    .replace(UUID, (id) => `<id ${number(id)}>`)
    .replace(TIME, '"<time>"')
    .replace(/"durationMs":\d+/g, '"durationMs":"<time>"');
  return JSON.parse(text);
}
