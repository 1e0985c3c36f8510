// The clinic application's own client: one relation a connection, named at the handshake, polling first.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';

import { AppClient, TRANSPORTS, closeAppClients } from '../harness/app_client.js';
import { Applications } from '../harness/applications.js';
import { until } from '../harness/wait.js';

let apps;
let relations = 0;

before(async () => {
  apps = await Applications.start('app_clinic');
  await apps.rest().expect(201, 'PUT', '/v1/users/doc', { name: 'Dr. Ada', role: 'doctor' });
  await apps.rest().expect(201, 'PUT', '/v1/users/pat', { name: 'Pat', role: 'patient' });
});

afterEach(closeAppClients);
after(async () => apps?.stop());

const token = (id, claims = {}) => apps.token({ sub: undefined, name: undefined, id, ...claims });

/** Connects as the application's newer front ends do: with a token beside what the older ones send. */
function connect(user, relationId, { transports = ['polling', 'websocket'], from = apps.place(0), auth = {} } = {}) {
  return new AppClient(`${apps.url}/clinic`, { auth: { relationId, userId: user, token: token(user), ...auth }, transports, from });
}

async function relation(...users) {
  relations += 1;
  const id = `relation-${relations}`;
  await apps.rest(users[0]).createConversation(id, users);
  return id;
}

const refusal = async (options) => new AppClient(`${apps.url}/clinic`, { transports: ['polling'], ...options }).refused();

test('each refused handshake has its text', async () => {
  const relationId = await relation('doc', 'pat');
  assert.equal(await refusal({}), 'Missing token');
  assert.equal(await refusal({ auth: { relationId } }), 'Missing token');
  assert.equal(await refusal({ auth: { relationId, userId: 'doc' } }), 'Missing token');
  assert.equal(await refusal({ auth: { relationId, token: token('doc', { exp: 1 }) } }), 'Token expired');
  const [head, claims] = token('doc').split('.');
  assert.equal(await refusal({ auth: { relationId, token: `${head}.${claims}.AAAA` } }), 'Invalid token signature');
  assert.equal(await refusal({ auth: { relationId, token: 'not a token' } }), 'Invalid token format');
  assert.equal(await refusal({ auth: { relationId: 'no-such-relation', token: token('doc') } }), 'Relation not found');
  assert.equal(await refusal({ auth: { relationId, token: token('eve') } }), 'Unauthorized');
});

for (const [name, { transports }] of Object.entries(TRANSPORTS)) {
  test(`${name}: doctor and patient talk in their relation`, async () => {
    const relationId = await relation('doc', 'pat');
    const doc = connect('doc', relationId, { transports });
    const pat = connect('pat', relationId, { transports, from: apps.place(1) });
    assert.deepEqual(await doc.told('connected'), {
      message: 'Connected successfully', userId: 'doc', userName: 'Dr. Ada', userRole: 'doctor',
    });
    await pat.told('connected');

    pat.emit('send_message', { text: '  Good morning \n' });
    const [seen, own] = await Promise.all([doc.told('new_message'), pat.told('new_message')]);
    assert.deepEqual(seen, own);
    const { message } = seen;
    assert.deepEqual(message, {
      id: message.id, text: 'Good morning', senderId: 'pat', senderName: 'Pat', senderRole: 'patient', createdAt: message.createdAt,
    });
    assert.ok(!Number.isNaN(Date.parse(message.createdAt)));

    doc.emit('user_typing');
    assert.deepEqual(await pat.told('user_typing'), { userId: 'doc', userName: 'Dr. Ada', userRole: 'doctor' });
    doc.emit('mark_as_read', { messageId: message.id });
    assert.deepEqual(await pat.told('message_read'), { messageId: message.id, readBy: 'doc' });
    const sent = doc.ack('send_message', { text: 'Hello' });
    assert.deepEqual(await sent, { success: true });
    await doc.notTold('user_typing', doc.told('new_message', ({ message: { text } }) => text === 'Hello'));
    assert.deepEqual(doc.events('message_read'), []);
  });
}

test('history comes in pages, the oldest first', async () => {
  const relationId = await relation('doc', 'pat');
  const rest = apps.rest('pat');
  for (let n = 1; n <= 25; n += 1) {
    await rest.expect(201, 'POST', `/v1/conversations/${relationId}/messages`, { content: `m${n}` });
  }
  const doc = connect('doc', relationId);
  doc.emit('get_initial_messages', { page: 1, limit: 20 });
  const first = await doc.told('initial_messages');
  assert.deepEqual(first.pagination, { page: 1, limit: 20, total: 25, hasMore: true });
  assert.deepEqual(first.messages.map(({ text }) => text), Array.from({ length: 20 }, (_, n) => `m${n + 1}`));
  assert.deepEqual(Object.keys(first.messages[0]).sort(), ['createdAt', 'id', 'senderId', 'senderName', 'senderRole', 'text']);
  doc.emit('get_initial_messages', { page: 2, limit: 20 });
  const second = await doc.told('initial_messages', ({ pagination }) => pagination.page === 2);
  assert.deepEqual(second.messages.map(({ text }) => text), ['m21', 'm22', 'm23', 'm24', 'm25']);
  assert.equal(second.pagination.hasMore, false);
  // What is left out has its default, and more than a hundred are a hundred.
  doc.emit('get_initial_messages');
  doc.emit('get_initial_messages', { limit: 5000 });
  const most = await doc.told('initial_messages', ({ pagination }) => pagination.limit === 100);
  assert.equal(most.messages.length, 25);
  const usual = ({ pagination }) => pagination.limit === 20 && pagination.page === 1;
  await until('the defaults are those of the first page', () => doc.events('initial_messages').filter(usual).length === 2);
  doc.emit('get_initial_messages', { page: 'first' });
  assert.deepEqual(await doc.told('error'), { message: 'Failed to load messages' });
});

test('a blank message is refused in its words, and what fails has a text', async () => {
  const doc = connect('doc', await relation('doc', 'pat'));
  doc.emit('send_message', { text: '   ' });
  assert.deepEqual(await doc.told('error'), { message: 'Message cannot be empty' });
  assert.deepEqual(await doc.ack('send_message', {}), { success: false, error: 'Failed to send message' });
});

test("the token's user counts, whatever the handshake says beside it", async () => {
  const relationId = await relation('doc', 'pat');
  const doc = connect('doc', relationId, { auth: { userId: 'pat' } });
  assert.equal((await doc.told('connected')).userId, 'doc');
});

test("the participant's role counts before the token's, and the client's word never", async () => {
  const relationId = 'relation-with-roles';
  await apps.rest('doc').createConversation(relationId, ['doc', 'nurse']);
  await apps.rest().call('PUT', `/v1/conversations/${relationId}/participants/nurse`, { role: 'assistant' });
  const nurse = connect('nurse', relationId, { auth: { token: token('nurse', { role: 'trainee' }), userRole: 'admin', role: 'admin' } });
  assert.equal((await nurse.told('connected')).userRole, 'assistant');
  nurse.emit('send_message', { text: 'as whom?' });
  assert.equal((await nurse.told('new_message')).message.senderRole, 'assistant');
  const elsewhere = await relation('nurse', 'doc');
  const trainee = connect('nurse', elsewhere, { auth: { token: token('nurse', { role: 'trainee' }) } });
  assert.equal((await trainee.told('connected')).userRole, 'trainee');
});

test('a connection without a relation is for notifications', async () => {
  const pat = new AppClient(`${apps.url}/clinic`, { query: { token: token('pat') }, transports: ['polling', 'websocket'] });
  assert.deepEqual(await pat.told('notification_connected'), {
    message: 'Connected successfully', userId: 'pat', userRole: 'patient', userName: 'Pat',
  });
  const notification = { message: 'Your results are in', actionHref: '/results', actionLabel: 'Open' };
  const made = await apps.rest().call('POST', '/api/notifications/broadcast', { userId: 'pat', notification });
  assert.equal(made.status, 200, JSON.stringify(made.body));
  const { notification: told } = await pat.told('new_notification');
  assert.deepEqual(told, { ...notification, id: told.id, createdAt: told.createdAt, isRead: false });
  const headers = { authorization: `Bearer ${token('pat')}`, 'content-type': 'application/json' };
  const body = JSON.stringify({ userId: 'doc', notification });
  const refused = await fetch(`${apps.url}/api/notifications/broadcast`, { method: 'POST', headers, body });
  assert.equal(refused.status, 403);
});

test('clients of any page can ask whether it is healthy before they connect, at both of its URLs', async () => {
  for (const path of ['/health', '/clinic/health']) {
    const answer = await fetch(apps.url + path, { headers: { origin: 'https://elsewhere.example' } });
    assert.equal(answer.headers.get('access-control-allow-origin'), '*', path);
    const { status, timestamp } = await answer.json();
    assert.equal(status, 'ok');
    assert.equal(new Date(timestamp).toISOString(), timestamp);
  }
});

test("a message of the application's backend reaches the sockets", async () => {
  const relationId = await relation('doc', 'pat');
  const doc = connect('doc', relationId);
  await doc.told('connected');
  await apps.rest('pat').expect(201, 'POST', `/v1/conversations/${relationId}/messages`, { content: 'from the backend' });
  assert.equal((await doc.told('new_message')).message.text, 'from the backend');
  const page = await apps.rest('pat').expect(200, 'GET', `/v1/conversations/${relationId}/messages?page=1&limit=10`);
  assert.equal(page.total, 1);
});
