// Five users of five applications' clients, on two gateways, in one conversation: each sends, edits and reacts where his
// application can, and reads; each sees what the others do in the shape of his own application.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { AppClient } from '../harness/app_client.js';
import { Applications } from '../harness/applications.js';
import { until } from '../harness/wait.js';

const NUMBER = 77;
const CONVERSATION = `diet_${NUMBER}`;
// Ids that are numbers where an application has numbers.
const USERS = { diet: '1', conversations: '2', studio: '3', clinic: '4', rooms: '5' };

let apps;
let clients;

before(async () => {
  apps = await Applications.start('app_crossing');
  for (const [dialect, id] of Object.entries(USERS)) {
    await apps.rest().expect(201, 'PUT', `/v1/users/${id}`, { name: `of ${dialect}` });
  }
  await apps.rest().expect(201, 'POST', '/v1/conversations', { id: CONVERSATION, participants: Object.values(USERS) });
  const token = (dialect) => apps.token({ sub: undefined, name: undefined, userId: USERS[dialect] });
  const connect = (dialect, place, options = {}) =>
    new AppClient(`${apps.url}${options.path ? '' : `/${dialect}`}`, {
      transports: ['websocket'], from: apps.place(place), ...options, auth: { token: token(dialect), ...options.auth },
    });
  clients = {
    diet: connect('diet', 0, { path: '/api/socketio' }),
    conversations: connect('conversations', 1),
    studio: connect('studio', 0),
    clinic: connect('clinic', 1, { auth: { relationId: CONVERSATION } }),
    rooms: connect('rooms', 0),
  };
  const { diet, conversations, studio, clinic, rooms } = clients;
  await clinic.told('connected');
  assert.equal((await diet.ack('join', 1)).success, true);
  assert.equal((await diet.ack('join_diet', NUMBER)).success, true);
  for (const joined of [
    conversations.ack('conversation:join', CONVERSATION),
    studio.ack('join_room', { roomId: CONVERSATION }),
    rooms.ack('join-room', { conversationId: CONVERSATION }),
  ]) assert.equal((await joined).success, true);
});

after(async () => apps?.stop());

/** How each application shows a message: what it is called there, and where content, sender and conversation stand. */
const shown = {
  diet: ['new_message', ({ message, dietId }) => [message.content, message.userId, dietId, message.id]],
  conversations: ['message:new', ({ content, senderId, conversationId, id }) => [content, senderId, conversationId, id]],
  studio: ['message:new', ({ content, senderId, roomId, id }) => [content, senderId, roomId, id]],
  clinic: ['new_message', ({ message }) => [message.text, message.senderId, undefined, message.id]],
  rooms: ['message:new', ({ content, senderId, conversationId, id }) => [content, senderId, conversationId, id]],
};

/** What everybody but those excepted is shown of a message with this content, each by his own ids. */
async function everybodySees(content, sender, except = []) {
  const ids = new Set();
  for (const [dialect, client] of Object.entries(clients)) {
    if (except.includes(dialect)) continue;
    const [event, read] = shown[dialect];
    const seen = read(await client.told(event, (payload) => read(payload)[0] === content));
    const numbers = dialect === 'diet' || dialect === 'studio';
    const conversation = { diet: NUMBER, clinic: undefined }[dialect] ?? (dialect === 'clinic' ? undefined : CONVERSATION);
    assert.deepEqual(seen.slice(0, 3), [content, numbers ? Number(USERS[sender]) : USERS[sender], conversation], dialect);
    ids.add(seen[3]);
  }
  assert.equal(ids.size, 1, 'it is one message to all');
  return [...ids][0];
}

test('each sends in his own words, and everybody sees it in his', async () => {
  const { conversations, studio, clinic, rooms } = clients;
  await apps.rest(USERS.diet).expect(201, 'POST', `/v1/conversations/${CONVERSATION}/messages`, { content: 'from diet' });
  await everybodySees('from diet', 'diet');
  conversations.emit('message:send', { conversationId: CONVERSATION, content: 'from conversations' });
  await everybodySees('from conversations', 'conversations', ['conversations']);
  studio.emit('message:send', { roomId: CONVERSATION, content: 'from studio' });
  await everybodySees('from studio', 'studio');
  clinic.emit('send_message', { text: 'from clinic' });
  await everybodySees('from clinic', 'clinic');
  rooms.emit('send-message', { temp_id: 'r1', conversationId: CONVERSATION, content: 'from rooms' });
  await everybodySees('from rooms', 'rooms');
});

test('who can edit does, and who has a word for it is told', async () => {
  const { studio, rooms } = clients;
  const { messageId } = await studio.ack('message:send', { roomId: CONVERSATION, content: 'to be changed' });
  await everybodySees('to be changed', 'studio');
  studio.emit('message:edit', { messageId, content: 'changed' });
  assert.equal((await studio.told('message:edited')).content, 'changed');
  const updated = await rooms.told('message:updated', ({ id }) => id === messageId);
  assert.deepEqual([updated.content, updated.senderId], ['changed', USERS.studio]);
});

test('who can react does', async () => {
  const { conversations, rooms } = clients;
  const { messageId } = await conversations.ack('message:send', { conversationId: CONVERSATION, content: 'react to this' });
  await everybodySees('react to this', 'conversations', ['conversations']);
  rooms.emit('react', { messageId, emoji: '🎉' });
  const { reactions } = await rooms.told('reaction:update', (update) => update.messageId === messageId);
  assert.deepEqual(reactions, { '🎉': { count: 1, users: [USERS.rooms], userNames: ['of rooms'] } });
});

test('each reads, and the others are told in their words', async () => {
  const { conversations, studio, clinic, rooms } = clients;
  const { messageId } = await rooms.ack('send-message', { temp_id: 'r2', conversationId: CONVERSATION, content: 'read me' });
  await everybodySees('read me', 'rooms');
  const readers = {
    clinic: () => clinic.emit('mark_as_read', { messageId }),
    conversations: () => conversations.emit('message:read', { messageId }),
    studio: () => studio.emit('message:mark_read', { roomId: CONVERSATION, messageId }),
  };
  for (const [reader, read] of Object.entries(readers)) {
    read();
    const by = (id) => (event) => event.messageId === messageId && `${event.userId ?? event.readBy}` === id;
    await studio.told('message:read', by(USERS[reader]));
    if (reader !== 'conversations') await conversations.told('message:read', by(USERS[reader]));
    if (reader !== 'clinic') await clinic.told('message_read', by(USERS[reader]));
  }
  const { markedCount } = await (await fetch(`${apps.url}/api/clients/9/diets/${NUMBER}/messages`, {
    method: 'PATCH',
    headers: { authorization: `Bearer ${apps.token({ sub: undefined, userId: USERS.diet })}`, 'content-type': 'application/json' },
    body: JSON.stringify({ messageIds: [messageId] }),
  })).json();
  assert.equal(markedCount, 1);
  assert.deepEqual((await rooms.told('message:status', (status) => status.messageId === messageId && status.status === 'read')).messageId, messageId);
});

test('typing is told in the words of those who have some', async () => {
  const { conversations, studio, clinic, rooms } = clients;
  rooms.emit('typing', { conversationId: CONVERSATION, isTyping: true });
  assert.deepEqual(await conversations.told('typing:start', ({ userId }) => userId === USERS.rooms), { userId: USERS.rooms, conversationId: CONVERSATION });
  assert.equal((await studio.told('user:typing', ({ userId }) => userId === Number(USERS.rooms))).message, 'of rooms is typing');
  assert.equal((await clinic.told('user_typing', ({ userId }) => userId === USERS.rooms)).userName, 'of rooms');
});

test('the messages are stored once, in one order', async () => {
  await until('the worker has stored them', async () => {
    const rows = await apps.stack.database.rows('SELECT seq, content FROM messages WHERE conversation_id = $1 ORDER BY seq', CONVERSATION);
    assert.deepEqual(rows.map(({ content }) => content), [
      'from diet', 'from conversations', 'from studio', 'from clinic', 'from rooms', 'changed', 'react to this', 'read me',
    ]);
    return true;
  });
});
