// Whatever a client sends is answered with that command's error; its connection stays, and nothing is stored.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { RawWebSocket } from '../harness/raw_websocket.js';
import { Stack, UNLIMITED } from '../harness/stack.js';
import { until, within } from '../harness/wait.js';

const HERE = 'here';
const FOREIGN = 'foreign';
const MAX_CONTENT = 1_000_000;

let stack;
let alice;

before(async () => {
  stack = await Stack.start({ name: 'bad_input', gateways: 1, gatewayEnv: UNLIMITED });
  await stack.conversation(HERE, 'alice', 'bob');
  await stack.conversation(FOREIGN, 'bob', 'carol');
  alice = await stack.member('alice');
  await alice.join(HERE);
});
after(() => stack?.stop());

const send = (more) => ['message:send', { conversationId: HERE, content: 'text', ...more }];
const without = (field) => {
  const [event, payload] = send();
  delete payload[field];
  return [event, payload];
};
const longId = 'i'.repeat(300);
const invalid = 'invalid_payload';

const bad = {
  'no argument': [['message:send'], invalid],
  'null': [['message:send', null], invalid],
  'a number': [['message:send', 7], invalid],
  'a text': [['message:send', 'text'], invalid],
  'a list': [['message:send', [HERE, 'text']], invalid],
  'an empty object': [['message:send', {}], invalid],
  'a message without a conversation': [without('conversationId'), invalid],
  'a message without content': [without('content'), invalid],
  'content that is null': [send({ content: null }), invalid],
  'content that is a number': [send({ content: 7 }), invalid],
  'content that is an object': [send({ content: { text: 'text' } }), invalid],
  'empty content': [send({ content: '' }), 'content_blank'],
  'blank content': [send({ content: ' \t\n\u00a0\u3000' }), 'content_blank'],
  'content of one byte too many': [send({ content: 'a'.repeat(MAX_CONTENT + 1) }), 'content_too_large'],
  'content of too many bytes in fewer letters': [send({ content: 'ü'.repeat(MAX_CONTENT / 2 + 1) }), 'content_too_large'],
  'content with a null character': [send({ content: 'a\0b' }), invalid],
  'binary content': [send({ content: Buffer.from('text') }), invalid],
  'a binary conversation id': [send({ conversationId: Buffer.from(HERE) }), invalid],
  'binary in place of the arguments': [['message:send', Buffer.from('{}')], invalid],
  'a conversation id that is an object': [send({ conversationId: {} }), invalid],
  'an empty conversation id': [send({ conversationId: '' }), invalid],
  'a conversation id of 300 bytes': [send({ conversationId: longId }), invalid],
  'a client id of 300 bytes': [send({ clientId: longId }), invalid],
  'a client id that is a list': [send({ clientId: ['a'] }), invalid],
  'a type that is no word': [send({ type: 'a b' }), invalid],
  'a reply to what is no id': [send({ replyTo: 'nothing' }), invalid],
  'metadata that is a text': [send({ metadata: 'text' }), invalid],
  'metadata that is too large': [send({ metadata: { text: 'a'.repeat(20_000) } }), invalid],
  'metadata with a null character': [send({ metadata: { 'a\0b': 1 } }), invalid],
  'a message to a conversation one is not in': [send({ conversationId: FOREIGN }), 'not_a_participant'],
  'a message to a conversation that there is not': [send({ conversationId: 'nowhere' }), /^(not_a_participant|not_found)$/],
  'joining without a conversation': [['conversation:join', {}], invalid],
  'joining a conversation one is not in': [['conversation:join', { conversationId: FOREIGN }], 'not_a_participant'],
  'joining a conversation with an id of 300 bytes': [['conversation:join', { conversationId: longId }], invalid],
  'the history of a conversation one is not in': [['message:history', { conversationId: FOREIGN }], 'not_a_participant'],
  'history both before and after': [['message:history', { conversationId: HERE, before: 5, after: 1 }], invalid],
  'history before a text': [['message:history', { conversationId: HERE, before: 'yesterday' }], invalid],
  'history after a negative number': [['message:history', { conversationId: HERE, after: -1 }], invalid],
  'history of no messages': [['message:history', { conversationId: HERE, limit: 0 }], invalid],
  'history of too many messages': [['message:history', { conversationId: HERE, limit: 100_000 }], invalid],
  'a receipt for nothing': [['receipt:read', {}], invalid],
  'a receipt for what is no id': [['receipt:read', { conversationId: HERE, messageIds: ['nothing'] }], invalid],
  'a receipt for a text': [['receipt:delivered', { conversationId: HERE, messageIds: 'all' }], invalid],
  'a receipt for a fraction': [['receipt:read', { conversationId: HERE, seq: 1.5 }], invalid],
  'a receipt in a conversation one is not in': [['receipt:read', { conversationId: FOREIGN, seq: 1 }], 'not_a_participant'],
  'typing nowhere': [['typing:start', {}], invalid],
  'typing in a conversation one is not in': [['typing:start', { conversationId: FOREIGN }], 'not_a_participant'],
  'an echo that is too large': [['echo', 'a'.repeat(100_000)], invalid],
  'an unknown event': [['message:sned', { conversationId: HERE, content: 'text' }], 'unknown_event'],
  'an event with a name of 10,000 letters': [['e'.repeat(10_000), {}], 'unknown_event'],
};

for (const [what, [command, code]] of Object.entries(bad)) {
  test(`${what} is answered with the command's error`, async () => {
    assert.ok(alice.socket.connected);
    const reply = await alice.command(...command);
    assert.equal(reply.ok, false);
    if (typeof code === 'string') assert.equal(reply.error.code, code);
    else assert.match(reply.error.code, code);
    assert.equal(reply.error.retryable, false);
    assert.ok(reply.error.message.length > 0 && reply.error.message.length < 500, reply.error.message);
    assert.ok(reply.message === undefined);
  });
}

test('after all that the connection is the same, nobody was told anything, and nothing is stored', async () => {
  const bob = await stack.member('bob');
  await bob.join(HERE);
  const first = await alice.say(HERE, 'the first that counts');
  await bob.told('message:created', ({ id }) => id === first.id);
  assert.equal(first.seq, 1);
  assert.deepEqual([alice.connects, alice.disconnects], [1, []]);
  assert.deepEqual(bob.messages(HERE).map(({ id }) => id), [first.id]);
  await until('the first is in Postgres', async () => (await stack.database.messages(HERE)).length > 0);
  const stored = await stack.database.rows('SELECT id FROM messages');
  assert.deepEqual(stored.map(({ id }) => id), [first.id]);
  const cursors = await stack.database.rows('SELECT * FROM participants WHERE delivered_seq > 0 OR read_seq > 0');
  assert.deepEqual(cursors, []);
  const known = await stack.database.rows('SELECT id FROM conversations ORDER BY id');
  assert.deepEqual(known.map(({ id }) => id), [FOREIGN, HERE]);
  bob.close();
});

test('commands without an acknowledgement, well-formed or not, leave the connection alone', async () => {
  alice.socket.emit('message:send');
  alice.socket.emit('message:send', { conversationId: FOREIGN, content: 'text' });
  alice.socket.emit('no:such:event', Buffer.alloc(10), [[]]);
  alice.socket.emit('ping');
  assert.deepEqual((await alice.must('echo', 'still here')).echo, 'still here');
  assert.deepEqual([alice.connects, alice.disconnects], [1, []]);
});

test('content of the largest size passes, whatever its letters are', async () => {
  const letters = 'ü'.repeat(MAX_CONTENT / 2);
  const message = await alice.say(HERE, letters);
  assert.equal(message.content, letters);
  const [{ content }] = (await alice.must('message:history', { conversationId: HERE, limit: 1 })).messages;
  assert.equal(content, letters);
});

test('a WebSocket frame that is too large ends that connection, and no other', async () => {
  const { port } = stack.gateways[0];
  const raw = await RawWebSocket.connect(port, stack.token('alice'));
  assert.equal((await raw.command('echo', 'hello')).ok, true);
  raw.sendFrameOf(8 * 1024 * 1024);
  await within(10_000, 'the connection ends', raw.ended);
  assert.equal((await alice.must('echo', 'still here')).echo, 'still here');
  assert.deepEqual([alice.connects, alice.disconnects], [1, []]);
});

const packets = {
  'JSON that is cut off': '42["message:send",{"conversationId":"he',
  'JSON that is no event': '42{"message":"send"}',
  'an event without a name': '42[]',
  'an event whose name is a number': '42[7,{}]',
  'JSON that is nested 10,000 deep': `420["echo",${'['.repeat(10_000)}${']'.repeat(10_000)}]`,
  'a binary event without its attachment': '451-0["message:send",{"_placeholder":true,"num":0}]',
  'a binary event with more attachments than anybody has': '4599999999999999999999-["echo"]',
  'an acknowledgement of nothing': '4399999999999999999999["ok"]',
  'an unknown type of packet': '49["message:send"]',
  'an unknown type of frame': 'x',
  'an upgrade of what is a WebSocket': '5',
  'an empty frame': '',
};
for (const [what, packet] of Object.entries(packets)) {
  test(`${what} harms no other connection`, async () => {
    const raw = await RawWebSocket.connect(stack.gateways[0].port, stack.token('alice'));
    raw.send(packet);
    // It may end this connection or be passed over; either way the gateway goes on.
    raw.send('420["echo","after"]');
    await until('the packet is dealt with', () => !raw.open || raw.texts.some((text) => text.startsWith('430')) || raw.closeCode)
      .catch(() => {});
    raw.close();
    assert.equal((await alice.must('echo', 'still here')).echo, 'still here');
    assert.deepEqual([alice.connects, alice.disconnects], [1, []]);
  });
}

test('REST answers bad requests with the same codes', async () => {
  const rest = stack.rest('alice');
  const messages = `/v1/conversations/${HERE}/messages`;
  const cases = [
    [await rest.call('POST', messages, {}), 400, invalid],
    [await rest.call('POST', messages, { content: ' ' }), 400, 'content_blank'],
    [await rest.call('POST', messages, { content: 'a'.repeat(MAX_CONTENT + 1) }), 413, 'content_too_large'],
    [await rest.call('POST', `/v1/conversations/${FOREIGN}/messages`, { content: 'text' }), 403, 'not_a_participant'],
    [await rest.call('GET', `/v1/conversations/${FOREIGN}/messages`), 403, 'not_a_participant'],
    [await rest.call('POST', '/v1/conversations', { id: longId, participants: ['alice'] }), 400, invalid],
    [await rest.call('POST', '/v1/conversations', { participants: 'alice' }), 400, invalid],
  ];
  for (const [{ status, body }, expected, code] of cases) {
    assert.deepEqual([status, body?.code], [expected, code]);
  }
  rest.serviceKey = 'a-wrong-key';
  assert.equal((await rest.call('POST', messages, { content: 'text' })).status, 401);
  assert.equal((await fetch(stack.gatewayUrl(0) + messages)).status, 401);
});
