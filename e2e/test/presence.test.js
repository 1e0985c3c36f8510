// Who is online, over two gateways: from the first device to the last one, with a status, told where people meet or, in
// a dialect that asks for it, to everybody.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { Stack, UNLIMITED } from '../harness/stack.js';
import { until } from '../harness/wait.js';

/** In this dialect everybody is told of everybody who speaks it. */
const LOBBY = `
name = "lobby"
answer.ack = { ok = true }
failure.ack = { ok = false }
behaviour.presence = "everyone"
[[inbound]]
event = "status"
command = "presence.set"
fields.status = "status"
[[outbound]]
on = "session.ready"
event = "session:ready"
[[outbound]]
on = "presence.changed"
event = "presence:changed"
audience = "others"
payload.userId = "{userId}"
payload.status = "{status}"
`;

let stack, folder;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'parlance-presence-'));
  writeFileSync(join(folder, 'lobby.toml'), LOBBY);
  // A worker that has just started waits for the ttl before it removes anybody.
  const presence = {
    PARLANCE__PRESENCE__TTL: '4s', PARLANCE__PRESENCE__LINGER: '1s', PARLANCE__PRESENCE__SWEEP_INTERVAL: '200ms',
  };
  stack = await Stack.start({
    name: 'presence',
    gatewayEnv: { ...UNLIMITED, ...presence, PARLANCE__GATEWAY__DIALECTS_FOLDER: folder },
    workerEnv: presence,
  });
});
after(async () => {
  await stack?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const at = (gateway) => ({ url: stack.gatewayUrl(gateway) });
const inLobby = (gateway) => ({ ...at(gateway), query: { dialect: 'lobby' } });

/** What somebody was told of a user. */
const told = (member, user) =>
  member.events('presence:changed').filter(({ userId }) => userId === user).map(({ status }) => status);
const toldOf = (member, user, ...statuses) =>
  until(`${member.user} is told that ${user} is ${statuses}`, () => told(member, user).join() === statuses.join());
const seen = (user) => stack.rest(undefined, stack.gatewayUrl(1)).expect(200, 'GET', `/v1/users/${user}/presence`);

test('a user is online from the first device to the last one, whatever the gateways', async () => {
  const c = await stack.conversation('devices', 'alice', 'bob');
  const alice = await stack.member('alice', at(0));
  await alice.join(c);
  const devices = [];
  for (const gateway of [0, 1, 1]) {
    const device = await stack.member('bob', at(gateway));
    await device.join(c);
    devices.push(device);
  }
  await toldOf(alice, 'bob', 'online');
  const { sessions } = await stack.rest().expect(200, 'GET', '/v1/users/bob/sessions');
  assert.deepEqual(sessions.map(({ sessionId }) => sessionId).sort(), devices.map((device) => device.events('session:ready')[0].sessionId).sort());
  devices.shift().close();
  devices.shift().close();
  await until('one is left', async () => (await stack.rest().expect(200, 'GET', '/v1/users/bob/sessions')).sessions.length === 1);
  await devices[0].must('presence:set', { status: 'busy' });
  await toldOf(alice, 'bob', 'online', 'busy');
  devices[0].close();
  await toldOf(alice, 'bob', 'online', 'busy', 'offline');
  const { status, lastSeen } = await seen('bob');
  assert.equal(status, 'offline');
  assert.equal(lastSeen, alice.events('presence:changed').at(-1).lastSeen);
  // A worker stores it.
  await until('it is stored', async () => {
    const [row] = await stack.database.rows("SELECT last_seen_at FROM users WHERE id = 'bob'");
    return row?.last_seen_at?.toISOString() === lastSeen;
  });
  assert.equal((await seen('bob')).lastSeen, lastSeen);
  alice.close();
});

test('who does not want to be seen is offline for everybody, and there for himself', async () => {
  const c = await stack.conversation('hidden', 'carol', 'dave');
  const [carol, dave] = [await stack.member('carol', at(0)), await stack.member('dave', at(1))];
  await carol.join(c);
  await dave.join(c);
  await toldOf(carol, 'dave', 'online');
  await dave.must('presence:set', { status: 'offline' });
  await toldOf(carol, 'dave', 'online', 'offline');
  const { presences } = await carol.must('presence:get', { userIds: ['dave', 'carol'] });
  assert.deepEqual(presences.map(({ status }) => status), ['offline', 'online']);
  const { presences: online } = await stack.rest().expect(200, 'GET', '/v1/presence');
  assert.deepEqual(online.map(({ userId }) => userId), ['carol']);
  const message = await dave.say(c, 'still here');
  await carol.told('message:created', ({ id }) => id === message.id);
  await dave.must('presence:set', { status: 'online' });
  await toldOf(carol, 'dave', 'online', 'offline', 'online');
  carol.close();
  dave.close();
});

test('where everybody is told, it takes no conversation', async () => {
  const watcher = await stack.member('watcher', inLobby(0));
  const erin = await stack.member('erin', inLobby(1));
  await toldOf(watcher, 'erin', 'online');
  await erin.command('status', { status: 'away' });
  await toldOf(watcher, 'erin', 'online', 'away');
  // Another dialect is told in its conversations, and tells nobody here.
  const frank = await stack.member('frank', at(1));
  await until('frank is online', async () => (await seen('frank')).status === 'online');
  erin.close();
  await toldOf(watcher, 'erin', 'online', 'away', 'offline');
  assert.deepEqual(told(watcher, 'frank'), []);
  assert.deepEqual(told(watcher, 'watcher'), []);
  for (const member of [watcher, frank]) member.close();
});

test('who is back before a gateway that ended is forgotten never went offline', async () => {
  const watcher = await stack.member('watcher', inLobby(0));
  const leaving = await stack.startGateway();
  const options = { url: leaving.url, query: { dialect: 'lobby' }, reconnection: false };
  const [grace, heidi] = [await stack.member('grace', options), await stack.member('heidi', options)];
  await toldOf(watcher, 'grace', 'online');
  await toldOf(watcher, 'heidi', 'online');
  const stopped = leaving.program.stop();
  await until('they lost it', () => grace.disconnects.length > 0 && heidi.disconnects.length > 0);
  const back = await stack.member('grace', inLobby(1));
  await stopped;
  await toldOf(watcher, 'heidi', 'online', 'offline');
  assert.equal((await seen('grace')).status, 'online');
  assert.deepEqual(told(watcher, 'grace'), ['online']);
  for (const member of [watcher, back]) member.close();
});
