// A user's list of conversations: what came last, and what is unread, whoever asks and wherever.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Stack, UNLIMITED } from '../harness/stack.js';
import { until } from '../harness/wait.js';

let stack;

before(async () => {
  stack = await Stack.start({ name: 'list', gatewayEnv: UNLIMITED });
});
after(() => stack?.stop());

const list = async (member, asked = {}) => {
  const { ok, ...page } = await member.must('conversation:list', asked);
  return page;
};
const ids = (page) => page.conversations.map(({ id }) => id);

test('the newest activity is first, with the newest message and what is unread', async () => {
  for (const id of ['l-1', 'l-2', 'l-3']) await stack.conversation(id, 'lea', 'max');
  const lea = await stack.member('lea', { url: stack.gatewayUrl(0) });
  const max = await stack.member('max', { url: stack.gatewayUrl(1) });
  await max.say('l-2', 'one');
  const two = await max.say('l-2', 'two');
  const page = await until('the activity is stored', async () => {
    const found = await list(lea);
    return ids(found)[0] === 'l-2' ? found : undefined;
  });
  const [first] = page.conversations;
  assert.deepEqual(ids(page).toSorted(), ['l-1', 'l-2', 'l-3']);
  assert.equal(page.nextCursor, null);
  assert.deepEqual(
    { ...first, createdAt: undefined },
    {
      id: 'l-2', title: null, metadata: {}, participants: ['lea', 'max'], createdAt: undefined, updatedAt: null,
      role: 'member', lastMessage: two, unreadCount: 2, readSeq: 0,
    },
  );
  assert.deepEqual(await stack.rest('lea', stack.gatewayUrl(1)).expect(200, 'GET', '/v1/conversations'), page);
  assert.deepEqual(await stack.rest('max').expect(200, 'GET', '/v1/users/lea/conversations'), page, 'a backend reads any');

  await lea.must('receipt:read', { conversationId: 'l-2', messageIds: [two.id] });
  await until('nothing is unread', async () => {
    const [{ unreadCount, readSeq }] = (await list(lea)).conversations;
    return unreadCount === 0 && readSeq === 2;
  });
  const [row] = await stack.database.rows(
    "SELECT read_seq, delivered_seq FROM participants WHERE conversation_id = 'l-2' AND user_id = 'lea'",
  );
  assert.deepEqual([Number(row.read_seq), Number(row.delivered_seq)], [2, 2]);
});

test('pages have every conversation once', async () => {
  const all = Array.from({ length: 11 }, (_, n) => `p-${n}`);
  for (const id of all) await stack.conversation(id, 'pia');
  const pia = await stack.member('pia', { url: stack.gatewayUrl(1) });
  const found = [];
  let cursor;
  do {
    const page = await list(pia, { limit: 4, cursor });
    found.push(...ids(page));
    cursor = page.nextCursor;
  } while (cursor);
  assert.deepEqual(found.toSorted(), all.toSorted());
});

test('lists of others and cursors that nobody gave are refused', async () => {
  const lea = await stack.member('lea');
  for (const [asked, code] of [
    [{ cursor: 'nonsense' }, 'invalid_payload'],
    [{ limit: 0 }, 'invalid_payload'],
    [{ limit: 101 }, 'invalid_payload'],
    [{ limit: 'x' }, 'invalid_payload'],
  ]) {
    const { ok, error } = await lea.command('conversation:list', asked);
    assert.deepEqual([ok, error?.code], [false, code], JSON.stringify(asked));
  }
});
