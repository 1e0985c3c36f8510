// Who somebody is stands in his token. Whatever else his payloads claim, what he does is his own, and what belongs to
// others is out of his reach: for every event of the native dialect.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { repository } from '../harness/paths.js';
import { Stack, UNLIMITED } from '../harness/stack.js';
import { until } from '../harness/wait.js';

let stack, mallory, victim, bob, ids;

/** What somebody writes who wants to be somebody else. */
const CLAIMS = {
  userId: 'victim', user: { id: 'victim', name: 'Victim' }, user_id: 'victim', senderId: 'victim', sender: { id: 'victim' },
  from: 'victim', actAs: 'victim', 'X-Act-As': 'victim', as: 'victim', role: 'admin', id: 'victim', origin: 'victim',
};

before(async () => {
  stack = await Stack.start({ name: 'impostor', gatewayEnv: { ...UNLIMITED, PARLANCE__GATEWAY__RECEIPTS_INTERVAL: '10ms' } });
  await stack.conversation('open to mallory', 'mallory', 'bob', 'victim');
  await stack.conversation('not hers', 'victim', 'bob');
  [mallory, victim, bob] = await Promise.all(['mallory', 'victim', 'bob'].map((user) => stack.member(user)));
  for (const member of [victim, bob]) for (const conversation of ['open to mallory', 'not hers']) await member.join(conversation);
  const message = await victim.say('not hers', 'a secret');
  const shared = await victim.say('open to mallory', 'what the victim said');
  const { call } = await victim.must('call:start', { conversationId: 'not hers' });
  const notification = await stack.rest().expect(201, 'POST', '/v1/users/victim/notifications', { type: 'x', text: 'for the victim' });
  ids = { message: message.id, shared: shared.id, call: call.id, notification: notification.id };
});
after(() => stack?.stop());

/** For each event: what is refused in a conversation, or of an object, that is not hers, and with which code. */
const OUT_OF_REACH = {
  'session:resume': undefined,
  'conversation:join': ['not_a_participant', () => ({ conversationId: 'not hers' })],
  'conversation:get': ['not_found', () => ({ conversationId: 'not hers' })],
  'participant:list': ['not_found', () => ({ conversationId: 'not hers' })],
  'member:list': ['not_found', () => ({ conversationId: 'not hers' })],
  'message:send': ['not_a_participant', () => ({ conversationId: 'not hers', content: 'x' })],
  'message:history': ['not_a_participant', () => ({ conversationId: 'not hers' })],
  'message:edit': ['not_found', () => ({ messageId: ids.message, content: 'x' })],
  'message:delete': ['not_found', () => ({ messageId: ids.message })],
  'message:get': ['not_found', () => ({ messageId: ids.message })],
  'reaction:toggle': ['not_found', () => ({ messageId: ids.message, emoji: 'a' })],
  'reaction:add': ['not_found', () => ({ messageId: ids.message, emoji: 'a' })],
  'reaction:remove': ['not_found', () => ({ messageId: ids.message, emoji: 'a' })],
  'receipt:delivered': ['not_a_participant', () => ({ conversationId: 'not hers', seq: 1 })],
  'receipt:read': ['not_a_participant', () => ({ conversationId: 'not hers', seq: 1 })],
  'typing:start': ['not_a_participant', () => ({ conversationId: 'not hers' })],
  'typing:stop': ['not_a_participant', () => ({ conversationId: 'not hers' })],
  'call:start': ['not_a_participant', () => ({ conversationId: 'not hers' })],
  'call:answer': ['not_found', () => ({ callId: ids.call })],
  'call:end': ['not_found', () => ({ callId: ids.call })],
  'call:get': ['not_found', () => ({ callId: ids.call })],
  'call:signal': ['not_found', () => ({ callId: ids.call, payload: 1 })],
};

for (const [event, row] of Object.entries(OUT_OF_REACH)) {
  if (!row) continue;
  const [code, payload] = row;
  test(`${event} is refused where she takes no part, whoever she says she is`, async () => {
    const { ok, error } = await mallory.command(event, { ...CLAIMS, ...payload() });
    assert.deepEqual([ok, error?.code], [false, code]);
  });
}

test('resuming a conversation that is not hers brings nothing', async () => {
  const reply = await mallory.must('session:resume', { ...CLAIMS, conversations: { 'not hers': { epoch: 1, offset: 0 } } });
  assert.deepEqual(reply.conversations.map(({ recovered, error }) => [recovered, error]), [[false, 'not_a_participant']]);
  assert.deepEqual(mallory.messages('not hers'), []);
});

/** For each event: what is hers, and what shows whose it was. */
const HERS = {
  'message:send': async () => {
    const { message } = await mallory.must('message:send', { ...CLAIMS, conversationId: 'open to mallory', content: 'hers' });
    assert.deepEqual([message.senderId, message.sender.id], ['mallory', 'mallory']);
    assert.equal((await bob.told('message:created', ({ id }) => id === message.id)).senderId, 'mallory');
    ids.hers = message.id;
  },
  'message:edit': async () => {
    const { error } = await mallory.command('message:edit', { ...CLAIMS, messageId: ids.shared, content: 'forged' });
    assert.equal(error.code, 'forbidden');
  },
  'message:delete': async () => {
    const { error } = await mallory.command('message:delete', { ...CLAIMS, messageId: ids.shared });
    assert.equal(error.code, 'forbidden');
  },
  'reaction:add': async () => {
    const { reactions } = await mallory.must('reaction:add', { ...CLAIMS, messageId: ids.shared, emoji: '👍' });
    assert.deepEqual(reactions[0].users.map(({ id }) => id), ['mallory']);
  },
  'reaction:remove': async () => {
    await bob.must('reaction:add', { messageId: ids.shared, emoji: '🎉' });
    const { reactions } = await mallory.must('reaction:remove', { ...CLAIMS, userId: 'bob', messageId: ids.shared, emoji: '🎉' });
    assert.deepEqual(reactions.find(({ emoji }) => emoji === '🎉').users.map(({ id }) => id), ['bob']);
  },
  'reaction:toggle': async () => {
    await mallory.must('reaction:toggle', { ...CLAIMS, userId: 'bob', messageId: ids.shared, emoji: '🎉' });
    const { message } = await bob.must('message:get', { messageId: ids.shared });
    assert.deepEqual(message.reactions.find(({ emoji }) => emoji === '🎉').users.map(({ id }) => id).sort(), ['bob', 'mallory']);
  },
  'receipt:read': async () => {
    await mallory.must('receipt:read', { ...CLAIMS, conversationId: 'open to mallory', seq: 1 });
    assert.equal((await bob.told('receipt:read')).userId, 'mallory');
  },
  'receipt:delivered': async () => {
    await mallory.must('receipt:delivered', { ...CLAIMS, conversationId: 'open to mallory', seq: 2 });
    assert.equal((await bob.told('receipt:delivered', ({ seq }) => seq === 2)).userId, 'mallory');
  },
  'typing:start': async () => {
    await mallory.must('typing:start', { ...CLAIMS, conversationId: 'open to mallory' });
    assert.equal((await bob.told('typing:started')).userId, 'mallory');
  },
  'typing:stop': async () => {
    await mallory.must('typing:stop', { ...CLAIMS, conversationId: 'open to mallory' });
    assert.equal((await bob.told('typing:stopped')).userId, 'mallory');
  },
  'call:start': async () => {
    const { call } = await mallory.must('call:start', { ...CLAIMS, conversationId: 'open to mallory' });
    assert.equal(call.startedBy, 'mallory');
    ids.hers = call.id;
  },
  'call:answer': async () => {
    const { call } = await victim.must('call:start', { conversationId: 'open to mallory' });
    const answered = await mallory.must('call:answer', { ...CLAIMS, userId: 'bob', callId: call.id });
    assert.deepEqual(answered.call.participants.map(({ userId }) => userId).sort(), ['mallory', 'victim']);
    ids.answered = call.id;
  },
  'call:signal': async () => {
    await mallory.must('call:signal', { ...CLAIMS, callId: ids.answered, to: 'victim', payload: { a: 1 } });
    assert.equal((await victim.told('call:signal')).userId, 'mallory');
  },
  'call:end': async () => {
    const { call } = await mallory.must('call:end', { ...CLAIMS, callId: ids.answered });
    assert.equal(call.endedBy, 'mallory');
  },
  'conversation:list': async () => {
    const { conversations } = await mallory.must('conversation:list', CLAIMS);
    assert.deepEqual(conversations.map(({ id }) => id), ['open to mallory']);
  },
  'notification:list': async () => {
    const { notifications } = await mallory.must('notification:list', CLAIMS);
    assert.deepEqual(notifications.filter(({ id, userId }) => id === ids.notification || userId !== 'mallory'), []);
  },
  'notification:read': async () => {
    assert.equal((await mallory.must('notification:read', { ...CLAIMS, notificationIds: [ids.notification] })).marked, 0);
    assert.equal((await victim.must('notification:list', {})).unreadCount, 1);
  },
  'presence:set': async () => {
    const { presence } = await mallory.must('presence:set', { ...CLAIMS, status: 'busy' });
    assert.equal(presence.userId, 'mallory');
    const { presences } = await bob.must('presence:get', { userIds: ['victim', 'mallory'] });
    assert.deepEqual(presences.map(({ status }) => status), ['online', 'busy']);
  },
  'session:authenticate': async () => {
    const { error } = await mallory.command('session:authenticate', { ...CLAIMS, token: stack.token('victim') });
    assert.equal(error.code, 'forbidden');
  },
  'user:get': async () => {
    await stack.rest('victim').expect(201, 'PUT', '/v1/users/victim', { name: 'Victim', email: 'victim@example.org' }).catch(() =>
      stack.rest('victim').expect(200, 'PUT', '/v1/users/victim', { name: 'Victim', email: 'victim@example.org' }));
    const { user } = await mallory.must('user:get', { ...CLAIMS, userId: 'victim' });
    assert.equal(user.email, undefined, 'of others only what everybody sees');
  },
};

for (const [event, prove] of Object.entries(HERS)) test(`${event} is hers, whoever she says she is`, prove);

test('nobody was told anything in the conversation that is not hers', async () => {
  const marker = await victim.say('not hers', 'the end');
  await until('bob has the end', () => bob.messages('not hers').some(({ id }) => id === marker.id));
  const { messages } = await bob.must('message:history', { conversationId: 'not hers' });
  assert.deepEqual(messages.map(({ content, senderId }) => [content, senderId]), [['a secret', 'victim'], ['the end', 'victim']]);
  const told = bob.received.filter(({ payload }) => payload?.conversationId === 'not hers' && payload?.userId === 'mallory');
  assert.deepEqual(told, []);
});

/** Events that name nobody and nothing of anybody. */
const HARMLESS = ['echo', 'ping', 'presence:get', 'conversation:leave'];

test('every event of the native dialect stands in one of the tables', () => {
  const dialect = readFileSync(join(repository, 'gateway/dialects/native.toml'), 'utf8');
  const events = [...dialect.matchAll(/\[\[inbound\]\]\nevent = "(.+)"/g)].map(([, event]) => event);
  const tested = new Set([...Object.keys(OUT_OF_REACH), ...Object.keys(HERS), ...HARMLESS]);
  assert.deepEqual(events.filter((event) => !tested.has(event)), []);
});
