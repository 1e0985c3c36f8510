// A command is the same command wherever it comes from: by a socket, by a request with the user's own token, and by one
// with a service key that acts for the user, the result is the same and so is the refusal, word for word.
//
// Each row is one command in one state. What changes something does so in three states that were made alike, and ids and
// times may differ there; what only reads, and what is refused, meets one and the same state, and nothing may differ.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { repository } from '../harness/paths.js';
import { Rest } from '../harness/rest.js';
import { Stack, UNLIMITED } from '../harness/stack.js';
import { OF_SOCKETS, TWINS, alike, ofAcknowledgement, ofAnswer } from '../harness/twins.js';
import { until } from '../harness/wait.js';

/** The status of each code that a row can be refused with. */
const STATUS = {
  invalid_payload: 400, content_blank: 400, forbidden: 403, not_a_participant: 403, not_found: 404, conflict: 409,
  limit_reached: 409, content_too_large: 413,
};
const CLAIMS = { mod: { role: 'moderator' } };
const UNKNOWN = '0199f3c2-0000-7000-8000-000000000000';
const LONG = 'x'.repeat(129);

let stack;
/** Those who are connected, by their names. */
const people = {};
/** The state that nothing changes. */
let shared;

before(async () => {
  const gatewayEnv = { ...UNLIMITED, PARLANCE__GATEWAY__RECEIPTS_INTERVAL: '10ms' };
  stack = await Stack.start({ name: 'parity', gatewayEnv, workerEnv: { PARLANCE__CALLS__RING_TIMEOUT: '1h' } });
  for (const name of ['alice', 'bob', 'carol', 'mod', 'lisa', 'nina']) {
    people[name] = await stack.member(name, { claims: CLAIMS[name] });
  }
  shared = await sharedState();
});
after(() => stack?.stop());

// ---- states

/** A conversation in which bob hears everything. */
async function room(id) {
  await stack.conversation(id, 'alice', 'bob', 'mod');
  await people.bob.join(id);
  return { c: id };
}

const said = (user, ...contents) => async (id) => {
  const state = { ...(await room(id)), messages: [] };
  for (const content of contents) state.messages.push(await people[user].say(id, content));
  return { ...state, m: state.messages[0]?.id };
};

/** After `prepare`, commands that make the state what it should be. */
const then = (prepare, ...commands) => async (id) => {
  const state = await prepare(id);
  for (const [user, event, payload] of commands) await people[user].must(event, payload(state));
  return state;
};

const rung = (user, ...commands) => async (id) => {
  const state = await room(id);
  state.call = (await people[user].must('call:start', { conversationId: id })).call.id;
  for (const [by, event] of commands) await people[by].must(event, { callId: state.call });
  return state;
};

/** A user with three notifications, of whom the second is read. */
async function notified(id) {
  const notifications = [];
  for (const text of ['one', 'two', 'three']) {
    notifications.push((await stack.rest().expect(201, 'POST', `/v1/users/${id}/notifications`, { type: 'news', text })).id);
  }
  people[id] ??= await stack.member(id);
  await people[id].must('notification:read', { notificationIds: [notifications[1]] });
  return { as: id, notifications };
}

async function sharedState() {
  const c = await room('shared').then((state) => state.c);
  await stack.conversation('foreign', 'bob', 'carol');
  await stack.conversation('odd /?#%25&+ü', 'alice');
  await stack.rest('bob').expect(201, 'PUT', '/v1/users/zoe', { name: 'Zoe', email: 'zoe@example.org', role: 'guest' });
  for (const id of ['list-1', 'list-2', 'list-3']) {
    await stack.conversation(id, 'bob', 'lisa');
    await people.bob.say(id, `in ${id}`);
  }
  await people.lisa.must('receipt:read', { conversationId: 'list-2', seq: 1 });

  const { alice, bob } = people;
  const messages = [];
  for (let n = 1; n <= 8; n += 1) {
    const more = n === 2 ? { replyTo: messages[0].id, metadata: { n }, attachments: [{ url: 'u' }], clientId: 'second' } : {};
    messages.push(await (n % 2 ? alice : bob).say(c, `message ${n}`, more));
  }
  const [m, ofBob, gone, full] = messages.map(({ id }) => id);
  await alice.must('message:delete', { messageId: gone });
  await bob.must('message:edit', { messageId: ofBob, content: 'edited' });
  await alice.must('reaction:add', { messageId: m, emoji: '👍' });
  await bob.must('reaction:add', { messageId: m, emoji: '👍' });
  for (let n = 0; n < 50; n += 1) await bob.must('reaction:add', { messageId: full, emoji: `e${n}` });
  await bob.must('receipt:read', { conversationId: c, seq: 3 });
  await bob.must('receipt:delivered', { conversationId: c, seq: 5 });

  const ring = async (user, conversationId) => (await people[user].must('call:start', { conversationId })).call.id;
  const [ringing, ended, alone] = [await ring('bob', c), await ring('bob', c), await ring('alice', c)];
  await alice.must('call:answer', { callId: ended });
  await bob.must('call:end', { callId: ended });
  const foreign = { c: 'foreign', m: (await bob.say('foreign', 'not for alice')).id, call: await ring('bob', 'foreign') };
  const { notifications } = await notified('nina');
  await settled(c);
  const cursor = async (user, event, payload) => (await people[user].must(event, payload)).nextCursor;
  const cursors = {
    conversations: await cursor('lisa', 'conversation:list', { limit: 1 }),
    participants: await cursor('alice', 'participant:list', { conversationId: c, limit: 1 }),
    notifications: await cursor('nina', 'notification:list', { limit: 1 }),
    history: await cursor('alice', 'message:history', { conversationId: c, limit: 2 }),
  };
  return { c, messages, m, ofBob, gone, full, ringing, ended, alone, foreign, notifications, cursors };
}

/** Waits until Postgres has what was done, so that whoever reads now and later reads the same. */
async function settled(c) {
  await until('the shared state is persisted', async () => {
    const [{ messages, reactions, calls, known, read, listed }] = await stack.database.rows(`SELECT
      (SELECT count(*)::int FROM messages WHERE conversation_id = '${c}') AS messages,
      (SELECT count(*)::int FROM reactions) AS reactions,
      (SELECT count(*)::int FROM calls) AS calls,
      (SELECT count(*)::int FROM users WHERE id IN ('alice', 'bob', 'carol', 'mod', 'lisa', 'nina')) AS known,
      (SELECT min(read_seq)::int FROM participants WHERE (conversation_id, user_id) IN (('${c}', 'bob'), ('list-2', 'lisa'))) AS read,
      (SELECT count(*)::int FROM messages WHERE conversation_id LIKE 'list-%') AS listed`);
    return messages === 8 && reactions === 52 && calls === 4 && known === 6 && read === 1 && listed === 3;
  });
  await until('cursors are persisted', async () => {
    const { messages } = await people.alice.must('message:history', { conversationId: c });
    return messages[0].status === 'read' && messages[4].status === 'delivered';
  });
}

// ---- rows

const row = (name, event, payload, expected, more = {}) => ({ name: `${event}: ${name}`, event, payload, expected, ...more });
/** Rows of one event with one outcome: the payload of each, by its name. */
const rows = (event, expected, payloads, more) =>
  Object.entries(payloads).map(([name, payload]) => row(name, event, payload, expected, more));
const refused = (event, payloads, more) => rows(event, 'invalid_payload', payloads, more);

/** What a path or a query cannot say in the same way, and what it says instead. */
const PATH_HAS_TEXTS = 'an id in a path is a text, whatever it looks like';
const PATH_HAS_AN_ID = 'a path without an id is another path';
const QUERY_HAS_TEXTS = 'a parameter of a query is a text, whatever it looks like';
const EMPTY_IS_LEFT_OUT = 'a parameter without a value is one left out';
const BINARY = 'an object of this form stands for binary data in a packet of Socket.IO';
/** A row whose outcomes differ on purpose. `rest` is `[status]` or `[status, code, detail]`. */
const differs = (because, name, event, payload, socket, rest, more) =>
  row(`${name} (${because})`, event, payload, undefined, { ...more, because, socket, rest });
const NO_SUCH_PATH = [404, 'not_found', 'there is nothing at this path'];

/** Ids of conversations that do not fit; `outside` is the code for whoever takes no part in one. */
function conversationIds(event, outside, more = {}) {
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
function objectIds(event, field, more = {}) {
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

/** Limits and cursors of a list that do not fit. */
function pages(event, payload, most, more) {
  const of = (fields) => (s) => ({ ...payload(s), ...fields });
  const wrong = ['invalid_payload', 'limit is no whole number from 0'];
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
      'a cursor that nobody gave': of({ cursor: 'made up' }),
      'a cursor of bytes': of({ cursor: 'ÿ\0' }),
      'too long a cursor': of({ cursor: 'a'.repeat(2000) }),
    }, more),
    row('limit null is the default', event, of({ limit: null }), 200, more),
    row('limit as a text', event, of({ limit: '2' }), 200, more),
    row('the largest limit', event, of({ limit: most }), 200, more),
    row('cursor null is the first page', event, of({ cursor: null }), 200, more),
    differs(EMPTY_IS_LEFT_OUT, 'limit empty', event, of({ limit: '' }), wrong, [200], more),
    differs(QUERY_HAS_TEXTS, 'cursor a number', event, of({ cursor: 7 }), ['invalid_payload', 'cursor is no text'],
      [400, 'invalid_payload', 'cursor is none that an answer gave'], more),
  ];
}

const objects = (count) => Array.from({ length: count }, (_, n) => ({ n }));
const lisa = { as: 'lisa' };
const nina = { as: 'nina' };
const prepared = (prepare, tells) => ({ prepare, tells });

const CONVERSATIONS = [
  ...rows('conversation:get', 200, {
    'one’s own': (s) => ({ conversationId: s.c }),
    'a name that a path must quote': () => ({ conversationId: 'odd /?#%25&+ü' }),
  }),
  ...conversationIds('conversation:get', 'not_found'),
  differs(PATH_HAS_AN_ID, 'no conversation', 'participant:list', () => ({}), ['invalid_payload', 'conversation is missing'], NO_SUCH_PATH),
  differs(PATH_HAS_AN_ID, 'null for a conversation', 'message:history', () => ({ conversationId: null }),
    ['invalid_payload', 'conversation is missing'], NO_SUCH_PATH),
  differs(PATH_HAS_AN_ID, 'an empty conversation id', 'call:start', () => ({ conversationId: '' }),
    ['invalid_payload', 'conversation is empty'], NO_SUCH_PATH),

  ...rows('conversation:list', 200, {
    'all of them': () => ({}),
    'the first page': () => ({ limit: 1 }),
    'the page after it': (s) => ({ limit: 1, cursor: s.cursors.conversations }),
  }, lisa),
  row('nobody’s', 'conversation:list', () => ({}), 200, nina),
  ...pages('conversation:list', () => ({}), 100, lisa),
  ...refused('conversation:list', { 'the cursor of another list': (s) => ({ cursor: s.cursors.participants }) }, lisa),

  ...rows('participant:list', 200, {
    'all of them': (s) => ({ conversationId: s.c }),
    'the first page': (s) => ({ conversationId: s.c, limit: 1 }),
    'the page after it': (s) => ({ conversationId: s.c, limit: 1, cursor: s.cursors.participants }),
  }),
  ...pages('participant:list', (s) => ({ conversationId: s.c }), 100),
  ...refused('participant:list', { 'the cursor of another list': (s) => ({ conversationId: s.c, cursor: s.cursors.history }) }),
  ...conversationIds('participant:list', 'not_found'),
];

const USERS = [
  ...rows('user:get', 200, {
    'oneself': () => ({ userId: 'alice' }),
    'who has a role': () => ({ userId: 'mod' }),
    'somebody else': () => ({ userId: 'zoe' }),
  }),
  row('an unknown user', 'user:get', () => ({ userId: 'nobody' }), 'not_found'),
  ...refused('user:get', {
    'too long a user id': () => ({ userId: LONG }),
    'a control character in the user id': () => ({ userId: 'a\u0007' }),
  }),
  differs(PATH_HAS_TEXTS, 'a number for a user', 'user:get', () => ({ userId: 7 }), ['invalid_payload', 'user is no text'], [404, 'not_found']),
];

const send = (fields) => (s) => ({ conversationId: s.c, ...fields });
const SENDING = [
  ...rows('message:send', 201, {
    'a text': send({ content: 'hello' }),
    'everything that there is': (s) => send({
      content: 'all', type: 'IMAGE', clientId: 'c-1', replyTo: s.m, attachments: [{ url: 'a', size: 1 }], metadata: { deep: [{ ü: 1.5 }] },
    })(s),
    'null for what may be left out': send({ content: 'x', type: null, clientId: null, replyTo: null, attachments: null, metadata: null }),
    'attachments without words': send({ content: ' ', attachments: [{}] }),
    'a type of the application': send({ content: 'x', type: 'app.card:v2' }),
    'the longest content': send({ content: 'ü'.repeat(500_000) }),
    'what looks like code': send({ content: '<script>"\\\u2028\u{1F600}</script>', metadata: { __proto__: 1, 'a.b': '$c' } }),
    'as many attachments as there may be': send({ content: 'x', attachments: objects(20) }),
  }, prepared(said('bob', 'before'), 'message:created')),
  row('the same client id again', 'message:send', send({ content: 'another', clientId: 'once' }), 201,
    prepared(then(room, ['alice', 'message:send', send({ content: 'first', clientId: 'once' })]))),
  row('an answered message that is gone, in a command sent before', 'message:send',
    (s) => ({ conversationId: s.c, content: 'again', clientId: 'answer', replyTo: s.m }), 201,
    prepared(then(said('bob', 'question'),
      ['alice', 'message:send', (s) => send({ content: 'answer', clientId: 'answer', replyTo: s.m })(s)],
      ['bob', 'message:delete', (s) => ({ messageId: s.m })]))),
  ...rows('message:send', 'content_blank', { 'blank': send({ content: ' \n\u00a0' }), 'empty': send({ content: '' }) }),
  row('too large', 'message:send', send({ content: 'x'.repeat(1_000_001) }), 'content_too_large'),
  ...refused('message:send', {
    'without content': send({}),
    'content null': send({ content: null }),
    'content a number': send({ content: 7 }),
    'content an object': send({ content: { text: 'x' } }),
    'content with a null character': send({ content: 'a\0b' }),
    'type empty': send({ content: 'x', type: '' }),
    'type too long': send({ content: 'x', type: 'x'.repeat(65) }),
    'type with a space': send({ content: 'x', type: 'a b' }),
    'type a number': send({ content: 'x', type: 7 }),
    'client id empty': send({ content: 'x', clientId: '' }),
    'client id too long': send({ content: 'x', clientId: LONG }),
    'client id with a control character': send({ content: 'x', clientId: 'a\tb' }),
    'client id a number': send({ content: 'x', clientId: 7 }),
    'an answer to no message id': send({ content: 'x', replyTo: 'nope' }),
    'an answer to a number': send({ content: 'x', replyTo: 7 }),
    'attachments no list': send({ content: 'x', attachments: {} }),
    'attachments of texts': send({ content: 'x', attachments: ['a'] }),
    'attachments too many': send({ content: 'x', attachments: objects(21) }),
    'attachments too large': send({ content: 'x', attachments: [{ a: 'x'.repeat(17_000) }] }),
    'attachments with a null character': send({ content: 'x', attachments: [{ a: '\0' }] }),
    'no content and an empty list of attachments': send({ attachments: [] }),
    'metadata a list': send({ content: 'x', metadata: [] }),
    'metadata a text': send({ content: 'x', metadata: 'a' }),
    'metadata too large': send({ content: 'x', metadata: { a: 'x'.repeat(17_000) } }),
    'metadata with a null character in a key': send({ content: 'x', metadata: { 'a\0': 1 } }),
  }),
  ...rows('message:send', 'not_found', {
    'an answer to an unknown message': send({ content: 'x', replyTo: UNKNOWN }),
    'an answer to a message of another conversation': (s) => send({ content: 'x', replyTo: s.foreign.m })(s),
    'an answer to a message that was taken back': (s) => send({ content: 'x', replyTo: s.gone })(s),
  }),
  ...conversationIds('message:send', 'not_a_participant', { content: 'x' }),
  row('an answer in a conversation of others', 'message:send',
    (s) => ({ conversationId: s.foreign.c, content: 'x', replyTo: s.foreign.m }), 'not_a_participant'),
  differs(BINARY, 'metadata that look like binary data', 'message:send',
    send({ content: 'x', metadata: { _placeholder: true, num: 0 } }),
    ['invalid_payload', 'metadata has binary data, which no command takes'], [201], prepared(room)),
];

const CHANGING = [
  ...rows('message:get', 200, {
    'with reactions, read': (s) => ({ messageId: s.m }),
    'edited, with an answer and attachments': (s) => ({ messageId: s.ofBob }),
    'taken back': (s) => ({ messageId: s.gone }),
    'the newest': (s) => ({ messageId: s.messages[7].id }),
    'an id in capitals': (s) => ({ messageId: s.m.toUpperCase() }),
  }),
  row('by an outsider', 'message:get', (s) => ({ messageId: s.m }), 'not_found', { as: 'carol' }),
  ...objectIds('message:get', 'messageId'),

  row('one’s own', 'message:edit', (s) => ({ messageId: s.m, content: 'b' }), 200, prepared(said('alice', 'a'), 'message:edited')),
  row('the same content', 'message:edit', (s) => ({ messageId: s.m, content: 'a' }), 200, prepared(said('alice', 'a'), 'message:edited')),
  row('again', 'message:edit', (s) => ({ messageId: s.m, content: 'c' }), 200,
    prepared(then(said('alice', 'a'), ['alice', 'message:edit', (s) => ({ messageId: s.m, content: 'b' })]))),
  row('somebody else’s', 'message:edit', (s) => ({ messageId: s.ofBob, content: 'x' }), 'forbidden'),
  row('somebody else’s as a moderator', 'message:edit', (s) => ({ messageId: s.m, content: 'x' }), 'forbidden', { as: 'mod' }),
  row('taken back', 'message:edit', (s) => ({ messageId: s.gone, content: 'x' }), 'not_found'),
  row('blank', 'message:edit', (s) => ({ messageId: s.m, content: '\t' }), 'content_blank'),
  row('too large', 'message:edit', (s) => ({ messageId: s.m, content: 'x'.repeat(1_000_001) }), 'content_too_large'),
  ...refused('message:edit', {
    'without content': (s) => ({ messageId: s.m }),
    'content null': (s) => ({ messageId: s.m, content: null }),
    'content a list': (s) => ({ messageId: s.m, content: ['x'] }),
    'content with a null character': (s) => ({ messageId: s.m, content: '\0' }),
  }),
  ...objectIds('message:edit', 'messageId', { content: 'x' }),
  differs(PATH_HAS_AN_ID, 'no message', 'message:edit', () => ({ content: 'x' }), ['invalid_payload', 'message is missing'], NO_SUCH_PATH),

  row('one’s own', 'message:delete', (s) => ({ messageId: s.m }), 200, prepared(said('alice', 'a', 'b'), 'message:deleted')),
  row('after an edit and a reaction', 'message:delete', (s) => ({ messageId: s.m }), 200,
    prepared(then(said('alice', 'a'),
      ['bob', 'reaction:add', (s) => ({ messageId: s.m, emoji: '👍' })],
      ['alice', 'message:edit', (s) => ({ messageId: s.m, content: 'b' })]), 'message:deleted')),
  row('somebody else’s as a moderator', 'message:delete', (s) => ({ messageId: s.m }), 200,
    { as: 'mod', ...prepared(said('alice', 'a'), 'message:deleted') }),
  row('somebody else’s', 'message:delete', (s) => ({ messageId: s.ofBob }), 'forbidden'),
  row('a second time', 'message:delete', (s) => ({ messageId: s.gone }), 'not_found'),
  ...objectIds('message:delete', 'messageId'),
  differs(PATH_HAS_AN_ID, 'null for a message', 'message:delete', () => ({ messageId: null }), ['invalid_payload', 'message is missing'], NO_SUCH_PATH),
];

const page = (fields) => (s) => ({ conversationId: s.c, ...(typeof fields === 'function' ? fields(s) : fields) });
const exclusive = { before: 5, after: 2, around: UNKNOWN, page: 1, cursor: 'b5' };
const HISTORY = [
  ...['oldest', 'newest'].flatMap((order) => rows('message:history', 200, {
    [`the newest page, ${order} first`]: page({ limit: 3, order }),
    [`before a place, ${order} first`]: page({ before: 5, limit: 2, order }),
    [`after a place, ${order} first`]: page({ after: 2, limit: 3, order }),
    [`around a message, ${order} first`]: page((s) => ({ around: s.messages[4].id, limit: 3, order })),
    [`a numbered page, ${order} first`]: page({ page: 2, limit: 3, order }),
    [`the last numbered page, ${order} first`]: page({ page: 3, limit: 3, order }),
    [`by a cursor, ${order} first`]: page((s) => ({ cursor: s.cursors.history, limit: 2, order })),
  })),
  ...rows('message:history', 200, {
    'everything': page({}),
    'before the first': page({ before: 1 }),
    'before 0': page({ before: 0 }),
    'after the newest': page({ after: 8 }),
    'after what is not there yet': page({ after: 2 ** 53 - 1 }),
    'before what is not there yet': page({ before: 2 ** 53 - 1, limit: 2 }),
    'places as texts': page({ after: '2', limit: '3' }),
    'around one that was taken back': page((s) => ({ around: s.gone, limit: 2 })),
    'a page beyond the last': page({ page: 9, limit: 3 }),
    'a page far beyond the last': page({ page: 2 ** 53 - 1, limit: 200 }),
    'a cursor at the end of all numbers': page({ cursor: `a${2n ** 64n - 1n}` }),
    'a cursor from the end of all numbers': page({ cursor: `b${2n ** 64n - 1n}`, limit: 1 }),
    'null for everything': page({ before: null, after: null, around: null, page: null, cursor: null, limit: null, order: null }),
  }),
  ...pages('message:history', (s) => ({ conversationId: s.c }), 200),
  ...refused('message:history', {
    ...Object.fromEntries(Object.entries(exclusive).flatMap(([one, value], n, all) =>
      all.slice(n + 1).map(([other, another]) => [`${one} and ${other}`, page({ [one]: value, [other]: another })]))),
    'page 0': page({ page: 0 }),
    'before a word': page({ before: 'x' }),
    'after below 0': page({ after: -1 }),
    'page with a fraction': page({ page: 1.5 }),
    'another order': page({ order: 'random' }),
    'around no message id': page({ around: 'nope' }),
    'a cursor without a number': page({ cursor: 'b' }),
    'a cursor of another kind': page({ cursor: 'c5' }),
    'a cursor that begins within a letter': page({ cursor: 'ü5' }),
  }),
  ...rows('message:history', 'not_found', {
    'around an unknown message': page({ around: UNKNOWN }),
    'around a message of another conversation': page((s) => ({ around: s.foreign.m })),
  }),
  ...conversationIds('message:history', 'not_a_participant'),
  differs(EMPTY_IS_LEFT_OUT, 'around empty', 'message:history', page({ around: '' }), ['invalid_payload', 'around is no message id'], [200]),
  differs(QUERY_HAS_TEXTS, 'order a number', 'message:history', page({ order: 7 }), ['invalid_payload', 'order is no text'],
    [400, 'invalid_payload', 'order is neither oldest nor newest']),
];

const react = (emoji) => (s) => ({ messageId: s.m, emoji });
const liked = then(said('bob', 'a'), ['alice', 'reaction:add', react('👍')], ['bob', 'reaction:add', react('👍')]);
const REACTIONS = [
  ...['reaction:toggle', 'reaction:add', 'reaction:remove'].flatMap((event) => [
    row('where there is none', event, react('👍'), 200, prepared(said('bob', 'a'), event === 'reaction:remove' ? undefined : 'reaction:updated')),
    row('where there is one', event, react('👍'), 200, prepared(liked, event === 'reaction:add' ? undefined : 'reaction:updated')),
    row('with a word that a path must quote', event, react('#/?%2F+👩🏽‍💻'), 200, prepared(liked)),
    ...refused(event, {
      'emoji with a space': react('a b'),
      'emoji too long': react('x'.repeat(65)),
      'emoji with a control character': react('a\0'),
    }),
    ...objectIds(event, 'messageId', { emoji: '👍' }),
    row('to a message that was taken back', event, (s) => ({ messageId: s.gone, emoji: '👍' }), 'not_found'),
  ]),
  ...['reaction:toggle', 'reaction:add'].map((event) =>
    row('more emoji than there may be', event, (s) => ({ messageId: s.full, emoji: 'one-more' }), 'limit_reached')),
  ...refused('reaction:toggle', {
    'without emoji': (s) => ({ messageId: s.m }),
    'emoji null': react(null),
    'emoji empty': react(''),
    'emoji a number': react(7),
  }),
  differs(PATH_HAS_AN_ID, 'without emoji', 'reaction:add', (s) => ({ messageId: s.m }), ['invalid_payload', 'emoji is missing'], NO_SUCH_PATH),
];

const receipt = (fields) => (s) => ({ conversationId: s.c, ...(typeof fields === 'function' ? fields(s) : fields) });
const RECEIPTS = ['receipt:delivered', 'receipt:read'].flatMap((event) => [
  ...rows(event, 200, {
    'up to a place': receipt({ seq: 2 }),
    'a place as a text': receipt({ seq: '1' }),
    'by messages': receipt((s) => ({ messageIds: [s.messages[2].id, s.messages[0].id] })),
    'the same message twice': receipt((s) => ({ messageIds: [s.m, s.m] })),
  }, prepared(said('bob', 'a', 'b', 'c'), event)),
  row('the place 0', event, receipt({ seq: 0 }), 200, prepared(said('bob', 'a'))),
  row('a place behind the one before', event, receipt({ seq: 1 }), 200,
    prepared(then(said('bob', 'a', 'b'), ['alice', event, receipt({ seq: 2 })]))),
  ...refused(event, {
    'neither place nor messages': receipt({}),
    'null for both': receipt({ seq: null, messageIds: null }),
    'place and messages': receipt((s) => ({ seq: 1, messageIds: [s.m] })),
    'a place beyond the newest message': receipt({ seq: 9 }),
    'a place below 0': receipt({ seq: -1 }),
    'a place with a fraction': receipt({ seq: 1.5 }),
    'a place that is no number': receipt({ seq: 'x' }),
    'a place that is an object': receipt({ seq: {} }),
    'no messages': receipt({ messageIds: [] }),
    'too many messages': receipt({ messageIds: Array(501).fill(UNKNOWN) }),
    'messages no list': receipt({ messageIds: UNKNOWN }),
    'messages of numbers': receipt({ messageIds: [7] }),
    'no message id': receipt({ messageIds: ['nope'] }),
    'messages of two conversations': receipt((s) => ({ messageIds: [s.m, s.foreign.m] })),
  }),
  ...rows(event, 'not_found', {
    'an unknown message': receipt({ messageIds: [UNKNOWN] }),
    'a message of another conversation': receipt((s) => ({ messageIds: [s.foreign.m] })),
  }),
  ...conversationIds(event, 'not_a_participant', { seq: 1 }),
]);

const TYPING = ['typing:start', 'typing:stop'].flatMap((event) => [
  row('in a conversation', event, (s) => ({ conversationId: s.c }), 200,
    prepared(room, { 'typing:start': 'typing:started', 'typing:stop': 'typing:stopped' }[event])),
  ...conversationIds(event, 'not_a_participant'),
]);

const CALLS = [
  ...rows('call:start', 201, {
    'of the usual type': (s) => ({ conversationId: s.c }),
    'type null': (s) => ({ conversationId: s.c, type: null }),
    'with pictures': (s) => ({ conversationId: s.c, type: 'Video' }),
  }, prepared(room, 'call:started')),
  ...refused('call:start', {
    'type empty': (s) => ({ conversationId: s.c, type: '' }),
    'type too long': (s) => ({ conversationId: s.c, type: 'x'.repeat(33) }),
    'type with a space': (s) => ({ conversationId: s.c, type: 'a b' }),
    'type a number': (s) => ({ conversationId: s.c, type: 7 }),
  }),
  ...conversationIds('call:start', 'not_a_participant'),

  row('one that rings', 'call:answer', (s) => ({ callId: s.call }), 200, prepared(rung('bob'), 'call:answered')),
  row('one that others are in', 'call:answer', (s) => ({ callId: s.call }), 200, prepared(rung('bob', ['mod', 'call:answer']), 'call:answered')),
  row('one’s own', 'call:answer', (s) => ({ callId: s.alone }), 'conflict'),
  row('a second time', 'call:answer', (s) => ({ callId: s.call }), 'conflict', prepared(rung('bob', ['alice', 'call:answer']))),
  row('one that has ended', 'call:answer', (s) => ({ callId: s.ended }), 'conflict'),
  ...objectIds('call:answer', 'callId'),
  differs(PATH_HAS_AN_ID, 'no call', 'call:answer', () => ({}), ['invalid_payload', 'call is missing'], NO_SUCH_PATH),

  row('one that rings', 'call:end', (s) => ({ callId: s.call }), 200, prepared(rung('bob'), 'call:ended')),
  row('one’s own that rings', 'call:end', (s) => ({ callId: s.call }), 200, prepared(rung('alice'), 'call:ended')),
  row('one that goes on', 'call:end', (s) => ({ callId: s.call }), 200, prepared(rung('bob', ['mod', 'call:answer']), 'call:ended')),
  row('a second time', 'call:end', (s) => ({ callId: s.ended }), 'conflict'),
  ...objectIds('call:end', 'callId'),

  ...rows('call:get', 200, { 'one that rings': (s) => ({ callId: s.ringing }), 'one that has ended': (s) => ({ callId: s.ended }) }),
  row('by an outsider', 'call:get', (s) => ({ callId: s.ended }), 'not_found', { as: 'carol' }),
  ...objectIds('call:get', 'callId'),

  ...rows('call:signal', 202, {
    'to the others': (s) => ({ callId: s.call, payload: { sdp: 'v=0\r\n', n: [1, null] } }),
    'to one': (s) => ({ callId: s.call, to: 'bob', payload: 'ice' }),
    'null for whom': (s) => ({ callId: s.call, to: null, payload: false }),
  }, prepared(rung('bob', ['alice', 'call:answer']), 'call:signal')),
  row('to oneself', 'call:signal', (s) => ({ callId: s.alone, to: 'alice', payload: 1 }), 202),
  row('to nobody', 'call:signal', (s) => ({ callId: s.alone, payload: 1 }), 'conflict'),
  row('to a stranger', 'call:signal', (s) => ({ callId: s.alone, to: 'carol', payload: 1 }), 'not_found'),
  row('in a call that has ended', 'call:signal', (s) => ({ callId: s.ended, payload: 1 }), 'conflict'),
  ...refused('call:signal', {
    'without payload': (s) => ({ callId: s.alone }),
    'payload null': (s) => ({ callId: s.alone, payload: null }),
    'payload too large': (s) => ({ callId: s.alone, payload: 'x'.repeat(65_536) }),
    'to a number': (s) => ({ callId: s.alone, to: 7, payload: 1 }),
    'to an empty id': (s) => ({ callId: s.alone, to: '', payload: 1 }),
    'to too long an id': (s) => ({ callId: s.alone, to: LONG, payload: 1 }),
  }),
  ...objectIds('call:signal', 'callId', { payload: 1 }),
];

const NOTIFICATIONS = [
  ...rows('notification:list', 200, {
    'all of them': () => ({}),
    'unread ones': () => ({ unread: true }),
    'unread or not': () => ({ unread: 'false' }),
    'unread null': () => ({ unread: null }),
    'the first page': () => ({ limit: 1 }),
    'the page after it': (s) => ({ limit: 1, cursor: s.cursors.notifications }),
    'the page after it of the unread ones': (s) => ({ unread: true, cursor: s.cursors.notifications }),
  }, nina),
  ...pages('notification:list', () => ({}), 100, nina),
  ...refused('notification:list', {
    'unread neither': () => ({ unread: 'maybe' }),
    'unread a number': () => ({ unread: 1 }),
    'the cursor of another list': (s) => ({ cursor: s.cursors.conversations }),
  }, nina),

  ...rows('notification:read', 200, {
    'all of them': () => ({}),
    'null for which': () => ({ notificationIds: null }),
    'one': (s) => ({ notificationIds: [s.notifications[0]] }),
    'one that is read': (s) => ({ notificationIds: [s.notifications[1]] }),
    'the same twice, and one that there is not': (s) => ({ notificationIds: [s.notifications[2], s.notifications[2], UNKNOWN] }),
  }, prepared(notified)),
  row('those of somebody else', 'notification:read', (s) => ({ notificationIds: s.notifications }), 200),
  ...refused('notification:read', {
    'none of them': () => ({ notificationIds: [] }),
    'too many': () => ({ notificationIds: Array(501).fill(UNKNOWN) }),
    'no list': () => ({ notificationIds: UNKNOWN }),
    'numbers': () => ({ notificationIds: [7] }),
    'no notification id': () => ({ notificationIds: ['nope'] }),
  }),
];

const TABLE = [
  ...CONVERSATIONS, ...USERS, ...SENDING, ...CHANGING, ...HISTORY, ...REACTIONS, ...RECEIPTS, ...TYPING, ...CALLS, ...NOTIFICATIONS,
];

// ---- the three ways

const bySocket = async (event, payload, as) => ofAcknowledgement(event, await people[as].command(event, payload));

/** With the user's token at one gateway, with a service key for the user at the other. */
const restOf = {
  token: (as) => new Rest(stack.gatewayUrl(1), stack.token(as, CLAIMS[as])),
  key: (as) => stack.rest(as),
};
const byRest = async (way, event, payload, as) => restOf[way](as).call(...TWINS[event].request(payload, as));

const WAYS = ['socket', 'token', 'key'];

/** Carries a row out in each way, each in its state, and answers the outcomes and statuses by way. */
async function carryOut({ event, payload, as = 'alice', prepare }, number) {
  const outcomes = {};
  for (const way of WAYS) {
    const id = `${way}-${number}`;
    const state = prepare ? { ...shared, ...(await prepare(id)) } : shared;
    const who = state.as ?? as;
    const told = people.bob.received.length;
    const answer = way === 'socket' ? undefined : await byRest(way, event, payload(state), who);
    const outcome = answer ? ofAnswer(answer) : await bySocket(event, payload(state), who);
    outcomes[way] = { status: answer?.status, outcome: prepare ? alike(outcome, id) : outcome, id, told };
  }
  return outcomes;
}

/** What bob is told of a command is the same, too. */
async function assertTold(event, outcomes) {
  const events = [];
  for (const way of WAYS) {
    const { id, told } = outcomes[way];
    const fits = ({ event: name, payload }) => name === event && payload.conversationId === id;
    const found = await until(`${event} in ${id}`, () => people.bob.received.slice(told).find(fits));
    events.push(alike(found.payload, id));
  }
  assert.deepEqual(events[1], events[0], 'told of a request with a token');
  assert.deepEqual(events[2], events[0], 'told of a request with a service key');
}

for (const [number, row] of TABLE.entries()) {
  test(row.name, async () => {
    const outcomes = await carryOut(row, number);
    const { socket, token, key } = outcomes;
    assert.deepEqual(key.outcome, token.outcome, 'a service key gets what the user gets');
    assert.equal(key.status, token.status);
    if (row.because) return assertDiffers(row, outcomes);
    assert.deepEqual(token.outcome, socket.outcome, 'a request gets what a socket gets');
    const refusal = socket.outcome.refusal?.code;
    assert.equal(token.status, STATUS[refusal] ?? row.expected, JSON.stringify(socket.outcome.refusal));
    assert.equal(refusal ?? token.status, row.expected);
    if (row.tells) await assertTold(row.tells, outcomes);
  });
}

function assertDiffers({ socket: refusal, rest: [status, ...problem] }, { socket, token }) {
  assert.deepEqual([socket.outcome.refusal?.code, socket.outcome.refusal?.message], refusal);
  assert.equal(token.status, status);
  const { code, message } = token.outcome.refusal ?? {};
  assert.deepEqual([code, message].slice(0, problem.length), problem);
  assert.notDeepEqual(token.outcome, socket.outcome, 'this need not be an exception');
}

// ---- what only backends may

const FOR_BACKENDS = {
  'conversation.create': ['POST', '/v1/conversations', { participants: ['alice'] }],
  'conversation.update': ['PATCH', '/v1/conversations/shared', { title: 'mine' }],
  'conversation.delete': ['DELETE', '/v1/conversations/shared'],
  'participant.add': ['PUT', '/v1/conversations/shared/participants/carol', {}],
  'participant.remove': ['DELETE', '/v1/conversations/shared/participants/bob'],
  'notification.send': ['POST', '/v1/users/bob/notifications', { type: 'x', text: 'x' }],
  'custom.emit': ['POST', '/v1/users/bob/events', { event: 'x' }],
  'custom.emit to a conversation': ['POST', '/v1/conversations/shared/events', { event: 'x' }],
  'custom.emit to everyone': ['POST', '/v1/events', { event: 'x' }],
  'user.put': ['PUT', '/v1/users/alice', { name: 'Queen' }],
  'user.import': ['PUT', '/v1/users', { users: [{ id: 'alice', name: 'Queen' }] }],
  'user.list': ['GET', '/v1/users'],
  'user.delete': ['DELETE', '/v1/users/alice'],
  'user.disconnect': ['DELETE', '/v1/users/bob/sessions'],
};

for (const [command, [method, path, body]] of Object.entries(FOR_BACKENDS)) {
  test(`${command} is for backends alone`, async () => {
    const { status, body: problem } = await restOf.token('alice').call(method, path, body);
    assert.deepEqual([status, problem.code, problem.detail], [403, 'forbidden', 'this needs a service key']);
    const { ok, error } = await people.alice.command(command.split(' ')[0].replace('.', ':'), { conversationId: 'shared', ...body });
    assert.deepEqual([ok, error?.code], [false, 'unknown_event']);
  });
}

test('what only backends may has changed nothing', async () => {
  const rest = stack.rest();
  const { title, participants } = await rest.expect(200, 'GET', '/v1/conversations/shared');
  assert.deepEqual([title, participants], [null, ['alice', 'bob', 'mod']]);
  assert.equal((await rest.expect(200, 'GET', '/v1/users/alice')).name, 'Alice');
  assert.ok(people.bob.socket.connected);
});

// ---- fields that there are not

const EXTRA = { extra: 'x' };
const UNKNOWN_FIELDS = [
  row('conversations', 'conversation:list', () => EXTRA, 200),
  row('participants', 'participant:list', page(EXTRA), 200),
  row('messages', 'message:send', send({ content: 'x', ...EXTRA }), 201, prepared(room)),
  row('changes of messages', 'message:edit', (s) => ({ messageId: s.m, content: 'x', ...EXTRA }), 200, prepared(said('alice', 'a'))),
  row('history', 'message:history', page(EXTRA), 200),
  row('reactions', 'reaction:toggle', (s) => ({ messageId: s.m, emoji: 'a', ...EXTRA }), 200, prepared(said('bob', 'a'))),
  row('receipts', 'receipt:read', receipt({ seq: 1, ...EXTRA }), 200, prepared(said('bob', 'a'))),
  row('typing', 'typing:start', (s) => ({ conversationId: s.c, ...EXTRA }), 200),
  row('calls', 'call:start', (s) => ({ conversationId: s.c, ...EXTRA }), 201, prepared(room)),
  row('signals', 'call:signal', (s) => ({ callId: s.alone, to: 'alice', payload: 1, ...EXTRA }), 202),
  row('notifications', 'notification:list', () => EXTRA, 200),
  row('notifications that are read', 'notification:read', (s) => ({ notificationIds: s.notifications, ...EXTRA }), 200),
];

for (const [number, row] of UNKNOWN_FIELDS.entries()) {
  test(`a field that there is not is refused by a request and passed over by a socket: ${row.name}`, async () => {
    const { socket, token, key } = await carryOut(row, `extra-${number}`);
    assert.ok(socket.outcome.result, JSON.stringify(socket.outcome));
    const { code, message } = token.outcome.refusal ?? {};
    assert.deepEqual([token.status, code], [400, 'invalid_payload']);
    assert.match(message, /^(extra is not a field of this request|the query has another parameter than .+)$/);
    assert.deepEqual(key, { ...token, id: key.id, told: key.told });
  });
}

// ---- the tables are complete

test('every command of the native dialect stands in the table', () => {
  const dialect = readFileSync(join(repository, 'gateway/dialects/native.toml'), 'utf8');
  const events = [...dialect.matchAll(/\[\[inbound\]\]\nevent = "(.+)"/g)].map(([, event]) => event);
  const tested = new Set(TABLE.map(({ event }) => event));
  assert.deepEqual([...tested, ...OF_SOCKETS].sort(), events.sort());
});

/** Operations for which there is nothing to compare. */
const WITHOUT_TWIN = {
  listCalls: 'no command',
  listConversationsOfUser: 'conversation.list, which the table has at another path',
  upload: 'files', readUpload: 'files', removeUpload: 'files',
  getHealth: 'the service', getOpenApi: 'the service',
};

test('every operation of the OpenAPI document stands in a table', () => {
  const state = { ...shared, call: shared.ended };
  const requests = [
    ...TABLE.filter(({ because }) => !because).map(({ event, payload }) => TWINS[event].request(payload(state), 'nina')),
    ...Object.values(FOR_BACKENDS),
  ].map(([method, path]) => `${method} ${path.split('?')[0]}`);
  const { paths } = JSON.parse(readFileSync(join(repository, 'docs/openapi.json'), 'utf8'));
  const missing = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { operationId }]) => {
      const form = new RegExp(`^${method.toUpperCase()} ${path.replaceAll(/\{\w+\}/g, '[^/]+')}$`);
      return requests.some((request) => form.test(request)) ? undefined : operationId;
    })).filter(Boolean);
  assert.deepEqual(missing.sort(), Object.keys(WITHOUT_TWIN).sort());
});
