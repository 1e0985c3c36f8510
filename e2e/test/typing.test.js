// Who is writing, over two gateways: told to the others, never to oneself, and over by itself or with what ends it.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Stack, UNLIMITED } from '../harness/stack.js';
import { until } from '../harness/wait.js';

let stack;

before(async () => {
  stack = await Stack.start({ name: 'typing', gatewayEnv: UNLIMITED });
});
after(() => stack?.stop());

const typed = (member) => member.received.filter(({ event }) => event.startsWith('typing:')).map(({ event }) => event);

/** Waits until bob was told so often that somebody stopped; how long that took. */
async function stops(bob, count) {
  const begun = Date.now();
  await until(`bob is told ${count} times that somebody stopped`, () => bob.events('typing:stopped').length >= count);
  return Date.now() - begun;
}

test('it is over by itself five seconds after the last start', async () => {
  const [alice, bob] = await stack.joined('forgotten', 'alice', 'bob');
  await alice.must('typing:start', { conversationId: 'forgotten' });
  const begun = Date.now();
  assert.deepEqual(await bob.told('typing:started'), {
    conversationId: 'forgotten', userId: 'alice', user: { id: 'alice', name: 'Alice' }, expiresInMs: 7_000,
  });
  await stops(bob, 1);
  assert.ok(Date.now() - begun >= 4_500, 'not before');
  assert.deepEqual(typed(bob), ['typing:started', 'typing:stopped']);
});

test('it ends with a message, with leaving and with the connection', async () => {
  const [alice, bob] = await stack.joined('ends', 'alice', 'bob');
  const conversationId = 'ends';
  const begins = async (count) => {
    await alice.must('typing:start', { conversationId });
    await until('bob is told that alice writes', () => bob.events('typing:started').length === count);
  };
  await begins(1);
  const { id } = await alice.say(conversationId, 'here it is');
  await stops(bob, 1);
  assert.ok(bob.events('message:created').some((message) => message.id === id), 'the message comes first');

  await begins(2);
  await alice.must('conversation:leave', { conversationId });
  assert.ok((await stops(bob, 2)) < 4_000);

  await alice.join(conversationId);
  await begins(3);
  alice.close();
  assert.ok((await stops(bob, 3)) < 4_000);
});

test('it ends when one is removed', async () => {
  const [alice, bob] = await stack.joined('removed', 'alice', 'bob');
  await alice.must('typing:start', { conversationId: 'removed' });
  await bob.told('typing:started');
  await stack.rest().expect(204, 'DELETE', '/v1/conversations/removed/participants/alice');
  assert.ok((await stops(bob, 1)) < 4_000);
});

test('no device of a user is told of his own writing, and a stop without a start is told to nobody', async () => {
  const [alice, bob] = await stack.joined('own', 'alice', 'bob');
  const devices = [];
  for (const index of [0, 1]) {
    const device = await stack.member('alice', { url: stack.gatewayUrl(index) });
    await device.join('own');
    devices.push(device);
  }
  await alice.must('typing:stop', { conversationId: 'own' });
  await alice.must('typing:start', { conversationId: 'own' });
  await alice.must('typing:stop', { conversationId: 'own' });
  // Behind all of it, from the gateway that said it.
  const { id } = await alice.say('own', 'marker');
  for (const member of [bob, ...devices]) await member.told('message:created', (message) => message.id === id);
  assert.deepEqual(typed(bob), ['typing:started', 'typing:stopped']);
  for (const device of [alice, ...devices]) assert.deepEqual(typed(device), []);
});

test('who comes while somebody goes on writing learns of it, and the others are not told with every key', async () => {
  const [alice, bob] = await stack.joined('late', 'alice', 'bob');
  await alice.must('typing:start', { conversationId: 'late' });
  await bob.told('typing:started');
  const late = await stack.member('bob', { url: stack.gatewayUrl(0) });
  await late.join('late');
  let starts = 1;
  await until('who came late is told', async () => {
    await alice.must('typing:start', { conversationId: 'late' });
    starts += 1;
    return late.events('typing:started').length > 0;
  });
  assert.ok(starts > 5, `${starts} starts`);
  await until('bob is told again', () => bob.events('typing:started').length === 2);
});
