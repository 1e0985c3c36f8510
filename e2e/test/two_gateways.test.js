// Two gateways, each with its own clients, are one system: everybody sees the same, in the same order, once.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { assertSameOrder } from '../harness/order.js';
import { Stack, UNLIMITED } from '../harness/stack.js';
import { until } from '../harness/wait.js';

let stack;

before(async () => {
  stack = await Stack.start({ name: 'two_gateways', gatewayEnv: UNLIMITED });
});
after(() => stack?.stop());

test('clients of two gateways talk to each other', async () => {
  const conversation = await stack.conversation('talk', 'alice', 'bob');
  const alice = await stack.member('alice', { url: stack.gatewayUrl(0) });
  const bob = await stack.member('bob', { url: stack.gatewayUrl(1) });
  await alice.join(conversation);
  await bob.join(conversation);

  const asked = await alice.say(conversation, 'Is anybody there?', { clientId: 'a-1', metadata: { mood: 'curious' } });
  assert.deepEqual(await bob.told('message:created'), asked);
  assert.equal(asked.conversationId, conversation);
  assert.equal(asked.senderId, 'alice');
  assert.equal(asked.sender.name, 'Alice');
  assert.equal(asked.type, 'text');
  assert.equal(asked.clientId, 'a-1');
  assert.equal(asked.seq, 1);
  assert.match(asked.createdAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

  const answered = await bob.say(conversation, 'I am.', { replyTo: asked.id });
  assert.deepEqual(await alice.told('message:created'), answered);
  assert.equal(answered.replyTo, asked.id);
  assert.equal(answered.seq, 2);
  assert.deepEqual(alice.messages(conversation).map(({ id }) => id), [answered.id], 'nobody gets his own message');

  await alice.must('typing:start', { conversationId: conversation });
  assert.equal((await bob.told('typing:started')).userId, 'alice');
  await alice.must('typing:stop', { conversationId: conversation });
  assert.equal((await bob.told('typing:stopped')).userId, 'alice');
});

test('1,000 messages of 20 senders reach every member in one order, without loss or repetition', async () => {
  const names = Array.from({ length: 20 }, (_, index) => `sender-${index}`);
  const conversation = await stack.conversation('crowd', ...names, 'watcher-0', 'watcher-1');
  const connect = (user, index) => stack.member(user, { url: stack.gatewayUrl(index) });
  const senders = await Promise.all(names.map(connect));
  const watchers = await Promise.all(['watcher-0', 'watcher-1'].map(connect));
  const members = [...senders, ...watchers];
  await Promise.all(members.map((member) => member.join(conversation)));

  const numbers = Array.from({ length: 50 }, (_, number) => number);
  const sent = await Promise.all(
    senders.flatMap((sender) => numbers.map((number) => sender.say(conversation, `${sender.user} says ${number}`))),
  );
  const all = sent.sort((a, b) => a.seq - b.seq);
  assert.deepEqual(all.map(({ seq }) => seq), Array.from({ length: 1000 }, (_, index) => index + 1));

  await assertSameOrder(members, conversation, all);
  for (const sender of senders) {
    const own = all.filter(({ senderId }) => senderId === sender.user).map(({ content }) => content);
    assert.deepEqual(own, numbers.map((number) => `${sender.user} says ${number}`), 'in the order in which it was sent');
  }

  const read = all.map((message) => ({ ...message, reactions: [] }));
  assert.deepEqual(await watchers[0].historyAfter(conversation, 0), read, 'history is the same, wherever it is read');
  assert.deepEqual(await stack.rest('watcher-0', stack.gatewayUrl(1)).history(conversation), read);
  await until('all of them are in Postgres', async () => (await stack.database.messages(conversation)).length === 1000);
  const stored = await stack.database.messages(conversation);
  assert.deepEqual(stored.map(({ id, seq, content }) => [id, Number(seq), content]), all.map(({ id, seq, content }) => [id, seq, content]));
  for (const member of members) assert.deepEqual(member.disconnects, []);
});

test('a message sent twice under one client id is one message', async () => {
  const conversation = await stack.conversation('once', 'alice', 'bob');
  const alice = await stack.member('alice', { url: stack.gatewayUrl(0) });
  const elsewhere = await stack.member('alice', { url: stack.gatewayUrl(1) });
  const bob = await stack.member('bob', { url: stack.gatewayUrl(1) });
  await Promise.all([alice, elsewhere, bob].map((member) => member.join(conversation)));

  const again = { clientId: 'the-same' };
  const first = await alice.say(conversation, 'once', again);
  const repeated = await Promise.all([
    alice.say(conversation, 'once', again),
    elsewhere.say(conversation, 'once', again),
    stack.rest('alice').expect(201, 'POST', `/v1/conversations/${conversation}/messages`, { content: 'once', ...again }),
  ]);
  for (const message of repeated) assert.deepEqual(message, first);
  const others = await bob.say(conversation, 'his own', again);
  assert.notEqual(others.id, first.id, 'a client id is its user\'s own');

  const last = await alice.say(conversation, 'the last');
  await bob.told('message:created', ({ id }) => id === last.id);
  assert.deepEqual(bob.messages(conversation).map(({ id }) => id), [first.id, last.id]);
  await until('three messages are in Postgres', async () => (await stack.database.messages(conversation)).length === 3);
});

test('messages and receipts are in Postgres, and the others hear of receipts', async () => {
  const conversation = await stack.conversation('receipts', 'alice', 'bob');
  const alice = await stack.member('alice', { url: stack.gatewayUrl(0) });
  const bob = await stack.member('bob', { url: stack.gatewayUrl(1) });
  await alice.join(conversation);
  await bob.join(conversation);
  const messages = [];
  for (const content of ['one', 'two', 'three']) messages.push(await alice.say(conversation, content, { metadata: { content } }));

  await bob.must('receipt:delivered', { conversationId: conversation, messageIds: messages.map(({ id }) => id) });
  assert.equal((await alice.told('receipt:delivered', ({ seq }) => seq === 3)).userId, 'bob');
  await bob.must('receipt:read', { conversationId: conversation, seq: 2 });
  assert.equal((await alice.told('receipt:read', ({ seq }) => seq === 2)).userId, 'bob');

  const cursors = async (user) => {
    const query = 'SELECT delivered_seq, read_seq, delivered_at, read_at FROM participants WHERE conversation_id = $1 AND user_id = $2';
    const [row] = await stack.database.rows(query, conversation, user);
    return row;
  };
  const stored = await until('the receipts are in Postgres', async () => {
    const row = await cursors('bob');
    return Number(row.delivered_seq) === 3 && Number(row.read_seq) === 2 && row;
  });
  assert.ok(stored.delivered_at && stored.read_at);

  // A cursor never goes back: Alice's, which is written after it, tells when Bob's older one has been looked at.
  await bob.must('receipt:read', { conversationId: conversation, seq: 1 });
  await alice.must('receipt:read', { conversationId: conversation, seq: 3 });
  await until('the receipt of alice is in Postgres', async () => Number((await cursors('alice')).read_seq) === 3);
  assert.equal(Number((await cursors('bob')).read_seq), 2);

  const rows = await stack.database.messages(conversation);
  assert.deepEqual(
    rows.map(({ id, seq, sender_id, type, content, metadata }) => ({ id, seq: Number(seq), sender_id, type, content, metadata })),
    messages.map(({ id, seq, content }) => ({ id, seq, sender_id: 'alice', type: 'text', content, metadata: { content } })),
  );
});

test('who is added may take part from then on, who is removed no longer', async () => {
  const conversation = await stack.conversation('guests', 'alice', 'bob');
  const alice = await stack.member('alice', { url: stack.gatewayUrl(0) });
  const carol = await stack.member('carol', { url: stack.gatewayUrl(1) });
  await alice.join(conversation);
  const refused = await carol.command('conversation:join', { conversationId: conversation });
  assert.equal(refused.error.code, 'not_a_participant');

  const place = `/v1/conversations/${conversation}/participants/carol`;
  const added = await stack.rest('alice', stack.gatewayUrl(0)).call('PUT', place);
  assert.equal(added.status, 201);
  await carol.join(conversation);
  const hello = await carol.say(conversation, 'Hello');
  await alice.told('message:created', ({ id }) => id === hello.id);

  const removed = await stack.rest('alice', stack.gatewayUrl(0)).call('DELETE', place);
  assert.equal(removed.status, 204);
  const silenced = await carol.command('message:send', { conversationId: conversation, content: 'Still here' });
  assert.equal(silenced.error.code, 'not_a_participant');
  const secret = await alice.say(conversation, 'Now that she is gone');
  const bob = await stack.member('bob', { url: stack.gatewayUrl(1) });
  await bob.join(conversation);
  const last = await alice.say(conversation, 'Welcome, Bob');
  await bob.told('message:created', ({ id }) => id === last.id);
  assert.ok(!carol.messages(conversation).some(({ id }) => id === secret.id || id === last.id));
});
