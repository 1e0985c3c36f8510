// A session: as long as its token, renewed before it ends, and gone on with after an absence.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Stack, UNLIMITED } from '../harness/stack.js';
import { until } from '../harness/wait.js';

let stack;

before(async () => {
  stack = await Stack.start({ name: 'sessions', gatewayEnv: { ...UNLIMITED, PARLANCE__AUTH__LEEWAY: '0s' } });
});
after(() => stack?.stop());

/** A token that ends in so many seconds. */
const ending = (user, seconds) => stack.token(user, { exp: Date.now() / 1000 + seconds });
const offsets = (member) => member.events('message:created').map(({ offset }) => offset);

test('a socket is told that its token ends, goes on with a newer one, and is disconnected without', async () => {
  const claims = { exp: Date.now() / 1000 + 4 };
  const [renews, lets] = [await stack.member('alice', { claims }), await stack.member('alice', { claims, url: stack.gatewayUrl(1) })];
  for (const member of [renews, lets]) {
    const { expiresAt, expiresInMs } = await member.told('session:expiring');
    assert.match(expiresAt, /^\d{4}-.*Z$/);
    assert.ok(expiresInMs > 0 && expiresInMs <= 4000, `${expiresInMs}`);
  }
  const foreign = await renews.command('session:authenticate', { token: ending('bob', 600) });
  assert.deepEqual([foreign.ok, foreign.error.code], [false, 'forbidden']);
  const { expiresAt } = await renews.must('session:authenticate', { token: ending('alice', 600) });
  assert.ok(Date.parse(expiresAt) > Date.now() + 500_000);

  await until('the other one has ended', () => lets.disconnects.length > 0);
  assert.deepEqual(lets.disconnects, ['io server disconnect'], 'it does not come back with a token that is over');
  assert.equal(lets.events('error')[0].code, 'token_expired');
  assert.equal((await renews.command('ping')).ok, true);
  assert.deepEqual(renews.disconnects, []);
});

test('a client that was away goes on from its last offset, at another gateway', async () => {
  const [alice, bob] = await stack.joined('away', 'alice', 'bob');
  const first = await alice.say('away', 'first');
  await bob.told('message:created');
  bob.socket.disconnect();
  const missed = [];
  for (const content of ['second', 'third']) missed.push(await alice.say('away', content));
  await alice.must('reaction:add', { messageId: first.id, emoji: '👋' });

  const back = await stack.member('bob', { url: stack.gatewayUrl(0) });
  const { conversations } = await back.must('session:resume', { conversations: { away: { epoch: first.epoch, offset: first.offset } } });
  const { offset, ...rest } = conversations[0];
  assert.deepEqual(rest, { conversationId: 'away', recovered: true, epoch: 1, seq: 3, error: null });
  assert.equal(conversations.length, 1);
  assert.deepEqual(back.events('message:created'), missed, 'what was missed came before the answer');
  assert.equal(back.events('reaction:updated')[0].offset, offset);
  const next = await alice.say('away', 'fourth');
  await back.told('message:created', ({ id }) => id === next.id);
  assert.deepEqual(offsets(back), [...missed, next].map((message) => message.offset));
});

test('who has left a conversation hears nothing more of it until he joins again', async () => {
  const [alice, bob] = await stack.joined('left', 'alice', 'bob');
  assert.deepEqual(await bob.must('conversation:leave', { conversationId: 'left' }), { ok: true, conversationId: 'left' });
  await alice.say('left', 'unheard');
  await bob.join('left');
  const heard = await alice.say('left', 'heard');
  await bob.told('message:created');
  assert.deepEqual(offsets(bob), [heard.offset]);
});
