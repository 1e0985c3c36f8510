// Every way to read what was said, over two gateways, what is stored and what is not yet stored.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Stack, UNLIMITED } from '../harness/stack.js';
import { until } from '../harness/wait.js';

let stack;

before(async () => {
  stack = await Stack.start({ name: 'history', gatewayEnv: UNLIMITED });
});
after(() => stack?.stop());

const read = async (member, asked) => {
  const { ok, ...page } = await member.must('message:history', asked);
  return page;
};
const seqs = ({ messages }) => messages.map(({ seq }) => seq);

test('pages by place, cursor, number and around a message', async () => {
  await stack.conversation('paged', 'alice', 'bob');
  const alice = await stack.member('alice', { url: stack.gatewayUrl(0) });
  const bob = await stack.member('bob', { url: stack.gatewayUrl(1) });
  const sent = [];
  for (let n = 1; n <= 5; n += 1) sent.push(await alice.say('paged', `message ${n}`));
  await until('five rows', async () => (await stack.database.messages('paged')).length === 5);
  await Promise.all(stack.workers.splice(0).map(({ program }) => program.stop()));
  for (let n = 6; n <= 9; n += 1) sent.push(await alice.say('paged', `message ${n}`));

  const of = (more) => read(bob, { conversationId: 'paged', ...more });
  const around = sent[4].id;
  const cases = [
    [{ limit: 4 }, [6, 7, 8, 9], 'b6'],
    [{ limit: 4, cursor: 'b6', order: 'newest' }, [5, 4, 3, 2], 'b2'],
    [{ limit: 4, after: 6 }, [7, 8, 9], null],
    [{ limit: 4, around }, [3, 4, 5, 6], 'a6'],
    [{ limit: 4, page: 2 }, [5, 6, 7, 8], 'a8'],
    [{ limit: 4, page: 3, order: 'newest' }, [1], null],
  ];
  for (const [asked, expected, next] of cases) {
    const page = await of(asked);
    assert.deepEqual(seqs(page), expected, JSON.stringify(asked));
    assert.equal(page.nextCursor, next, JSON.stringify(asked));
    assert.equal(page.hasMore, next !== null);
    assert.equal(page.total, asked.page ? 9 : null);
    const query = new URLSearchParams(asked);
    const path = `/v1/conversations/paged/messages?${query}`;
    assert.deepEqual(await stack.rest('bob').expect(200, 'GET', path), page, 'the same by request');
  }
  await stack.startWorker();
  await until('nine rows', async () => (await stack.database.messages('paged')).length === 9);
  const [first] = (await of({ after: 0, limit: 1 })).messages;
  assert.deepEqual(first, { ...sent[0], status: 'sent', reactions: [] });
});

test('a message is sent, delivered, read', async () => {
  await stack.conversation('status', 'alice', 'bob');
  const alice = await stack.member('alice', { url: stack.gatewayUrl(0) });
  const bob = await stack.member('bob', { url: stack.gatewayUrl(1) });
  const { id } = await alice.say('status', 'hello');
  const status = async () => (await read(alice, { conversationId: 'status' })).messages[0].status;
  assert.equal(await status(), 'sent');
  await alice.must('receipt:read', { conversationId: 'status', seq: 1 });
  for (const word of ['delivered', 'read']) {
    await bob.must(`receipt:${word}`, { messageIds: [id] });
    await until(`it is ${word}`, async () => (await status()) === word);
  }
});

test('what is no page is refused with a code', async () => {
  await stack.conversation('refused-pages', 'alice');
  await stack.conversation('of-bob', 'bob');
  const alice = await stack.member('alice');
  const bob = await stack.member('bob');
  const foreign = (await bob.say('of-bob', 'x')).id;
  const table = [
    [{ conversationId: 'of-bob' }, 'not_a_participant'],
    [{ conversationId: 'refused-pages', around: foreign }, 'not_found'],
    [{ conversationId: 'refused-pages', around: 'x' }, 'invalid_payload'],
    [{ conversationId: 'refused-pages', page: 0 }, 'invalid_payload'],
    [{ conversationId: 'refused-pages', page: 1, before: 2 }, 'invalid_payload'],
    [{ conversationId: 'refused-pages', cursor: 'x' }, 'invalid_payload'],
    [{ conversationId: 'refused-pages', order: 'x' }, 'invalid_payload'],
  ];
  for (const [asked, code] of table) {
    const { ok, error } = await alice.command('message:history', asked);
    assert.deepEqual([ok, error?.code], [false, code], JSON.stringify(asked));
  }
});
