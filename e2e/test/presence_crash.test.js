// A gateway is killed: its users go offline within the ttl, once, and whoever has another device stays online.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Stack, UNLIMITED } from '../harness/stack.js';
import { until } from '../harness/wait.js';

const TTL = 2_000;
const SWEEP = 200;
// Machines that test are slow; users of a dead gateway must still not stay.
const SLACK = 5_000;
const PRESENCE = { PARLANCE__PRESENCE__TTL: `${TTL}ms`, PARLANCE__PRESENCE__SWEEP_INTERVAL: `${SWEEP}ms` };

// Of a gateway that has died nobody comes back by himself here.
const STAY_AWAY = { reconnection: false };

let stack;

before(async () => {
  stack = await Stack.start({
    name: 'presence_crash',
    gatewayEnv: { ...UNLIMITED, ...PRESENCE },
    workerEnv: PRESENCE,
  });
});
after(() => stack?.stop());

const online = async () => (await stack.rest().expect(200, 'GET', '/v1/presence')).presences.map(({ userId }) => userId).sort();
const offline = (member, user) => member.events('presence:changed').filter(({ userId, status }) => userId === user && status === 'offline');
const left = (member, user) => member.events('member:left').filter(({ userId }) => userId === user);

/** Alice at the gateway that lives; Bob, and Carol with one of her two devices, at the one that will die. */
async function talk(conversation) {
  await stack.conversation(conversation, 'alice', 'bob', 'carol');
  const doomed = stack.gateways.at(-1);
  const members = [
    await stack.member('alice'),
    await stack.member('bob', { url: doomed.url, ...STAY_AWAY }),
    await stack.member('carol', { url: doomed.url, ...STAY_AWAY }),
    await stack.member('carol'),
  ];
  for (const member of members) await member.join(conversation);
  const [alice] = members;
  for (const user of ['bob', 'carol']) {
    await alice.told('member:joined', ({ userId }) => userId === user);
    await alice.told('presence:changed', ({ userId, status }) => userId === user && status === 'online');
  }
  await until('all three are online', async () => (await online()).join() === 'alice,bob,carol');
  return { alice, doomed, members };
}

/** What is announced after something else was, is announced by now. */
async function afterwards(conversation, alice) {
  const path = `/v1/conversations/${conversation}/participants/dave`;
  await stack.rest('alice').call('PUT', path);
  const dave = await stack.member('dave');
  await dave.join(conversation);
  // Who is gone before anybody was told of him is not announced at all.
  await alice.told('presence:changed', ({ userId, status }) => userId === 'dave' && status === 'online');
  dave.close();
  await alice.told('presence:changed', ({ userId, status }) => userId === 'dave' && status === 'offline');
  await alice.told('member:left', ({ userId }) => userId === 'dave');
}

test('the users of a killed gateway go offline within the ttl, once, and a second device keeps its user online', async () => {
  const { alice, doomed, members } = await talk('killed');
  await doomed.program.kill();
  const killed = Date.now();
  const gone = await alice.told('presence:changed', ({ userId, status }) => userId === 'bob' && status === 'offline', TTL + SWEEP + SLACK);
  await alice.told('member:left', ({ userId }) => userId === 'bob', killed + TTL + SWEEP + SLACK - Date.now());
  assert.ok(new Date(gone.lastSeen).getTime() >= killed - 1, 'he was there when his gateway died');

  assert.deepEqual(await online(), ['alice', 'carol']);
  await afterwards('killed', alice);
  assert.deepEqual([offline(alice, 'bob').length, left(alice, 'bob').length], [1, 1]);
  assert.deepEqual([offline(alice, 'carol'), left(alice, 'carol')], [[], []]);
  const { status } = await stack.rest().expect(200, 'GET', '/v1/users/bob/presence');
  assert.equal(status, 'offline');
  await until('when Bob was last seen is in Postgres', async () => {
    const [row] = await stack.database.rows('SELECT last_seen_at FROM users WHERE id = $1', 'bob');
    return row?.last_seen_at?.toISOString() === gone.lastSeen;
  });
  for (const member of members) member.close();
});

test('while no worker runs nobody reads them as online, and the next worker tells the others', async () => {
  await stack.startGateway();
  await until('nobody is left of the test before', async () => (await online()).length === 0);
  const { alice, doomed, members } = await talk('unattended');
  const { code } = await stack.workers.at(-1).program.stop();
  assert.equal(code, 0);
  await doomed.program.kill();
  await until('nobody reads Bob as online', async () => (await online()).join() === 'alice,carol', TTL + SLACK);
  assert.deepEqual(offline(alice, 'bob'), [], 'nobody has told Alice');
  const here = await alice.must('presence:get', { userIds: ['bob', 'carol'] });
  assert.deepEqual(here.presences.map(({ status }) => status), ['offline', 'online']);
  const there = await alice.must('member:list', { conversationId: 'unattended' });
  assert.deepEqual([...there.members].sort(), ['alice', 'carol']);

  await stack.startWorker();
  // It waits for one ttl first: for all it knows, Redis was away.
  await alice.told('presence:changed', ({ userId, status }) => userId === 'bob' && status === 'offline', 2 * TTL + SWEEP + SLACK);
  await alice.told('member:left', ({ userId }) => userId === 'bob');
  await afterwards('unattended', alice);
  assert.deepEqual([offline(alice, 'bob').length, left(alice, 'bob').length], [1, 1]);
  assert.deepEqual([offline(alice, 'carol'), left(alice, 'carol')], [[], []]);
  for (const member of members) member.close();
});
