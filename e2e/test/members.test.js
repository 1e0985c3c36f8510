// Who is in a conversation, as real clients at two gateways see it: told once a user, listed on join, right after gateways end.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Stack, UNLIMITED } from '../harness/stack.js';
import { until } from '../harness/wait.js';

let stack;

before(async () => {
  stack = await Stack.start({
    name: 'members',
    gatewayEnv: { ...UNLIMITED, PARLANCE__PRESENCE__TTL: '3s', PARLANCE__PRESENCE__LINGER: '3s' },
    workerEnv: { PARLANCE__PRESENCE__TTL: '3s', PARLANCE__PRESENCE__SWEEP_INTERVAL: '200ms' },
  });
});
after(() => stack?.stop());

const at = (gateway) => ({ url: stack.gatewayUrl(gateway) });
/** Who came and who went, in a conversation, as a member was told. */
const told = (member, conversationId) =>
  member.received
    .filter(({ event, payload }) => event.startsWith('member:') && payload.conversationId === conversationId)
    .map(({ event, payload }) => `${payload.userId} ${event === 'member:joined' ? 'came' : 'went'}`);
const list = (member, conversationId) => member.must('member:list', { conversationId });

test('a user comes with the first device and goes with the last one, and nobody is told of himself', async () => {
  const c = await stack.conversation('devices', 'alice', 'bob', 'carol');
  const alice = await stack.member('alice', at(0));
  const first = await alice.join(c);
  assert.deepEqual([first.members, first.memberCount], [['alice'], 1]);
  const phone = await stack.member('bob', at(1));
  await phone.join(c);
  const { user } = await alice.told('member:joined');
  assert.deepEqual(user, { id: 'bob', name: 'Bob' });
  const laptop = await stack.member('bob', at(0));
  const second = await laptop.join(c);
  assert.deepEqual([second.members, second.memberCount], [['alice', 'bob'], 2]);
  phone.close();
  await laptop.must('conversation:leave', { conversationId: c });
  await alice.told('member:left');
  const carol = await stack.member('carol', at(1));
  await carol.join(c);
  await alice.told('member:joined', ({ userId }) => userId === 'carol');
  assert.deepEqual(told(alice, c), ['bob came', 'bob went', 'carol came']);
  assert.deepEqual([told(phone, c), told(carol, c)], [[], []]);
  // Who left hears nothing more, and may look.
  assert.deepEqual((await list(laptop, c)).members, ['alice', 'carol']);
  const rest = await stack.rest('bob').expect(200, 'GET', `/v1/conversations/${c}/members`);
  assert.deepEqual(rest, { conversationId: c, members: ['alice', 'carol'], memberCount: 2 });
});

test('what a client made of its list and the events is who is there, while everybody comes and goes', async () => {
  const names = Array.from({ length: 20 }, (_, n) => `m${String(n).padStart(2, '0')}`);
  const c = await stack.conversation('rush', ...names);
  const members = await Promise.all(names.map((name, n) => stack.member(name, at(n))));
  await Promise.all(members.map(async (member, n) => {
    for (let round = 0; round < n % 3; round += 1) {
      await member.join(c);
      await member.must('conversation:leave', { conversationId: c });
    }
    member.seen = new Set();
    // From the answer on, as applications do it: socket.io-client calls it in its place among the events.
    await new Promise((resolve) => {
      member.socket.emit('conversation:join', { conversationId: c }, ({ members: listed }) => {
        member.seen = new Set(listed);
        member.socket.on('member:joined', ({ userId }) => member.seen.add(userId));
        member.socket.on('member:left', ({ userId }) => member.seen.delete(userId));
        resolve();
      });
    });
  }));
  const there = new Set(names);
  for (const member of members.slice(0, 5)) {
    there.delete(member.user);
    if (member.user > 'm02') member.close();
    else await member.must('conversation:leave', { conversationId: c });
  }
  for (const member of members.slice(5)) {
    await until(`${member.user} sees who is there`, () => [...member.seen].sort().join() === [...there].sort().join());
  }
});

test('a gateway that ends in good order sends nobody away who is back in time', async () => {
  const c = await stack.conversation('drain', 'alice', 'bob', 'carol');
  const alice = await stack.member('alice', at(0));
  await alice.join(c);
  const leaving = await stack.startGateway();
  const [bob, carol] = await Promise.all(['bob', 'carol'].map((user) => stack.member(user, { url: leaving.url, reconnection: false })));
  await bob.join(c);
  await carol.join(c);
  await alice.told('member:joined', ({ userId }) => userId === 'carol');
  await leaving.program.stop();
  const back = await stack.member('bob', at(1));
  await back.join(c);
  await alice.told('member:left');
  assert.deepEqual(told(alice, c), ['bob came', 'carol came', 'carol went']);
  assert.deepEqual((await list(alice, c)).members, ['alice', 'bob']);
});

test('who was at a gateway that was killed goes when its lease is over', async () => {
  const c = await stack.conversation('killed', 'alice', 'bob');
  const alice = await stack.member('alice', at(0));
  await alice.join(c);
  const dying = await stack.startGateway();
  const bob = await stack.member('bob', { url: dying.url, reconnection: false });
  await bob.join(c);
  await alice.told('member:joined');
  await dying.program.kill();
  await alice.told('member:left', ({ userId }) => userId === 'bob', 15_000);
  assert.deepEqual((await list(alice, c)).members, ['alice']);
});

test('the numbers of all gateways are those of their clients', async () => {
  const rest = stack.rest();
  const counted = async () => {
    const { connected, gateways } = await rest.expect(200, 'GET', '/v1/stats');
    const sum = gateways.reduce((sum, gateway) => sum + gateway.connected, 0);
    assert.equal(sum, connected);
    return { connected, gateways: gateways.length };
  };
  // What the tests before left behind settles first.
  await until('two gateways are listed', async () => (await counted()).gateways === 2, 20_000);
  const { connected: before } = await counted();
  const members = await Promise.all([0, 1, 1].map((gateway, n) => stack.member(`s${n}`, at(gateway))));
  await until('three more are connected', async () => (await counted()).connected === before + 3);
  for (const member of members) member.close();
  await until('they are gone', async () => (await counted()).connected === before);
  const { status, body } = await stack.rest().call('GET', '/v1/stats?fresh=1');
  assert.deepEqual([status, body.code], [400, 'invalid_payload']);
});
