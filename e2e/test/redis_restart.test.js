// Redis ends and comes back in the middle of traffic.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { assertSameOrder } from '../harness/order.js';
import { Stack, UNLIMITED } from '../harness/stack.js';
import { until } from '../harness/wait.js';

// What a worker was reading when Redis died is taken over like a dead worker's; the test need not wait half a minute.
const CLAIM_SOON = { PARLANCE__INGEST__CLAIM_AFTER: '2s' };

let stack;

before(async () => {
  stack = await Stack.start({ name: 'redis_restart', gatewayEnv: UNLIMITED, workerEnv: CLAIM_SOON });
});
after(() => stack?.stop());

for (const signal of ['SIGKILL', 'SIGTERM']) {
  test(`${signal} to Redis: what was acknowledged is there, and reaches everybody who is connected, without a new connection`, async () => {
    const names = Array.from({ length: 6 }, (_, index) => `${signal}-sender-${index}`.toLowerCase());
    const watching = [0, 1].map((index) => `${signal}-watcher-${index}`.toLowerCase());
    const conversation = await stack.conversation(`restart-${signal}`, ...names, ...watching);
    const connect = (user, index) => stack.member(user, { url: stack.gatewayUrl(index) });
    const senders = await Promise.all(names.map(connect));
    const watchers = await Promise.all(watching.map(connect));
    const members = [...senders, ...watchers];
    await Promise.all(members.map((member) => member.join(conversation)));

    const acknowledged = [];
    let talking = true;
    const talk = async (sender) => {
      for (let number = 0; talking; number += 1) {
        const message = await sender.sayUntilAcknowledged(conversation, `${sender.user} says ${number}`, `${number}`);
        acknowledged.push(message);
      }
    };
    const talks = senders.map(talk);
    await until('the talk is on', () => acknowledged.length > 100);
    for (let times = 0; times < 3; times += 1) {
      await stack.redis.program.stop(signal);
      const before = acknowledged.length;
      await stack.redis.start();
      await until('the talk goes on', () => acknowledged.length > before + 100, 30_000);
    }
    talking = false;
    await Promise.all(talks);

    const all = acknowledged.sort((a, b) => a.seq - b.seq);
    assert.equal(new Set(all.map(({ seq }) => seq)).size, all.length, 'no place is given twice');
    assert.equal(new Set(all.map(({ id }) => id)).size, all.length, 'no client id makes two messages');
    assert.deepEqual(all.map(({ seq }) => seq), all.map((_, index) => index + 1), 'seq has no hole');
    await assertSameOrder(members, conversation, all, 60_000);
    for (const member of members) assert.deepEqual([member.connects, member.disconnects], [1, []]);

    const stored = await until('all of them are in Postgres', async () => {
      const rows = await stack.database.messages(conversation);
      return rows.length >= all.length && rows;
    }, 30_000);
    assert.deepEqual(stored.map(({ id }) => id), all.map(({ id }) => id));
    for (const member of members) member.close();
  });
}
