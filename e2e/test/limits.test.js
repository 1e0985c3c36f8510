// How much is too much, as an unmodified Socket.IO client sees it: refused, told when to come back, let in again, and
// disconnected only when it does not stop.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Member } from '../harness/member.js';
import { Stack } from '../harness/stack.js';
import { until } from '../harness/wait.js';

let stack;

before(async () => {
  stack = await Stack.start({
    name: 'limits',
    gateways: 1,
    gatewayEnv: {
      PARLANCE__LIMITS__SENDS_PER_SECOND: '5',
      PARLANCE__LIMITS__SENDS_BURST: '5',
      PARLANCE__LIMITS__CONNECTIONS_PER_USER: '3',
      PARLANCE__LIMITS__CONNECTIONS_PER_ADDRESS: '40',
      PARLANCE__LIMITS__CONNECTS_PER_SECOND: '10',
      PARLANCE__LIMITS__CONNECTS_BURST: '60',
      PARLANCE__LIMITS__ABUSE_REFUSALS: '200',
    },
  });
});
after(() => stack?.stop());

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

test('what is refused as too fast says after how long it is not, and then it is not', async () => {
  const conversation = await stack.conversation('fast', 'alice');
  const alice = await stack.member('alice');
  const say = (content) => alice.command('message:send', { conversationId: conversation, content });
  const replies = await Promise.all(Array.from({ length: 12 }, (_, number) => say(`${number}`)));
  const refused = replies.filter(({ ok }) => !ok);
  assert.ok(refused.length >= 5, `${refused.length} of ${replies.length}`);
  for (const { error } of refused) {
    assert.equal(error.code, 'rate_limited');
    assert.equal(error.retryable, true);
    assert.ok(error.retryAfterMs >= 1 && error.retryAfterMs <= 1000, JSON.stringify(error));
  }
  await pause(refused.at(-1).error.retryAfterMs);
  assert.equal((await say('after the wait')).ok, true);

  // The same over REST, with the header that HTTP has for it.
  const post = () =>
    fetch(`${stack.gateways[0].url}/v1/conversations/${conversation}/messages`, {
      method: 'POST',
      headers: { authorization: `Bearer ${stack.token('alice')}`, 'content-type': 'application/json' },
      body: JSON.stringify({ content: 'by REST' }),
    });
  const answer = await until('a request is too fast', async () => {
    const one = await post();
    return one.status === 429 ? one : undefined;
  });
  assert.equal(answer.headers.get('retry-after'), '1');
  const problem = await answer.json();
  assert.equal(problem.code, 'rate_limited');
  await pause(problem.retryAfterMs);
  assert.equal((await post()).status, 201);
  alice.close();
});

test('a flood without an end is disconnected for good, and its neighbours notice nothing', async () => {
  const mallory = await stack.member('mallory');
  const bob = await stack.member('bob');
  const flood = setInterval(() => {
    for (let number = 0; number < 50; number += 1) mallory.socket.emit('no:such:event', number);
  }, 20);
  try {
    await until('mallory is disconnected', () => mallory.disconnects.length > 0);
  } finally {
    clearInterval(flood);
  }
  assert.deepEqual(mallory.disconnects, ['io server disconnect']);
  assert.equal(mallory.socket.active, false, 'it does not come back by itself');
  assert.equal(mallory.events('error').at(-1).code, 'limit_reached');
  await bob.must('ping', {});
  assert.deepEqual(bob.disconnects, []);
  bob.close();
});

test('a user has so many sockets, and another one after one of them has gone', async () => {
  const devices = [];
  for (let number = 0; number < 3; number += 1) devices.push(await stack.member('carol'));
  const another = new Member(stack.gateways[0].url, 'carol', stack.token('carol'));
  const refused = await new Promise((resolve) => another.socket.once('connect_error', resolve));
  assert.equal(refused.message, 'limit_reached');
  devices.pop().close();
  await until('there is a place', async () => {
    another.socket.connect();
    return new Promise((resolve) => {
      another.socket.once('connect', () => resolve(true));
      another.socket.once('connect_error', () => resolve(false));
    });
  });
  await another.must('ping', {});
  for (const device of [...devices, another]) device.close();
});

test('a client that is refused a handshake comes in by itself when there is room', async () => {
  const open = () => fetch(`${stack.gateways[0].url}/socket.io/?EIO=4&transport=polling`);
  const post = (sid, body) =>
    fetch(`${stack.gateways[0].url}/socket.io/?EIO=4&transport=polling&sid=${sid}`, { method: 'POST', body });
  const sessions = [];
  const refused = await until('there is no room', async () => {
    const answer = await open();
    if (answer.status !== 200) return answer;
    const { sid } = JSON.parse((await answer.text()).slice(1));
    await post(sid, `40${JSON.stringify({ token: stack.token(`visitor-${sessions.length}`) })}`);
    sessions.push(sid);
    return undefined;
  });
  assert.equal(refused.status, 503);
  assert.equal(refused.headers.get('retry-after'), '5');
  assert.ok((await refused.json()).retryAfterMs > 0);

  const dave = new Member(stack.gateways[0].url, 'dave', stack.token('dave'), { transports: ['polling', 'websocket'] });
  await new Promise((resolve) => dave.socket.once('connect_error', resolve));
  assert.equal(dave.socket.active, true, 'it tries again');
  for (const sid of sessions) await post(sid, '1');
  await dave.told('session:ready');

  // Far more often than an address may.
  const answers = await Promise.all(Array.from({ length: 100 }, open));
  const tooOften = answers.find(({ status }) => status === 429);
  assert.ok(tooOften, answers.map(({ status }) => status).join(' '));
  assert.ok(Number(tooOften.headers.get('retry-after')) >= 1);
  await dave.must('ping', {});
  dave.close();
});
