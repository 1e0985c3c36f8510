// What reaches a user on all devices, a backend's own events, and the end of a user's sockets.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Member } from '../harness/member.js';
import { Stack, UNLIMITED } from '../harness/stack.js';
import { until } from '../harness/wait.js';

let stack;
let backend;

before(async () => {
  stack = await Stack.start({ name: 'user_events', gatewayEnv: UNLIMITED });
  backend = [0, 1].map((index) => stack.rest('operator', stack.gatewayUrl(index)));
});
after(() => stack?.stop());

const ways = {
  websocket: { transports: ['websocket'] },
  polling: { transports: ['polling'] },
  upgraded: { transports: ['polling', 'websocket'] },
};

/** A user's devices: one of each transport, at both gateways. */
async function devices(user) {
  const connect = (index) => Object.values(ways).map((way) => stack.member(user, { url: stack.gatewayUrl(index), ...way }));
  return Promise.all([...connect(0), ...connect(1)]);
}

async function emit(path, event, data, by = backend[0]) {
  assert.deepEqual(await by.expect(202, 'POST', path, { event, data }), {});
}

test('an event for a user comes to all devices on both gateways, once, in order, and to nobody else', async () => {
  const [alice, bob] = [await devices('alice'), await devices('bob')];
  const numbers = Array.from({ length: 30 }, (_, number) => ({ number, deep: [null, 'x', { y: 1.5 }] }));
  for (const data of numbers) await emit('/v1/users/alice/events', 'order:shipped', data);
  await emit('/v1/users/bob/events', 'done', null);
  for (const device of alice) {
    await device.told('order:shipped', ({ number }) => number === 29);
    assert.deepEqual(device.events('order:shipped'), numbers);
  }
  for (const device of bob) {
    await until('bob is told', () => device.events('done').length === 1);
    assert.deepEqual(device.events('done'), [null]);
    assert.deepEqual(device.events('order:shipped'), []);
  }
  for (const device of [...alice, ...bob]) device.close();
});

test('an event for a conversation comes to those who have joined', async () => {
  await stack.conversation('quiz', 'alice', 'bob', 'carol');
  const joined = [await stack.member('alice'), await stack.member('bob', { url: stack.gatewayUrl(1), ...ways.polling })];
  const carol = await stack.member('carol');
  for (const member of joined) await member.join('quiz');
  await emit('/v1/conversations/quiz/events', 'round', [1, 2]);
  for (const member of joined) assert.deepEqual(await member.told('round'), [1, 2]);
  await emit('/v1/users/carol/events', 'done', 'so');
  assert.equal(await carol.told('done'), 'so');
  assert.deepEqual(carol.events('round'), []);
  for (const member of [...joined, carol]) member.close();
});

test('an event for everyone comes to every transport, namespace and gateway, once', async () => {
  const everyone = [...(await devices('alice')), ...(await devices('bob'))];
  for (const index of [0, 1]) everyone.push(await stack.member('carol', { url: `${stack.gatewayUrl(index)}/native` }));
  for (let number = 0; number < 10; number += 1) await emit('/v1/events', 'maintenance', { number }, backend[number % 2]);
  for (const member of everyone) {
    await until(`${member.user} is told all`, () => member.events('maintenance').length >= 10);
    await member.must('ping');
    const numbers = member.events('maintenance').map(({ number }) => number);
    assert.deepEqual(numbers.sort((a, b) => a - b), Array.from({ length: 10 }, (_, number) => number));
    member.close();
  }
});

test('a disconnected user sees `io server disconnect` on every device, stays away, and may come back', async () => {
  const [alice, bob] = [await devices('alice'), await devices('bob')];
  await emit('/v1/users/alice/events', 'last words', { n: 1 });
  assert.equal(await backend[1].expect(204, 'DELETE', '/v1/users/alice/sessions'), undefined);
  for (const device of alice) {
    await until('the device is disconnected', () => device.disconnects.length > 0);
    assert.deepEqual(device.events('last words'), [{ n: 1 }], 'what was said before came before');
    assert.deepEqual([device.disconnects, device.connects], [['io server disconnect'], 1]);
    assert.equal(device.socket.active, false, 'it does not come back by itself');
  }
  for (const device of bob) {
    await device.must('ping');
    assert.deepEqual([device.disconnects, device.connects], [[], 1]);
  }
  const [again] = alice;
  again.socket.connect();
  await until('the device is back', () => again.connects === 2);
  await emit('/v1/users/alice/events', 'welcome back', 1);
  assert.equal(await again.told('welcome back'), 1);
  for (const device of [...alice, ...bob]) device.close();
});

for (const signal of ['SIGKILL', 'SIGTERM']) {
  test(`${signal} to Redis: users, conversations and everyone are told again, without a new connection`, async () => {
    await stack.conversation(`back-${signal}`, 'alice', 'bob');
    const members = [await stack.member('alice'), await stack.member('bob', { url: stack.gatewayUrl(1) })];
    for (const member of members) await member.join(`back-${signal}`);
    await stack.redis.program.stop(signal);
    for (const path of ['/v1/events', '/v1/users/alice/events', `/v1/conversations/back-${signal}/events`]) {
      const { status, body } = await backend[0].call('POST', path, { event: 'lost', data: 1 });
      assert.deepEqual([status, body.code, body.retryable], [503, 'unavailable', true], path);
    }
    // Whoever comes while Redis is away, so that it is not known whether his token was revoked, gets in by himself when it is back.
    const late = new Member(stack.gatewayUrl(1), 'carol', stack.token('carol'));
    await stack.redis.start();
    await late.told('session:ready', undefined, 20_000);
    const paths = [
      ['/v1/users/alice/events', [members[0]]],
      ['/v1/users/bob/events', [members[1]]],
      ['/v1/users/carol/events', [late]],
      [`/v1/conversations/back-${signal}/events`, members],
      ['/v1/events', [...members, late]],
    ];
    for (const by of backend) {
      for (const [path, told] of paths) {
        const event = `${signal} ${path} ${by.url}`;
        await until(`${event} comes`, async () => {
          await by.call('POST', path, { event, data: path });
          return told.every((member) => member.events(event).length > 0);
        }, 30_000);
      }
    }
    for (const member of [...members, late]) {
      assert.deepEqual([member.connects, member.disconnects], [1, []]);
      member.close();
    }
  });
}

test('only backends emit and disconnect, and what does not fit is refused', async () => {
  const alice = await stack.member('alice');
  const token = stack.token('alice');
  const routes = [
    ['POST', '/v1/events'], ['POST', '/v1/users/bob/events'], ['POST', '/v1/conversations/c/events'],
    ['DELETE', '/v1/users/bob/sessions'],
  ];
  for (const [method, path] of routes) {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const body = method === 'POST' ? JSON.stringify({ event: 'a', data: 1 }) : undefined;
    const answer = await fetch(stack.gatewayUrl(0) + path, { method, headers, body });
    assert.deepEqual([answer.status, (await answer.json()).code], [403, 'forbidden'], path);
  }
  for (const event of ['custom:emit', 'user:disconnect']) {
    assert.equal((await alice.command(event, { userId: 'bob', event: 'a' })).error.code, 'unknown_event');
  }
  const bodies = [
    {}, { event: '' }, { event: 7 }, { event: 'connect' }, { event: 'disconnect' }, { event: 'x'.repeat(129) },
    { event: 'a', extra: 1 }, { event: 'a', data: 'x'.repeat(64 * 1024) },
  ];
  for (const [, path] of routes.slice(0, 3)) {
    for (const body of bodies) {
      const answer = await backend[0].call('POST', path, body);
      assert.deepEqual([answer.status, answer.body.code], [400, 'invalid_payload'], `${path} ${Object.keys(body)}`);
    }
  }
  alice.close();
});
