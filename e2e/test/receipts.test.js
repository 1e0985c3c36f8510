// Receipts and typing by socket and by request, over two gateways, with the rows that result.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Stack, UNLIMITED } from '../harness/stack.js';
import { until } from '../harness/wait.js';

let stack;

before(async () => {
  stack = await Stack.start({ name: 'receipts', gatewayEnv: UNLIMITED });
});
after(() => stack?.stop());

const cursors = async (conversation) => {
  const rows = await stack.database.rows(
    'SELECT delivered_seq, read_seq FROM participants WHERE conversation_id = $1 AND user_id = $2', conversation, 'bob',
  );
  return rows.map((row) => [Number(row.delivered_seq), Number(row.read_seq)])[0];
};
const become = (conversation, delivered, readTo) => until('the cursors are stored', async () => {
  const found = await cursors(conversation);
  return found?.[0] === delivered && found[1] === readTo;
});

test('cursors go forward, by socket and by request, and everybody is told', async () => {
  const [alice, bob] = await stack.joined('cursors', 'alice', 'bob');
  const sent = [];
  for (let n = 1; n <= 4; n += 1) sent.push(await alice.say('cursors', `${n}`));
  await bob.must('receipt:delivered', { messageIds: [sent[2].id, sent[0].id] });
  assert.deepEqual(
    await alice.told('receipt:delivered'),
    { conversationId: 'cursors', userId: 'bob', seq: 3, messageId: sent[2].id },
  );
  await become('cursors', 3, 0);
  const rest = stack.rest('bob', stack.gatewayUrl(0));
  const path = '/v1/conversations/cursors/receipts';
  assert.deepEqual(await rest.expect(200, 'POST', path, { type: 'read', seq: 2 }), {});
  assert.deepEqual(await alice.told('receipt:read'), { conversationId: 'cursors', userId: 'bob', seq: 2 });
  await become('cursors', 3, 2);
  await bob.must('receipt:read', { conversationId: 'cursors', seq: 1 });
  await bob.must('receipt:read', { conversationId: 'cursors', seq: 4 });
  await become('cursors', 4, 4);
  await alice.told('receipt:read', ({ seq }) => seq === 4);
  assert.deepEqual(alice.events('receipt:read').map(({ seq }) => seq), [2, 4]);
});

test('typing by request is told like typing by socket', async () => {
  const [alice] = await stack.joined('typed', 'alice', 'bob');
  const rest = stack.rest('bob', stack.gatewayUrl(1));
  for (const state of ['started', 'stopped']) {
    assert.deepEqual(await rest.expect(200, 'POST', '/v1/conversations/typed/typing', { state }), {});
    assert.deepEqual(
      await alice.told(`typing:${state}`),
      {
        conversationId: 'typed', userId: 'bob', user: { id: 'bob', name: 'Bob' },
        ...(state === 'started' ? { expiresInMs: 7_000 } : {}),
      },
    );
  }
});

test('what is no receipt is refused alike', async () => {
  const [alice, bob] = await stack.joined('no-receipts', 'alice', 'bob');
  const { id } = await alice.say('no-receipts', 'x');
  await stack.conversation('not-bobs', 'alice');
  const foreign = (await alice.say('not-bobs', 'x')).id;
  const table = [
    ['no-receipts', { seq: 2 }, 'invalid_payload'],
    ['no-receipts', { seq: 'x' }, 'invalid_payload'],
    ['no-receipts', { messageIds: [] }, 'invalid_payload'],
    ['no-receipts', { messageIds: [foreign] }, 'not_found'],
    ['no-receipts', { messageIds: [id], seq: 1 }, 'invalid_payload'],
    ['not-bobs', { seq: 1 }, 'not_a_participant'],
  ];
  for (const [conversationId, asked, code] of table) {
    const { ok, error } = await bob.command('receipt:read', { conversationId, ...asked });
    assert.deepEqual([ok, error?.code], [false, code], JSON.stringify(asked));
    const path = `/v1/conversations/${conversationId}/receipts`;
    const { body } = await stack.rest('bob').call('POST', path, { type: 'read', ...asked });
    assert.equal(body.code, code, JSON.stringify(asked));
  }
  assert.deepEqual(alice.events('receipt:read'), []);
});
