// Every way in which a Socket.IO client can reach a gateway, through nginx and with no cookie kept.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Stack, UNLIMITED } from '../harness/stack.js';
import { until } from '../harness/wait.js';

let stack;
let conversation;

before(async () => {
  stack = await Stack.start({ name: 'transports', nginx: true, gatewayEnv: UNLIMITED });
  conversation = await stack.conversation('transports', 'alice', 'bob');
});
after(() => stack?.stop());

const ways = {
  'websocket only': { transports: ['websocket'] },
  'polling only': { transports: ['polling'] },
  'polling, then upgrade': { transports: ['polling', 'websocket'] },
};

for (const [way, options] of Object.entries(ways)) {
  test(`${way}: a message and its acknowledgement pass in both directions`, async () => {
    const alice = await stack.member('alice', { url: stack.nginx.url, ...options });
    const bob = await stack.member('bob', { url: stack.nginx.url, ...options });
    await alice.join(conversation);
    await bob.join(conversation);
    const asked = await alice.say(conversation, `from alice, ${way}`);
    assert.deepEqual(await bob.told('message:created', ({ id }) => id === asked.id), asked);
    const answered = await bob.say(conversation, `from bob, ${way}`);
    assert.deepEqual(await alice.told('message:created', ({ id }) => id === answered.id), answered);
    alice.close();
    bob.close();
  });
}

test('polling only: 100 requests without a cookie all reach the gateway that has the session', async () => {
  const before = stack.nginx.requests().length;
  const alice = await stack.member('alice', { url: stack.nginx.url, transports: ['polling'] });
  const polled = () => stack.nginx.requests().slice(before).filter(({ transport }) => transport === 'polling');
  for (let number = 0; polled().length < 100; number += 1) {
    assert.deepEqual((await alice.must('echo', { number })).echo, { number });
  }
  assert.deepEqual([alice.connects, alice.disconnects], [1, []]);
  assert.deepEqual([...new Set(polled().map(({ status }) => status))], ['200']);
  assert.deepEqual([...new Set(polled().map(({ cookie }) => cookie))], ['no']);
  assert.equal(new Set(polled().map(({ upstream }) => upstream)).size, 1);
  alice.close();
});

test('polling only: the cookie decides where the client keeps it, so that its address may change', async () => {
  const before = stack.nginx.requests().length;
  const members = [];
  const cookies = ['parlance_route=a', 'parlance_route=b', 'parlance_route=c', 'parlance_route=d', 'parlance_route=e', 'parlance_route=f'];
  for (const cookie of cookies) {
    const alice = await stack.member('alice', {
      url: stack.nginx.url,
      transports: ['polling'],
      extraHeaders: { cookie },
    });
    for (let number = 0; number < 5; number += 1) await alice.must('echo', number);
    assert.deepEqual(alice.disconnects, []);
    members.push(alice);
  }
  // Before they close: a request that a client still makes then is of a session that is gone. Others send no cookies.
  const theirs = stack.nginx.requests().slice(before).filter(({ cookie }) => cookie === 'yes');
  const statuses = theirs.map(({ status }) => status);
  for (const alice of members) alice.close();
  assert.deepEqual([...new Set(statuses)], ['200']);
});

test('polling, then upgrade: the session goes on as a websocket, and nothing is lost on the way', async () => {
  const bob = await stack.member('bob', { url: stack.nginx.url });
  await bob.join(conversation);
  const alice = await stack.member('alice', { url: stack.nginx.url, transports: ['polling', 'websocket'] });
  await alice.join(conversation);
  const sent = [];
  const upgraded = () => alice.socket.io.engine.transport.name === 'websocket';
  // Bob talks while Alice's transport changes, and a little longer.
  await until('alice has upgraded', async () => {
    sent.push(await bob.say(conversation, `number ${sent.length}`));
    return upgraded();
  });
  sent.push(await bob.say(conversation, 'after the upgrade'));
  await alice.told('message:created', ({ id }) => id === sent.at(-1).id);
  assert.deepEqual(alice.messages(conversation).map(({ id }) => id), sent.map(({ id }) => id));
  assert.deepEqual([alice.connects, alice.disconnects], [1, []]);
  alice.close();
  bob.close();
});
