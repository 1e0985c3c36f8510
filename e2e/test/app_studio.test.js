// The design studio's own clients: rooms, edits, receipts, calls. Ids of users and rooms are JSON numbers throughout.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';

import { AppClient, TRANSPORTS, closeAppClients } from '../harness/app_client.js';
import { Applications } from '../harness/applications.js';
import { until } from '../harness/wait.js';

let apps;
let rooms = 100;

before(async () => {
  apps = await Applications.start('app_studio', { insecure: ['studio'] });
  for (const [id, name] of [[5, 'Eva'], [6, 'Finn'], [7, 'Gil'], [9, 'Ida']]) {
    await apps.rest().expect(201, 'PUT', `/v1/users/${id}`, { name });
  }
});

afterEach(closeAppClients);
after(async () => apps?.stop());

const token = (user) => apps.token({ sub: undefined, name: undefined, userId: user });

/** As the guide has it: a token, and the id beside it. */
function documented(user, { transports = ['websocket'], from = apps.place(0), namespace = '/studio' } = {}) {
  return new AppClient(apps.url + namespace, { auth: { token: token(user), userId: user }, transports, from });
}

/** As the clients do: no token, the id in the query, which makes a text of it. */
function connect(user, { transports = ['websocket', 'polling'], from = apps.place(0), namespace = '/chat' } = {}) {
  return new AppClient(apps.url + namespace, { query: { userId: user }, transports, from });
}

async function room(...users) {
  rooms += 1;
  await apps.rest(`${users[0]}`).createConversation(`${rooms}`, users.map(String));
  return rooms;
}

/** A room of these users with their clients in it, at alternating gateways. */
async function joined(users, make = connect, transports = undefined) {
  const roomId = await room(...users);
  const clients = users.map((user, index) => make(user, { transports, from: apps.place(index) }));
  for (const client of clients) assert.deepEqual(await client.ack('join_room', { roomId, user: {} }), { success: true, roomId });
  return [roomId, ...clients];
}

/** Sends in the words that have no quota, which a user's messages of all tests together would use up. */
async function say(client, roomId, content) {
  return (await client.ack('message:create', { data: { roomId, content } })).messageId;
}

const isTime = (text) => assert.equal(new Date(text).toISOString(), text);

function message({ id, roomId, senderId, name, createdAt, ...more }) {
  return {
    id, roomId, senderId, content: '', type: 'TEXT', fileUrl: null, fileName: null, fileSize: null, fileMimeType: null,
    replyToId: null, isEdited: false, isDeleted: false, createdAt, updatedAt: createdAt, sender: { id: senderId, name }, ...more,
  };
}

test('a handshake whose user is not the token\'s, or that says nothing, is refused with the text', async () => {
  const refused = (options) => new AppClient(`${apps.url}/studio`, { transports: ['websocket'], ...options }).refused();
  assert.equal(await refused({ auth: { token: token(5), userId: 6 } }), 'Authentication error');
  assert.equal(await refused({ auth: { token: 'bad', userId: 5 } }), 'Authentication error');
});

for (const [name, { transports }] of Object.entries(TRANSPORTS)) {
  for (const make of [documented, connect]) {
    test(`${name}, ${make.name}: a message reaches everybody under both names, with numbers as numbers`, async () => {
      const [roomId, eva, finn] = await joined([5, 6], make, transports);
      eva.emit('message:send', { roomId, content: 'Hello' });
      const seen = await finn.told('message:new');
      isTime(seen.createdAt);
      const expected = message({ id: seen.id, roomId, senderId: 5, name: 'Eva', content: 'Hello', createdAt: seen.createdAt });
      assert.deepEqual(seen, expected);
      assert.deepEqual(await finn.told('message:created'), expected);
      assert.deepEqual(await eva.told('message:created'), expected);
      assert.deepEqual(await eva.told('message:new'), expected);
    });
  }
}

test('a file and an answer stand in their fields, and sending stops the typing', async () => {
  const [roomId, eva, finn] = await joined([5, 6]);
  eva.emit('user:typing', { roomId, userId: 6, user: { name: 'someone else' } });
  const typing = await finn.told('user:typing');
  isTime(typing.timestamp);
  assert.deepEqual(typing, { userId: 5, roomId, timestamp: typing.timestamp, message: 'Eva is typing' });
  const file = { fileUrl: 'https://files.example/plan.pdf', fileName: 'plan.pdf', fileSize: 12345, fileMimeType: 'application/pdf' };
  eva.emit('message:create', { data: { content: 'The plan', type: 'FILE', ...file, roomId, user: { id: 5 }, userId: 5 } });
  const sent = await finn.told('message:new');
  assert.deepEqual(sent, message({ id: sent.id, roomId, senderId: 5, name: 'Eva', content: 'The plan', type: 'FILE', createdAt: sent.createdAt, ...file }));
  assert.deepEqual(await finn.told('user:stop_typing'), { userId: 5, roomId });
  finn.emit('message:create', { data: { content: 'Seen', type: 'TEXT', replyToId: sent.id, roomId } });
  assert.equal((await eva.told('message:new', ({ content }) => content === 'Seen')).replyToId, sent.id);
  assert.deepEqual(eva.events('user:typing'), []);
});

test('typing ends by itself', async () => {
  const [roomId, eva, finn] = await joined([5, 6]);
  eva.emit('user:typing', { roomId });
  await finn.told('user:typing');
  assert.deepEqual(await finn.told('user:stop_typing'), { userId: 5, roomId });
  eva.emit('user:typing', { roomId });
  await until('a second one', () => finn.events('user:typing').length === 2);
  eva.emit('user:stop_typing', { roomId });
  await until('its end', () => finn.events('user:stop_typing').length === 2);
});

test('joining a room leaves the others, and both are told', async () => {
  const [first, eva, finn] = await joined([5, 6]);
  const joinedFirst = await eva.told('member:joined', ({ userId }) => userId === 6);
  isTime(joinedFirst.timestamp);
  assert.deepEqual(joinedFirst, { userId: 6, roomId: first, timestamp: joinedFirst.timestamp });
  const second = await room(5, 6);
  finn.emit('join_room', { roomId: second });
  const left = await eva.told('member:left');
  assert.deepEqual(left, { userId: 6, roomId: first, timestamp: left.timestamp });
  await say(eva, first, 'Still here?');
  const after = say(finn, second, 'In the second');
  await finn.notTold('message:new', after.then(() => finn.told('message:new', ({ roomId }) => roomId === second)), ({ roomId }) => roomId === first);
  eva.emit('leave_room', { roomId: first });
});

test('own messages are edited and deleted, and others\' are not', async () => {
  const [roomId, eva, finn] = await joined([5, 6]);
  const messageId = await say(eva, roomId, 'Helo');
  eva.emit('message:edit', { messageId, content: 'Hello', roomId });
  const edited = await finn.told('message:edited');
  isTime(edited.updatedAt);
  assert.deepEqual(edited, { id: messageId, messageId, roomId, content: 'Hello', isEdited: true, updatedAt: edited.updatedAt });
  eva.emit('message:edited', { messageId, content: 'Hello!' });
  await finn.told('message:edited', ({ content }) => content === 'Hello!');
  finn.emit('message:edit', { messageId, content: 'mine' });
  assert.deepEqual(await finn.told('error'), { message: 'Not authorized to edit this message' });
  finn.emit('message:delete', { messageId, roomId });
  await finn.told('error', ({ message: text }) => text === 'Not authorized to delete this message');
  eva.emit('message:delete', { messageId, roomId });
  assert.deepEqual(await finn.told('message:deleted'), { id: messageId, messageId, roomId });
  const unknown = '01890000-0000-7000-8000-000000000000';
  assert.deepEqual(await eva.ack('message:edit', { messageId: unknown, content: 'x' }), { success: false, error: 'Message not found' });
});

test('a message is read, or the whole room', async () => {
  const [roomId, eva, finn] = await joined([5, 6]);
  const ids = [];
  for (const content of ['1', '2', '3']) ids.push(await say(eva, roomId, content));
  finn.emit('message:mark_read', { roomId, messageId: ids[0], userId: 5 });
  const read = await eva.told('message:read');
  assert.deepEqual({ messageId: read.messageId, userId: read.userId }, { messageId: ids[0], userId: 6 });
  isTime(read.readAt);
  finn.emit('messages:mark_read', { roomId });
  for (const id of ids.slice(1)) await eva.told('message:read', ({ messageId }) => messageId === id);
  const last = await say(eva, roomId, '4');
  finn.emit('message:mark_read', { roomId });
  await eva.told('message:read', ({ messageId }) => messageId === last);
});

test('a call rings, is answered and ends', async () => {
  const [roomId, eva, finn] = await joined([5, 6]);
  eva.emit('call:initiated', { callType: 'VIDEO', roomId });
  const ringing = await eva.told('call:initiated');
  isTime(ringing.timestamp);
  assert.deepEqual(ringing, { callId: ringing.callId, callType: 'VIDEO', initiatedBy: 5, roomId, timestamp: ringing.timestamp });
  assert.deepEqual(await finn.told('call:initiated'), ringing);
  const { callId } = ringing;
  finn.emit('call:answered', { callId, roomId });
  assert.deepEqual(await eva.told('call:answered'), { callId, answeredBy: 6, roomId });
  finn.emit('call:ended', { callId, roomId });
  assert.deepEqual(await eva.told('call:ended'), { callId, endedBy: 6, roomId });
});

test('who is not a member is told so', async () => {
  const roomId = await room(5);
  const finn = connect(6);
  finn.emit('join_room', { roomId });
  assert.deepEqual(await finn.told('error'), { message: 'Not a member of this room' });
  assert.deepEqual(await finn.ack('message:send', { roomId, content: 'hi' }), { success: false, error: 'Not a member of this room' });
});

test('members are notified whether they are in the room or not, the sender is not', async () => {
  const [roomId, eva, finn] = await joined([5, 6]);
  await apps.rest().call('PUT', `/v1/conversations/${roomId}/participants/7`, {});
  const gil = await connect(7, { from: apps.place(1) }).connected();
  const messageId = await say(eva, roomId, 'News');
  for (const client of [finn, gil]) {
    const told = await client.told('notification:new_message');
    assert.deepEqual(told, {
      message: message({ id: messageId, roomId, senderId: 5, name: 'Eva', content: 'News', createdAt: told.message.createdAt }),
      roomId, isMuted: false,
    });
  }
  assert.deepEqual(eva.events('notification:new_message'), []);
});

test('everybody with this dialect is told who comes and goes', async () => {
  // Users of no other test: whoever is back at once has not gone for the others.
  const eva = await connect(11).connected();
  await apps.reached(eva, 11);
  const ida = connect(12, { from: apps.place(1), namespace: '/studio' });
  const online = await eva.told('user:online', ({ userId }) => userId === 12);
  assert.deepEqual(Object.keys(online).sort(), ['socketId', 'timestamp', 'userId']);
  isTime(online.timestamp);
  await ida.connected();
  ida.close();
  const offline = await eva.told('user:offline', ({ userId }) => userId === 12);
  assert.deepEqual(offline, { userId: 12, timestamp: offline.timestamp });
});

test('the first clients say who they are by an event, and nothing goes before', async () => {
  const [roomId, eva] = await joined([5, 6]);
  const first = new AppClient(`${apps.url}/studio`, { transports: ['websocket', 'polling'] });
  assert.equal((await first.ack('message:send', { roomId, content: 'who?' })).success, false);
  first.emit('online', { userId: 6, user: { id: 6, name: 'Finn' } });
  assert.deepEqual(await first.ack('join_room', { roomId }), { success: true, roomId });
  first.emit('message:create', { data: { roomId, content: 'It is me' } });
  assert.equal((await eva.told('message:new')).senderId, 6);
  // It is said once.
  first.emit('online', { userId: 7 });
  first.emit('message:create', { data: { roomId, content: 'Still me' } });
  assert.equal((await eva.told('message:new', ({ content }) => content === 'Still me')).senderId, 6);
});

test('signs of life are taken without an error', async () => {
  const eva = connect(5);
  for (const event of ['online', 'user:online', 'heartbeat', 'client:online']) eva.emit(event, { userId: 5 }).emit(event);
  eva.emit('join-room', { userId: 5 });
  await eva.notTold('error', eva.ack('heartbeat'));
});

test('more than ten messages a minute are too many', async () => {
  const roomId = await room(9);
  const ida = connect(9);
  let answers = [];
  for (let n = 0; n < 11; n += 1) answers.push(await ida.ack('message:send', { roomId, content: `${n}` }));
  assert.deepEqual(answers.map(({ success }) => success), [...Array(10).fill(true), false]);
});

test('messages are sent and read by HTTP, from page 0', async () => {
  const [roomId, eva] = await joined([5, 7]);
  const headers = { authorization: `Bearer ${token(7)}`, 'content-type': 'application/json' };
  const post = (path, body) => fetch(apps.url + path, { method: 'POST', headers, body: JSON.stringify(body) });
  const answer = await post(`/shared/chat/rooms/${roomId}/messages`, { content: 'by HTTP', type: 'TEXT', fileUrl: null });
  assert.equal(answer.status, 201);
  const sent = await answer.json();
  assert.deepEqual(sent, message({ id: sent.id, roomId, senderId: 7, name: 'Gil', content: 'by HTTP', createdAt: sent.createdAt }));
  assert.deepEqual(await eva.told('message:new'), sent);
  await post(`/studio/shared/chat/rooms/${roomId}/messages`, { content: 'second' });
  for (const path of [`/shared/chat/${roomId}/messages?page=0&limit=1`, `/shared/chat/rooms/${roomId}/messages?page=0&limit=1`]) {
    const page = await (await fetch(apps.url + path, { headers })).json();
    assert.deepEqual([page.page, page.limit, page.total, page.hasMore], [0, 1, 2, true]);
    assert.deepEqual(page.messages.map(({ content }) => content), ['second']);
  }
});
