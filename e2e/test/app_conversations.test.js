// The conversations application's own client: `message:send`, `conversation:join` with a bare id, presence for everybody.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';

import { AppClient, TRANSPORTS, closeAppClients } from '../harness/app_client.js';
import { Applications } from '../harness/applications.js';
import { until } from '../harness/wait.js';

let apps;
let conversations = 0;

before(async () => {
  apps = await Applications.start('app_conversations');
});

afterEach(closeAppClients);
after(async () => apps?.stop());

const token = (userId, claims = {}) => apps.token({ sub: undefined, name: undefined, userId, ...claims });

function connect(user, { transports = ['websocket', 'polling'], from = apps.place(0), ...options } = {}) {
  return new AppClient(`${apps.url}/conversations`, { auth: { token: token(user) }, transports, from, ...options });
}

async function conversation(...users) {
  conversations += 1;
  const id = `conv-${conversations}`;
  await apps.rest(users[0]).createConversation(id, users);
  return id;
}

/** A conversation of these users with their clients in it, at alternating gateways. */
async function joined(users, transports) {
  const id = await conversation(...users);
  const clients = users.map((user, index) => connect(user, { transports, from: apps.place(index) }));
  for (const client of clients) assert.deepEqual(await client.ack('conversation:join', id), { success: true });
  return [id, ...clients];
}

const isTime = (text) => assert.equal(new Date(text).toISOString(), text);

test('each refused handshake has its text', async () => {
  const refused = (auth) => new AppClient(`${apps.url}/conversations`, { auth, transports: ['websocket'] }).refused();
  assert.equal(await refused({}), 'Authentication error: No token provided');
  assert.equal(await refused({ token: 'nonsense' }), 'Authentication error: Invalid token');
  assert.equal(await refused({ token: token('ann', { exp: 1 }) }), 'Authentication error: Token expired');
});

test('the user is the claim `userId` or `id`, and the token may stand in the query', async () => {
  const client = new AppClient(`${apps.url}/conversations`, {
    query: { token: apps.token({ sub: undefined, id: 'ann' }) }, transports: ['websocket'],
  });
  const { userId, socketId } = await client.told('connected');
  assert.deepEqual([userId, socketId], ['ann', client.socket.id]);
});

for (const [name, { transports }] of Object.entries(TRANSPORTS)) {
  test(`${name}: a message reaches everybody in the conversation except the socket that sent it`, async () => {
    const [id, ann, bob] = await joined(['ann', 'bob'], transports);
    const second = connect('ann', { transports, from: apps.place(1) });
    assert.deepEqual(await second.ack('conversation:join', { conversationId: id }), { success: true });

    ann.emit('message:send', { conversationId: id, content: 'Hello', type: 'TEXT' });
    const [seen, own] = await Promise.all([bob.told('message:new'), second.told('message:new')]);
    assert.deepEqual(seen, own);
    assert.deepEqual(seen, {
      id: seen.id, conversationId: id, senderId: 'ann', content: 'Hello', type: 'text', timestamp: seen.timestamp, status: 'sent',
    });
    isTime(seen.timestamp);

    const answer = await bob.ack('message:send', { conversationId: id, content: 'Look', messageType: 'IMAGE', replyTo: seen.id, tempId: 't' });
    const reply = await ann.told('message:new');
    assert.deepEqual(answer, { success: true, messageId: reply.id });
    assert.deepEqual([reply.type, reply.replyTo, reply.tempId], ['image', seen.id, 't']);
    assert.equal(ann.events('message:new').length, 1);
  });
}

test('the sender is told once when the first of the others has a message', async () => {
  const [id, ann, bob, cy] = await joined(['ann', 'bob', 'cy']);
  const { messageId: first } = await ann.ack('message:send', { conversationId: id, content: 'one' });
  const { messageId: second } = await ann.ack('message:send', { conversationId: id, content: 'two' });
  for (const messageId of [first, second]) {
    const fits = (delivered) => delivered.messageId === messageId;
    assert.deepEqual(await ann.told('message:delivered', fits), { messageId });
  }
  // Clients of earlier tests may still be told of what they sent then.
  const ours = (client) => client.events('message:delivered').filter(({ messageId }) => [first, second].includes(messageId));
  assert.deepEqual([ours(ann).length, ours(bob).length, ours(cy).length], [2, 0, 0]);
});

test('what was read is told to the others, for each message', async () => {
  const [id, ann, bob] = await joined(['ann', 'bob']);
  const ids = [];
  for (const content of ['1', '2', '3']) ids.push((await ann.ack('message:send', { conversationId: id, content })).messageId);
  bob.emit('message:read', { messageId: ids[0] });
  const { readAt, ...read } = await ann.told('message:read');
  assert.deepEqual(read, { messageId: ids[0], userId: 'bob' });
  isTime(readAt);
  bob.emit('message:read', { conversationId: id, messageIds: ids });
  for (const messageId of ids.slice(1)) await ann.told('message:read', (event) => event.messageId === messageId);
  assert.equal(ann.events('message:read').length, 3);
  assert.deepEqual(bob.events('message:read'), []);
});

test('typing is told to the others', async () => {
  const [id, ann, bob] = await joined(['ann', 'bob']);
  ann.emit('typing:start', { conversationId: id });
  assert.deepEqual(await bob.told('typing:start'), { userId: 'ann', conversationId: id });
  ann.emit('typing:stop', { conversationId: id });
  assert.deepEqual(await bob.told('typing:stop'), { userId: 'ann', conversationId: id });
  await ann.notTold('typing:start', ann.ack('user:status', 'online'));
});

test('everybody is told who comes, goes and chooses a status', async () => {
  const ann = await connect('gus').connected();
  await apps.reached(ann, 'gus');
  const dan = connect('dan', { from: apps.place(1) });
  assert.deepEqual(await ann.told('user:online', ({ userId }) => userId === 'dan'), { userId: 'dan', status: 'online' });
  for (const status of ['away', 'busy', 'offline']) {
    dan.emit('user:status', status);
    assert.deepEqual(await ann.told('user:online', (event) => event.userId === 'dan' && event.status === status), { userId: 'dan', status });
  }
  dan.emit('user:status', 'online');
  await ann.told('user:online', () => ann.events('user:online').filter((event) => event.userId === 'dan' && event.status === 'online').length === 2);
  assert.deepEqual(ann.events('user:offline').filter(({ userId }) => userId === 'dan'), []);
  dan.close();
  assert.deepEqual(await ann.told('user:offline', ({ userId }) => userId === 'dan'), { userId: 'dan' });
});

test('a list of conversations is told of new messages, titles, participants and the end, joined or not', async () => {
  const id = await conversation('ann', 'bob');
  const ann = connect('ann');
  const bob = connect('bob', { from: apps.place(1) });
  await Promise.all([ann.told('connected'), bob.told('connected')]);
  const { messageId } = await ann.ack('message:send', { conversationId: id, content: 'news' });
  for (const client of [ann, bob]) {
    const updated = await client.told('conversation:updated', (event) => event.id === id && event.lastMessage?.id === messageId);
    assert.deepEqual([...updated.participants].sort(), ['ann', 'bob']);
    assert.equal(updated.lastMessage.content, 'news');
    isTime(updated.updatedAt);
  }
  await apps.rest().expect(200, 'PATCH', `/v1/conversations/${id}`, { title: 'Titled' });
  await bob.told('conversation:updated', (event) => event.id === id && event.title === 'Titled');
  await apps.rest().call('PUT', `/v1/conversations/${id}/participants/cy`, {});
  await bob.told('conversation:updated', (event) => event.id === id && event.participants.includes('cy'));
  await apps.rest().call('DELETE', `/v1/conversations/${id}`);
  for (const client of [ann, bob]) {
    assert.deepEqual(await client.told('conversation:deleted', (event) => event.conversationId === id), { conversationId: id });
  }
});

test('who is not in the conversation is notified', async () => {
  const id = await conversation('ann', 'bob');
  const ann = connect('ann');
  const bob = connect('bob', { from: apps.place(1) });
  await bob.told('connected');
  await ann.ack('message:send', { conversationId: id, content: 'are you there?' });
  const told = await bob.told('notification:new');
  assert.deepEqual({ ...told, data: undefined, id: undefined, createdAt: undefined }, {
    id: undefined, userId: 'bob', type: 'message', message: 'are you there?', data: undefined, read: false, createdAt: undefined,
  });
  assert.equal(typeof told.id, 'string');
  isTime(told.createdAt);
  await apps.rest().expect(201, 'POST', '/v1/users/bob/notifications', { type: 'news', text: 'You have mail', data: { folder: 'inbox' } });
  const second = await bob.told('notification:new', ({ type }) => type === 'news');
  assert.deepEqual([second.message, second.data], ['You have mail', { folder: 'inbox' }]);
});

test('what fails is told with its code', async () => {
  const [id, ann] = await joined(['ann']);
  const eve = await connect('eve').connected();
  eve.emit('message:send', { conversationId: id, content: 'hi' });
  const { code, message } = await eve.told('error');
  assert.deepEqual([code, typeof message], ['MESSAGE_SEND_ERROR', 'string']);
  assert.equal((await eve.ack('message:send', { conversationId: id, content: 'hi' })).success, false);
  eve.emit('conversation:join', id);
  await eve.told('error', (event) => event.code === 'FORBIDDEN');
  ann.emit('authenticate', 'no token');
  assert.equal((await ann.told('error')).code, 'AUTHENTICATION_ERROR');
});

test('a session is renewed with a token, bare or in an object', async () => {
  const ann = connect('ann');
  assert.deepEqual(await ann.ack('authenticate', { token: token('ann') }), { success: true });
  assert.deepEqual(await ann.ack('authenticate', token('ann')), { success: true });
  assert.equal((await ann.ack('authenticate', token('bob'))).success, false);
});

test('more than ten events a second of one socket are too many', async () => {
  const ann = await connect('ann').connected();
  for (let n = 0; n < 40; n += 1) ann.emit('typing:stop', { conversationId: 'x' });
  const error = await ann.told('error', ({ code }) => code === 'RATE_LIMITED');
  assert.deepEqual(error, { message: 'Rate limit exceeded: Too many events', code: 'RATE_LIMITED' });
});

test('a message of a megabyte passes', async () => {
  const [id, ann, bob] = await joined(['ann', 'bob']);
  const content = 'x'.repeat(1_000_000);
  assert.equal((await ann.ack('message:send', { conversationId: id, content })).success, true);
  assert.equal((await bob.told('message:new')).content.length, content.length);
});

test('its health tells of the whole cluster', async () => {
  const clients = [connect('ann'), connect('bob', { from: apps.place(1) })];
  await Promise.all(clients.map((client) => client.connected()));
  await until('both gateways are counted', async () => {
    const { status, socket } = await (await fetch(`${apps.url}/api/socket/health`)).json();
    assert.deepEqual([status, socket.initialized, typeof socket.rooms], ['ok', true, 'number']);
    return socket.connected >= 2;
  });
});
