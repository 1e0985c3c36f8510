// A command is the same command wherever it comes from: by a socket, by a request with the user's own token, and by one
// with a service key that acts for the user, the result is the same and so is the refusal, word for word.
//
// Each row is one command in one state. What changes something does so in three states that were made alike, and ids and
// times may differ there; what only reads, and what is refused, meets one and the same state, and nothing may differ.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';

import { repository } from '../harness/paths.js';
import { Rest } from '../harness/rest.js';
import { until } from '../harness/wait.js';
import { CALLS } from '../parity/calls.js';
import { CONVERSATIONS, USERS } from '../parity/conversations.js';
import { HISTORY, RECEIPTS, TYPING, page, receipt } from '../parity/history.js';
import { MEMBERS } from '../parity/members.js';
import { CHANGING, SENDING, send } from '../parity/messages.js';
import { NOTIFICATIONS } from '../parity/notifications.js';
import { PRESENCE } from '../parity/presence.js';
import { REACTIONS } from '../parity/reactions.js';
import { STATUS, prepared, row } from '../parity/row.js';
import { CLAIMS, people, room, said, stack, start } from '../parity/state.js';
import { OF_SOCKETS, TWINS, alike, ofAcknowledgement, ofAnswer } from '../parity/twins.js';

/** The state that nothing changes. */
let shared;

before(async () => {
  shared = await start();
});
after(() => stack?.stop());

const TABLE = [
  ...CONVERSATIONS, ...MEMBERS, ...USERS, ...SENDING, ...CHANGING, ...HISTORY, ...REACTIONS, ...RECEIPTS, ...TYPING, ...PRESENCE, ...CALLS, ...NOTIFICATIONS,
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

/** What bob is told of a command is the same, too, and fits what it was answered with. */
async function assertTold(event, outcomes) {
  const events = [];
  for (const way of WAYS) {
    const { id, told, outcome } = outcomes[way];
    const fits = ({ event: name, payload }) => name === event && payload.conversationId === id && agree(alike(payload, id), outcome.result);
    const found = await until(`bob is told ${event} in ${id}`, () => people.bob.received.slice(told).find(fits));
    events.push(alike(found.payload, id));
  }
  assert.deepEqual(events[1], events[0], 'told of a request with a token');
  assert.deepEqual(events[2], events[0], 'told of a request with a service key');
}

/** Whether two objects say the same where they have the same fields. */
const agree = (one, other) => Object.keys(one).every((field) => !(field in other) || isDeepStrictEqual(one[field], other[field]));

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
  'presence.list': ['GET', '/v1/presence'],
  'session.list': ['GET', '/v1/users/bob/sessions'],
  'stats.get': ['GET', '/v1/stats'],
  'user.revoke': ['POST', '/v1/users/bob/revoke', {}],
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
  row('members', 'member:list', page(EXTRA), 200),
  row('messages', 'message:send', send({ content: 'x', ...EXTRA }), 201, prepared(room)),
  row('changes of messages', 'message:edit', (s) => ({ messageId: s.m, content: 'x', ...EXTRA }), 200, prepared(said('alice', 'a'))),
  row('history', 'message:history', page(EXTRA), 200),
  row('reactions', 'reaction:toggle', (s) => ({ messageId: s.m, emoji: 'a', ...EXTRA }), 200, prepared(said('bob', 'a'))),
  row('receipts', 'receipt:read', receipt({ seq: 1, ...EXTRA }), 200, prepared(said('bob', 'a'))),
  row('typing', 'typing:start', (s) => ({ conversationId: s.c, ...EXTRA }), 200),
  row('presence', 'presence:set', () => ({ status: 'online', ...EXTRA }), 200),
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
