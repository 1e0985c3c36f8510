// A client that stops reading is given up; those around it notice nothing.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { connectionsOf } from '../harness/connections.js';
import { RawWebSocket } from '../harness/raw_websocket.js';
import { Stack, UNLIMITED } from '../harness/stack.js';
import { until } from '../harness/wait.js';

let stack;

before(async () => {
  stack = await Stack.start({ name: 'slow_reader', gateways: 1, gatewayEnv: UNLIMITED });
});
after(() => stack?.stop());

test('a reader that stops reading is gone within 10 s, while its neighbours get everything', async () => {
  const conversation = await stack.conversation('flood', 'alice', 'bob', 'carol');
  const alice = await stack.member('alice');
  const bob = await stack.member('bob');
  await alice.join(conversation);
  await bob.join(conversation);
  const { port } = stack.gateways[0];
  const carol = await RawWebSocket.connect(port, stack.token('carol'));
  assert.equal((await carol.command('conversation:join', { conversationId: conversation })).ok, true);

  const ofCarol = async () => (await connectionsOf(port)).find(({ remotePort }) => remotePort === carol.localPort);
  assert.ok((await ofCarol()).established);
  carol.stopReading();

  // Some megabytes are in the kernel's buffers before the gateway can notice.
  const content = 'a'.repeat(32 * 1024);
  const sent = [];
  const say = async () => sent.push(await alice.say(conversation, content));
  // When more was sent to her and her queue in the kernel did not grow, the gateway's writes do not get through.
  let queued = 0;
  await until('carol stalls', async () => {
    await Promise.all([say(), say(), say(), say()]);
    const before = queued;
    queued = (await ofCarol()).unsent;
    return queued > 0 && queued === before;
  }, 30_000);
  const stalled = Date.now();
  await until('carol is gone', async () => {
    await say();
    return !(await ofCarol())?.established;
  }, 10_000);
  const seconds = (Date.now() - stalled) / 1000;
  assert.ok(seconds <= 10, `gone after ${seconds} s`);

  for (let number = 0; number < 20; number += 1) await say();
  await until('bob has everything', () => bob.messages(conversation).length >= sent.length);
  const inOrder = sent.sort((a, b) => a.seq - b.seq).map(({ id }) => id);
  assert.deepEqual(bob.messages(conversation).map(({ id }) => id), inOrder);
  assert.deepEqual([...alice.disconnects, ...bob.disconnects], []);
  carol.close();
});

test('who was away reads a history of large messages, in pages that the connection can take', async () => {
  const conversation = await stack.conversation('volumes', 'alice', 'bob');
  const alice = await stack.member('alice');
  const content = 'a'.repeat(100_000);
  const sent = [];
  for (let number = 0; number < 100; number += 1) sent.push(await alice.say(conversation, content));

  const bob = await stack.member('bob');
  const { messages, hasMore } = await bob.must('message:history', { conversationId: conversation, after: 0, limit: 200 });
  assert.ok(hasMore && messages.length > 0, '10 MB do not come in one page');
  assert.deepEqual((await bob.historyAfter(conversation, 0)).map(({ id }) => id), sent.map(({ id }) => id));
  assert.deepEqual(bob.disconnects, []);
});
