// Who is not in the room is notified, on every device; the rows in Postgres and the lists say the same.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Stack, UNLIMITED } from '../harness/stack.js';
import { until } from '../harness/wait.js';

let stack;

before(async () => {
  const gatewayEnv = { ...UNLIMITED, PARLANCE__PRESENCE__TTL: '2s' };
  stack = await Stack.start({ name: 'notifications', gatewayEnv });
});
after(() => stack?.stop());

const at = (user, index, options = {}) => stack.member(user, { url: stack.gatewayUrl(index), ...options });
const devices = (user) => Promise.all([at(user, 0), at(user, 1, { transports: ['polling'] }), at(user, 1)]);
const rows = (user) => stack.database.rows('SELECT * FROM notifications WHERE user_id = $1 ORDER BY created_at, id', user);

/** Waits until the gateways say that these users are in the conversation, and no others. */
async function here(conversation, ...users) {
  await until(`${users} are in ${conversation}`, async () => {
    const { members } = await stack.rest().expect(200, 'GET', `/v1/conversations/${conversation}/members`);
    return JSON.stringify(members.sort()) === JSON.stringify([...users].sort());
  });
}

test('a message notifies who is absent on all devices, once, and nobody who is present', async () => {
  await stack.conversation('room', 'alice', 'bob', 'carol');
  const [alice, carol, bobs] = [await at('alice', 0), await at('carol', 1), await devices('bob')];
  await alice.join('room');
  await carol.join('room');
  await here('room', 'alice', 'carol');
  const message = await alice.say('room', 'where are you?', { metadata: { urgent: true } });

  const told = await bobs[0].told('notification:created');
  assert.deepEqual(told, {
    id: told.id,
    userId: 'bob',
    type: 'message',
    text: 'where are you?',
    data: {},
    conversationId: 'room',
    messageId: message.id,
    message,
    read: false,
    readAt: null,
    createdAt: message.createdAt,
  });
  for (const bob of bobs) assert.deepEqual(await bob.told('notification:created'), told);
  await carol.told('message:created', ({ id }) => id === message.id);

  const [row, ...others] = await until('it is noted that bob was told', async () => {
    const found = await rows('bob');
    return found.every(({ announced_at: announced }) => announced) && found;
  });
  assert.equal(others.length, 0);
  const { id, message_id: messageId, conversation_id: conversationId, text, type, read_at: readAt } = row;
  assert.deepEqual({ id, messageId, conversationId, text, type, readAt }, {
    id: told.id, messageId: message.id, conversationId: 'room', text: 'where are you?', type: 'message', readAt: null,
  });
  assert.deepEqual([await rows('alice'), await rows('carol')], [[], []]);
  assert.equal((await stack.database.rows('SELECT * FROM notification_jobs')).length, 0);
  for (const member of [alice, carol]) assert.deepEqual(member.events('notification:created'), []);
  for (const bob of bobs) assert.equal(bob.events('notification:created').length, 1);
});

test('what one device marks as read is read on the others', async () => {
  await stack.conversation('lists', 'alice', 'dave');
  const [alice, [dave, other]] = [await at('alice', 0), await devices('dave')];
  const sent = [];
  for (const content of ['one', 'two', 'three']) sent.push(await alice.say('lists', content));
  await until('dave is told of all three', () => other.events('notification:created').length === 3);

  const page = await dave.must('notification:list', { limit: 2 });
  assert.deepEqual(page.notifications.map(({ text }) => text), ['three', 'two']);
  assert.equal(page.unreadCount, 3);
  const rest = await other.must('notification:list', { limit: 2, cursor: page.nextCursor });
  assert.deepEqual([rest.notifications.map(({ messageId }) => messageId), rest.nextCursor], [[sent[0].id], null]);

  const { marked } = await dave.must('notification:read', { notificationIds: [page.notifications[0].id] });
  assert.equal(marked, 1);
  const unread = await other.must('notification:list', { unread: true });
  assert.deepEqual([unread.notifications.map(({ text }) => text), unread.unreadCount], [['two', 'one'], 2]);
  const backend = stack.rest('dave', stack.gatewayUrl(1));
  assert.deepEqual(await backend.expect(200, 'POST', '/v1/users/dave/notifications/read', {}), { marked: 2 });
  assert.equal((await dave.must('notification:list', {})).unreadCount, 0);
  assert.ok((await rows('dave')).every(({ read_at: readAt }) => readAt));
});

test('a backend notifies a user, who finds it whenever he comes', async () => {
  const erin = await devices('erin');
  const [backend, elsewhere] = [stack.rest('erin', stack.gatewayUrl(0)), stack.rest('frank', stack.gatewayUrl(1))];
  const news = { type: 'invoice', text: 'It is paid', data: { invoice: 7, lines: [1, null] } };
  const made = await backend.expect(201, 'POST', '/v1/users/erin/notifications', news);
  for (const device of erin) assert.deepEqual(await device.told('notification:created'), made);
  assert.deepEqual(made.data, news.data);
  const late = await backend.expect(201, 'POST', '/v1/users/frank/notifications', { ...news, text: 'Welcome' });
  const frank = await at('frank', 0);
  assert.deepEqual((await frank.must('notification:list', {})).notifications, [late]);
  assert.deepEqual(await elsewhere.expect(200, 'GET', '/v1/users/frank/notifications?unread=true'), {
    notifications: [late], unreadCount: 1, nextCursor: null,
  });
});

test('while no worker runs messages wait, and the next one notifies of each once', async () => {
  await stack.conversation('waiting', 'alice', 'grace');
  const [alice, graces] = [await at('alice', 0), await devices('grace')];
  await stack.workers[0].program.kill();
  const sent = [];
  for (let number = 0; number < 30; number += 1) sent.push(await alice.say('waiting', `number ${number}`));
  assert.deepEqual(await rows('grace'), []);
  await stack.startWorker();
  await stack.startWorker();
  for (const grace of graces) {
    await until('grace is told of all', () => grace.events('notification:created').length >= sent.length, 30_000);
    const of = grace.events('notification:created').map(({ messageId }) => messageId);
    assert.deepEqual(of.sort(), sent.map(({ id }) => id).sort());
  }
  assert.deepEqual((await rows('grace')).map(({ text }) => text), sent.map(({ content }) => content));
});

test('who was on a gateway that was killed is absent before long', async () => {
  await stack.conversation('killed', 'alice', 'heidi');
  const doomed = await stack.startGateway();
  const alice = await at('alice', 0);
  const heidi = await stack.member('heidi', { url: doomed.url, reconnection: false });
  await heidi.join('killed');
  await here('killed', 'heidi');
  await alice.say('killed', 'are you there?');
  await heidi.told('message:created');
  await doomed.program.kill();
  await until('heidi is notified', async () => {
    await alice.say('killed', 'and now?');
    return (await rows('heidi')).length > 0;
  }, 30_000);
  assert.ok((await rows('heidi')).every(({ text }) => text === 'and now?'));
});
