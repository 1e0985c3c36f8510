// A worker is killed in the middle of its work: what it had taken on is persisted by the next one.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Stack, UNLIMITED } from '../harness/stack.js';
import { until } from '../harness/wait.js';

// So that the test need not wait half a minute.
const CLAIM_SOON = { PARLANCE__INGEST__CLAIM_AFTER: '2s' };

let stack;

before(async () => {
  stack = await Stack.start({ name: 'worker_killed', gateways: 1, gatewayEnv: UNLIMITED, workerEnv: CLAIM_SOON });
});
after(() => stack?.stop());

test('the entries of a killed worker are persisted by the next one', async () => {
  const conversation = await stack.conversation('inherited', 'alice');
  const alice = await stack.member('alice');
  await alice.join(conversation);
  const sent = [await alice.say(conversation, 'the first')];
  await until('the worker works', async () => (await stack.database.messages(conversation)).length === 1);

  // Held back by a lock, the worker has read entries and cannot commit them.
  const unlock = await stack.database.lock('messages');
  for (let number = 0; number < 50; number += 1) sent.push(await alice.say(conversation, `number ${number}`));
  await until('the worker has read what it cannot write', async () => (await stack.redis.pendingEntries()) > 0);
  await stack.workers[0].program.kill();
  await unlock();
  const orphaned = await stack.redis.pendingEntries();
  assert.ok(orphaned > 0, 'its entries are nobody\'s now');
  assert.equal((await stack.database.messages(conversation)).length, 1);

  await stack.startWorker();
  sent.push(await alice.say(conversation, 'the last'));
  await until('all of them are in Postgres', async () => (await stack.database.messages(conversation)).length === sent.length, 90_000);
  const stored = await stack.database.messages(conversation);
  assert.deepEqual(stored.map(({ id, seq }) => [id, Number(seq)]), sent.map(({ id, seq }) => [id, seq]));
  await until('nothing is left to do', async () => (await stack.redis.unpersistedEntries()) === 0, 30_000);
  assert.equal(await stack.redis.pendingEntries(), 0);
  assert.deepEqual(await stack.database.rows('SELECT * FROM dead_letters'), []);
});

test('while no worker runs, everybody goes on, and the next one persists it all', async () => {
  const conversation = await stack.conversation('unattended', 'alice', 'bob');
  const alice = await stack.member('alice');
  const bob = await stack.member('bob');
  await alice.join(conversation);
  await bob.join(conversation);
  const { code } = await stack.workers.at(-1).program.stop();
  assert.equal(code, 0);
  const sent = [];
  for (let number = 0; number < 50; number += 1) sent.push(await alice.say(conversation, `number ${number}`));
  await bob.told('message:created', ({ id }) => id === sent.at(-1).id);
  const read = sent.map((message) => ({ ...message, reactions: [] }));
  assert.deepEqual(await bob.historyAfter(conversation, 0), read, 'history has what Postgres has not');
  assert.equal((await stack.database.messages(conversation)).length, 0);

  await stack.startWorker();
  await until('all of them are in Postgres', async () => (await stack.database.messages(conversation)).length === sent.length, 30_000);
  assert.deepEqual(await bob.historyAfter(conversation, 0), read, 'and the same from Postgres');
});
