// A row of the table: one command in one state, and what comes of it in all ways.

export const UNKNOWN = '0199f3c2-0000-7000-8000-000000000000';
export const LONG = 'x'.repeat(129);
/** The status of each code that a row can be refused with. */
export const STATUS = {
  invalid_payload: 400, content_blank: 400, forbidden: 403, not_a_participant: 403, not_found: 404, conflict: 409,
  limit_reached: 409, content_too_large: 413,
};

export const row = (name, event, payload, expected, more = {}) => ({ name: `${event}: ${name}`, event, payload, expected, ...more });
/** Rows of one event with one outcome: the payload of each, by its name. */
export const rows = (event, expected, payloads, more) =>
  Object.entries(payloads).map(([name, payload]) => row(name, event, payload, expected, more));
export const refused = (event, payloads, more) => rows(event, 'invalid_payload', payloads, more);

/** What a path or a query cannot say in the same way, and what it says instead. */
export const PATH_HAS_TEXTS = 'an id in a path is a text, whatever it looks like';
export const PATH_HAS_AN_ID = 'a path cannot leave an id out';
export const QUERY_HAS_TEXTS = 'a parameter of a query is a text, whatever it looks like';
export const BINARY = 'an object of this form stands for binary data in a packet of Socket.IO';
export const UNREADABLE = 'what cannot be read is a packet here and a body there';
/** A row whose outcomes differ on purpose. `rest` is `[status]` or `[status, code, detail]`. */
export const differs = (because, name, event, payload, socket, rest, more) =>
  row(`${name} (${because})`, event, payload, undefined, { ...more, because, socket, rest });
export const NO_SUCH_PATH = [404, 'not_found', 'there is nothing at this path'];

/** Ids of conversations that do not fit; `outside` is the code for whoever takes no part in one. */
export function conversationIds(event, outside, more = {}) {
  return [
    ...rows(event, outside, {
      'of others': (s) => ({ conversationId: s.foreign.c, ...more }),
      'an unknown conversation': () => ({ conversationId: 'nowhere', ...more }),
    }),
    ...refused(event, {
      'too long a conversation id': () => ({ conversationId: LONG, ...more }),
      'a control character in the conversation id': () => ({ conversationId: 'a\nb', ...more }),
    }),
    differs(PATH_HAS_TEXTS, 'a number for a conversation', event, () => ({ conversationId: 7, ...more }),
      ['invalid_payload', 'conversation is no text'], [STATUS[outside], outside]),
  ];
}

/** Ids of messages or calls that do not fit. */
export function objectIds(event, field, more = {}) {
  const [kind, foreign] = { messageId: ['message', (s) => s.foreign.m], callId: ['call', (s) => s.foreign.call] }[field];
  const of = (id) => (s) => ({ [field]: typeof id === 'function' ? id(s) : id, ...more });
  const textual = [`${kind} is no text`, `${kind} is no ${kind} id`];
  return [
    ...rows(event, 'not_found', { 'of others': of(foreign), [`an unknown ${kind}`]: of(UNKNOWN) }),
    ...refused(event, {
      [`no ${kind} id`]: of('nope'),
      [`a ${kind} id of another version`]: of('67e55044-10b1-426f-9247-bb680e5fe0c8'),
      [`a ${kind} id in braces`]: of(`{${UNKNOWN}}`),
      [`too long a ${kind} id`]: of('0'.repeat(4000)),
      [`a null character in the ${kind} id`]: of('\0'),
    }),
    differs(PATH_HAS_TEXTS, `a number for a ${kind}`, event, of(7), ['invalid_payload', textual[0]], [400, 'invalid_payload', textual[1]]),
  ];
}

/** Limits of a list that do not fit. */
export function limits(event, payload, most, more) {
  const of = (fields) => (s) => ({ ...payload(s), ...fields });
  return [
    ...refused(event, {
      'limit 0': of({ limit: 0 }),
      'limit too large': of({ limit: most + 1 }),
      'limit below 0': of({ limit: -1 }),
      'limit with a fraction': of({ limit: 1.5 }),
      'limit beyond what is exact': of({ limit: 2 ** 53 }),
      'limit beyond 64 bits': of({ limit: 1e21 }),
      'limit no number': of({ limit: 'many' }),
      'limit true': of({ limit: true }),
      'limit empty': of({ limit: '' }),
    }, more),
    row('limit null is the default', event, of({ limit: null }), 200, more),
    row('limit as a text', event, of({ limit: '2' }), 200, more),
    row('the largest limit', event, of({ limit: most }), 200, more),
  ];
}

/** Limits and cursors of a list that do not fit. */
export function pages(event, payload, most, more) {
  const of = (fields) => (s) => ({ ...payload(s), ...fields });
  return [
    ...limits(event, payload, most, more),
    ...refused(event, {
      'cursor empty': of({ cursor: '' }),
      'a cursor that nobody gave': of({ cursor: 'made up' }),
      'a cursor of bytes': of({ cursor: 'ÿ\0' }),
      'too long a cursor': of({ cursor: 'a'.repeat(2000) }),
    }, more),
    row('cursor null is the first page', event, of({ cursor: null }), 200, more),
    differs(QUERY_HAS_TEXTS, 'cursor a number', event, of({ cursor: 7 }), ['invalid_payload', 'cursor is no text'],
      [400, 'invalid_payload', 'cursor is none that an answer gave'], more),
  ];
}

/** Objects within each other. */
export const nested = (levels) => (levels === 1 ? {} : { in: nested(levels - 1) });
export const objects = (count) => Array.from({ length: count }, (_, n) => ({ n }));
export const prepared = (prepare, tells) => ({ prepare, tells });
