// The rooms application's own client: `send-message` with `temp_id`, receipts, reactions and `message:status`, connected
// by each of its transports to two gateways behind nginx.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';

import { AppClient, TRANSPORTS, closeAppClients } from '../harness/app_client.js';
import { Applications } from '../harness/applications.js';

let apps;
let conversations = 0;

before(async () => {
  apps = await Applications.start('app_rooms', { files: true });
  for (const [id, name] of [['ann', 'Ann'], ['bob', 'Bob'], ['cy', 'Cy'], ['eve', 'Eve']]) {
    await apps.rest().expect(201, 'PUT', `/v1/users/${id}`, { name, avatar: `https://pictures.example/${id}.png` });
  }
});

afterEach(closeAppClients);
after(async () => apps?.stop());

/** Connects as the application's front end does: a token with nothing but the user's id in it. */
function connect(user, { transports = ['websocket'], from = apps.place(0) } = {}) {
  return new AppClient(`${apps.url}/rooms`, { auth: { token: apps.token({ sub: undefined, name: undefined, userId: user }) }, transports, from });
}

/** A conversation of these users with their connected clients in it, at alternating gateways. */
async function room(users, transports) {
  conversations += 1;
  const conversationId = `room-${conversations}`;
  await apps.rest(users[0]).createConversation(conversationId, users);
  const clients = users.map((user, index) => connect(user, { transports, from: apps.place(index) }));
  for (const client of clients) {
    // Buffered until it is connected.
    client.emit('join-room', { conversationId });
    assert.deepEqual(await client.told('room-joined'), { conversationId });
  }
  return { conversationId, clients };
}

const sender = (id, name) => ({ id, username: name, avatar: `https://pictures.example/${id}.png` });

test('a handshake without a token, or with a bad one, is refused in its words', async () => {
  const nobody = new AppClient(`${apps.url}/rooms`, { transports: ['websocket'] });
  assert.equal(await nobody.refused(), 'Authentication token required');
  const forged = new AppClient(`${apps.url}/rooms`, { auth: { token: 'x.y.z' }, transports: ['polling'] });
  assert.equal(await forged.refused(), 'Authentication failed');
});

for (const [name, { transports }] of Object.entries(TRANSPORTS)) {
  test(`${name}: everybody in the room gets a message once, in the application's shape`, async () => {
    const { conversationId, clients: [ann, bob] } = await room(['ann', 'bob'], transports);
    ann.emit('send-message', { temp_id: 'temp-1', conversationId, content: 'Hello', timestamp: Date.now() });
    const told = await Promise.all([ann, bob].map((client) => client.told('message:new')));
    const [{ id, createdAt }] = told;
    assert.match(id, /^[0-9a-f-]{36}$/);
    assert.ok(!Number.isNaN(Date.parse(createdAt)));
    for (const message of told) {
      assert.deepEqual(message, {
        id, temp_id: 'temp-1', content: 'Hello', senderId: 'ann', sender: sender('ann', 'Ann'), conversationId,
        status: 'sent', sentAt: createdAt, createdAt,
      });
    }
    // The same temporary id is the same message.
    assert.deepEqual(await ann.ack('send-message', { tempId: 'temp-1', conversationId, content: 'Hello' }), { success: true, messageId: id });
    const attachments = [{ url: 'https://files.example/a.pdf', name: 'a.pdf' }];
    const { messageId } = await bob.ack('send-message', { temp_id: 'temp-2', conversationId, content: 'Look', attachments });
    const second = await ann.told('message:new', (message) => message.id === messageId);
    assert.deepEqual(second.attachments, attachments);
    assert.equal(ann.events('message:new').length, 2);
  });
}

test('joining is acknowledged, and refused to who takes no part', async () => {
  const { conversationId, clients: [ann] } = await room(['ann']);
  assert.deepEqual(await ann.ack('join-room', { conversationId }), { success: true });
  const eve = connect('eve');
  const text = 'You are not a participant in this conversation';
  assert.deepEqual(await eve.ack('join-room', { conversationId }), { error: text });
  eve.emit('join-room', { conversationId });
  assert.deepEqual(await eve.told('error'), { message: text });
  eve.emit('join-room', {});
  assert.deepEqual(await eve.told('error', ({ message }) => message !== text), { message: 'Failed to join conversation' });
});

test('a send that fails names the temporary id and why', async () => {
  const { conversationId, clients: [ann] } = await room(['ann']);
  const eve = connect('eve');
  eve.emit('send-message', { temp_id: 'e1', conversationId, content: 'let me in' });
  const text = 'You are not a participant in this conversation';
  assert.deepEqual(await eve.told('error'), { temp_id: 'e1', error: 'Unauthorized', message: text });
  ann.emit('send-message', { temp_id: 'a1', conversationId, content: '  ' });
  assert.deepEqual(await ann.told('error'), { temp_id: 'a1', error: 'Failed to send', message: 'Failed to send message' });
  assert.deepEqual(await ann.ack('send-message', { temp_id: 'a2', conversationId }), { success: false, error: 'Failed to send message' });
});

test('the room is told once that a message was delivered, and once that it was read', async () => {
  const { conversationId, clients: [ann, bob, cy] } = await room(['ann', 'bob', 'cy']);
  const { messageId } = await ann.ack('send-message', { conversationId, content: 'one' });
  const { messageId: other } = await ann.ack('send-message', { conversationId, content: 'two' });
  bob.emit('delivered-ack', { messageId });
  for (const client of [ann, bob, cy]) {
    const { deliveredAt, ...status } = await client.told('message:status');
    assert.deepEqual(status, { messageId, status: 'delivered' });
    assert.ok(!Number.isNaN(Date.parse(deliveredAt)));
  }
  bob.emit('read', { messageIds: [messageId, other], conversationId });
  for (const id of [messageId, other]) {
    const fits = (status) => status.messageId === id && status.status === 'read';
    const { readAt, ...status } = await ann.told('message:status', fits);
    assert.deepEqual(status, { messageId: id, status: 'read' });
    assert.ok(!Number.isNaN(Date.parse(readAt)));
  }
  // Another reader is no news: what comes after him is the next message.
  assert.deepEqual(await cy.ack('read', { messageIds: [messageId] }), { success: true });
  const { messageId: last } = await ann.ack('send-message', { conversationId, content: 'three' });
  cy.emit('read', { messageIds: [last] });
  await ann.told('message:status', (status) => status.messageId === last && status.status === 'read');
  const seen = ann.events('message:status').filter((status) => status.messageId === messageId);
  assert.deepEqual(seen.map(({ status }) => status), ['delivered', 'read']);
});

test('typing is told to the others, and never to oneself', async () => {
  const { conversationId, clients: [ann, bob] } = await room(['ann', 'bob']);
  ann.emit('typing', { conversationId, isTyping: true });
  assert.deepEqual(await bob.told('typing:update'), { userId: 'ann', userName: 'Ann', isTyping: true, conversationId });
  ann.emit('typing', { conversationId, isTyping: false });
  assert.deepEqual(await bob.told('typing:update', ({ isTyping }) => !isTyping), {
    userId: 'ann', userName: 'Ann', isTyping: false, conversationId,
  });
  await ann.notTold('typing:update', ann.ack('echo', 1));
});

test('reactions toggle, with who reacted', async () => {
  const { conversationId, clients: [ann, bob] } = await room(['ann', 'bob']);
  const { messageId } = await ann.ack('send-message', { conversationId, content: 'nice?' });
  bob.emit('react', { messageId, emoji: '👍' });
  await ann.told('reaction:update');
  assert.deepEqual(await ann.ack('react', { messageId, emoji: '👍' }), { success: true });
  const both = await bob.told('reaction:update', ({ reactions }) => reactions['👍']?.count === 2);
  assert.deepEqual(both, { messageId, reactions: { '👍': { count: 2, users: ['bob', 'ann'], userNames: ['Bob', 'Ann'] } } });
  bob.emit('react', { messageId, emoji: '👍' });
  const one = { messageId, reactions: { '👍': { count: 1, users: ['ann'], userNames: ['Ann'] } } };
  assert.deepEqual(await ann.told('reaction:update', ({ reactions }) => reactions['👍']?.users[0] === 'ann'), one);
  const eve = connect('eve');
  eve.emit('react', { messageId, emoji: '👍' });
  await eve.told('error');
});

test('echo answers with the same, and leaving is answered', async () => {
  const { conversationId, clients: [ann] } = await room(['ann']);
  const payload = { any: ['thing', 7, null], nested: { ok: true } };
  ann.emit('echo', payload);
  assert.deepEqual(await ann.told('echo-response'), payload);
  ann.emit('leave-room', { conversationId });
  assert.deepEqual(await ann.told('room-left'), { conversationId });
});

test('everybody with this dialect is told who comes and goes', async () => {
  // Users of no other test: whoever is back at once has not gone for the others.
  const dan = await connect('dan').connected();
  await apps.reached(dan, 'dan');
  const fay = await connect('fay', { from: apps.place(1) }).connected();
  const online = await dan.told('user:status', ({ userId, status }) => userId === 'fay' && status === 'online');
  assert.deepEqual(online, { userId: 'fay', status: 'online' });
  fay.close();
  const offline = await dan.told('user:status', ({ userId, status }) => userId === 'fay' && status === 'offline');
  assert.ok(!Number.isNaN(Date.parse(offline.lastSeen)));
});

/** A request of a user, as the front end makes it: to the URL that its socket has. */
async function request(user, method, path, body) {
  const headers = { authorization: `Bearer ${apps.token({ sub: undefined, userId: user })}`, 'content-type': 'application/json' };
  const answer = await fetch(apps.url + path, { method, headers, body: JSON.stringify(body) });
  return { status: answer.status, body: await answer.json() };
}

test('conversations, participants, messages and uploads by HTTP reach the sockets', async () => {
  const bob = await connect('bob', { from: apps.place(1) }).connected();
  const made = await request('ann', 'POST', '/api/conversations', { id: 'by-http', title: 'By HTTP', participants: ['bob'] });
  assert.equal(made.status, 201);
  const created = await bob.told('conversation:created', ({ id }) => id === 'by-http');
  assert.deepEqual([...created.participants].sort(), ['ann', 'bob']);

  const ann = connect('ann');
  for (const client of [ann, bob]) assert.deepEqual(await client.ack('join-room', { conversationId: 'by-http' }), { success: true });
  const added = await request('ann', 'POST', '/rooms/api/conversations/by-http/participants', { userId: 'cy' });
  assert.equal(added.status, 201);
  assert.deepEqual(await bob.told('conversation:participant-added'), { conversationId: 'by-http', participant: sender('cy', 'Cy') });

  for (const content of ['1', '2', '3']) await ann.ack('send-message', { conversationId: 'by-http', content });
  const page = await request('bob', 'GET', '/api/conversations/by-http/messages?limit=2');
  assert.deepEqual(page.body.messages.map(({ content }) => content), ['3', '2']);
  assert.equal(page.body.hasMore, true);
  const rest = await request('bob', 'GET', `/api/messages?conversationId=by-http&limit=2&cursor=${page.body.nextCursor}`);
  assert.deepEqual(rest.body.messages.map(({ content }) => content), ['1']);
  assert.deepEqual([rest.body.hasMore, rest.body.nextCursor], [false, null]);

  const [{ id }] = page.body.messages;
  const edited = await request('ann', 'PUT', `/api/messages/${id}`, { content: 'three' });
  assert.deepEqual([edited.status, edited.body.content, edited.body.id], [200, 'three', id]);
  const updated = await bob.told('message:updated');
  assert.deepEqual([updated.id, updated.content, updated.sender], [id, 'three', sender('ann', 'Ann')]);
  assert.deepEqual((await request('bob', 'PUT', `/api/messages/${id}`, { content: 'mine' })).status, 403);
  assert.equal((await request('ann', 'DELETE', `/api/messages/${id}`)).status, 200);
  assert.deepEqual(await bob.told('message:deleted'), { messageId: id, conversationId: 'by-http' });
});

test('an upload is told of as it goes on, and when it is done', async () => {
  const ann = await connect('ann').connected();
  const form = new FormData();
  form.append('file', new Blob(['%PDF-1.4\n%âãÏÓ\n'.repeat(10)], { type: 'application/pdf' }), 'plan.pdf');
  const headers = { authorization: `Bearer ${apps.token({ sub: undefined, userId: 'ann' })}` };
  const answer = await fetch(`${apps.url}/api/upload`, { method: 'POST', headers, body: form });
  assert.equal(answer.status, 201, await answer.clone().text());
  const done = await ann.told('upload:done');
  assert.deepEqual(done, await answer.json());
  assert.deepEqual(Object.keys(done).sort(), ['name', 'size', 'type', 'uploadId', 'url']);
  const progress = await ann.told('upload:progress');
  assert.deepEqual(Object.keys(progress).sort(), ['received', 'total', 'uploadId']);
});
