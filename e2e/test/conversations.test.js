// Conversations and their participants change: everybody concerned is told, on whichever gateway, and Postgres follows.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Stack, UNLIMITED } from '../harness/stack.js';
import { until } from '../harness/wait.js';

let stack;
let backend;
let elsewhere;

before(async () => {
  stack = await Stack.start({ name: 'conversations', gatewayEnv: UNLIMITED });
  backend = stack.rest(undefined, stack.gatewayUrl(0));
  elsewhere = stack.rest(undefined, stack.gatewayUrl(1));
});
after(() => stack?.stop());

const of = (users) => Promise.all(users.map((user, index) => stack.member(user, { url: stack.gatewayUrl(index) })));
const conversationRow = async (id) => (await stack.database.rows('SELECT * FROM conversations WHERE id = $1', id))[0];
const without = (payload, ...names) => Object.fromEntries(Object.entries(payload).filter(([name]) => !names.includes(name)));

test('a conversation is made with roles, told to those in it, and read by them alone', async () => {
  const [alice, bob, eve] = await of(['alice', 'bob', 'eve']);
  const created = await backend.expect(201, 'POST', '/v1/conversations', {
    id: 'made', title: 'Plans', participants: ['alice', { id: 'bob', role: 'owner' }], metadata: { team: [7] },
  });
  assert.deepEqual(without(created, 'createdAt'), {
    id: 'made', title: 'Plans', metadata: { team: [7] }, participants: ['alice', 'bob'], updatedAt: null,
  });
  for (const member of [alice, bob]) {
    const told = await member.told('conversation:created', ({ id }) => id === 'made');
    assert.deepEqual(told, { ...created, epoch: 1, offset: 1 });
  }
  const { conversation } = await alice.must('conversation:get', { conversationId: 'made' });
  assert.deepEqual(conversation, created);
  const { participants, nextCursor } = await bob.must('participant:list', { conversationId: 'made' });
  assert.equal(nextCursor, null);
  assert.deepEqual(participants.map((one) => without(one, 'joinedAt')), [
    { userId: 'alice', user: { id: 'alice', name: 'Alice' }, role: 'member', deliveredSeq: 0, readSeq: 0 },
    { userId: 'bob', user: { id: 'bob', name: 'Bob' }, role: 'owner', deliveredSeq: 0, readSeq: 0 },
  ]);
  for (const event of ['conversation:get', 'participant:list']) {
    assert.equal((await eve.command(event, { conversationId: 'made' })).error.code, 'not_found');
  }
  assert.deepEqual(eve.events('conversation:created'), []);
});

test('a change of the title reaches everybody in the conversation, joined or not, and the row', async () => {
  const [alice, bob] = await of(['alice', 'bob']);
  await backend.expect(201, 'POST', '/v1/conversations', { id: 'changed', participants: ['alice', 'bob'] });
  await alice.join('changed');
  const updated = await elsewhere.expect(200, 'PATCH', '/v1/conversations/changed', { title: 'New', metadata: { a: 1 } });
  for (const member of [alice, bob]) {
    assert.deepEqual(await member.told('conversation:updated'), { ...updated, epoch: 1, offset: 2 });
  }
  assert.deepEqual(await backend.expect(200, 'PATCH', '/v1/conversations/changed', { title: 'New' }), updated);
  await until('the row says which event changed it', async () => Number((await conversationRow('changed')).state_rev) === 2);
  const row = await conversationRow('changed');
  assert.deepEqual([row.title, row.metadata, row.updated_at.toISOString()], ['New', { a: 1 }, updated.updatedAt]);
  assert.equal(alice.events('conversation:updated').length, 1);
});

test('participants come, change their role and go, and each is told', async () => {
  const [alice, bob] = await of(['alice', 'bob']);
  await backend.expect(201, 'POST', '/v1/conversations', { id: 'members', participants: ['alice'] });
  await alice.join('members');
  const path = '/v1/conversations/members/participants/bob';
  const participant = { id: 'bob', name: 'Bob' };
  assert.deepEqual(await backend.expect(201, 'PUT', path), { conversationId: 'members', participant, role: 'member' });
  assert.deepEqual(await elsewhere.expect(200, 'PUT', path, { role: 'owner' }), {
    conversationId: 'members', participant, role: 'owner',
  });
  await bob.told('participant:added', ({ offset }) => offset === 3);
  await bob.join('members');
  await bob.say('members', 'hello');
  await elsewhere.expect(204, 'DELETE', path);
  const removed = { conversationId: 'members', participant, role: 'owner', epoch: 1, offset: 5 };
  for (const member of [alice, bob]) {
    const added = member.events('participant:added').map((payload) => without(payload, 'at'));
    assert.deepEqual(added, [
      { conversationId: 'members', participant, role: 'member', epoch: 1, offset: 2 },
      { conversationId: 'members', participant, role: 'owner', epoch: 1, offset: 3 },
    ]);
    assert.deepEqual(without(await member.told('participant:removed'), 'at'), removed);
  }
  assert.deepEqual(await bob.told('conversation:left'), { conversationId: 'members', reason: 'removed' });
  const refused = await bob.command('message:send', { conversationId: 'members', content: 'still here?' });
  assert.equal(refused.error.code, 'not_a_participant');
  const [row] = await stack.database.rows(
    "SELECT role, left_at IS NOT NULL AS gone FROM participants WHERE conversation_id = 'members' AND user_id = 'bob'",
  );
  assert.deepEqual(row, { role: 'owner', gone: true });
});

test('a deleted conversation is gone for everybody, and its id begins again', async () => {
  const [alice, bob] = await of(['alice', 'bob']);
  await backend.expect(201, 'POST', '/v1/conversations', { id: 'gone', title: 'Old', participants: ['alice', 'bob'] });
  await alice.join('gone');
  const sent = await alice.say('gone', 'of before');
  await until('the message is stored', async () => (await stack.database.messages('gone')).length === 1);
  await elsewhere.expect(204, 'DELETE', '/v1/conversations/gone');
  for (const member of [alice, bob]) {
    const told = await member.told('conversation:deleted');
    assert.deepEqual(without(told, 'at'), { conversationId: 'gone', epoch: 1, offset: 3 });
  }
  assert.deepEqual(await alice.told('conversation:left'), { conversationId: 'gone', reason: 'deleted' });
  assert.equal((await alice.command('message:send', { conversationId: 'gone', content: 'x' })).error.code, 'not_a_participant');
  assert.equal((await alice.command('message:edit', { messageId: sent.id, content: 'x' })).error.code, 'not_found');
  assert.equal((await backend.call('GET', '/v1/conversations/gone')).status, 404);
  assert.equal((await backend.call('DELETE', '/v1/conversations/gone')).status, 404);
  await until('what was said is deleted', async () => (await stack.database.messages('gone')).length === 0);

  await backend.expect(201, 'POST', '/v1/conversations', { id: 'gone', participants: ['alice'] });
  await alice.join('gone');
  assert.deepEqual(await alice.historyAfter('gone', 0), []);
  const next = await alice.say('gone', 'of now');
  assert.deepEqual([next.seq, next.offset], [2, 5]);
  assert.equal((await bob.command('conversation:join', { conversationId: 'gone' })).error.code, 'not_a_participant');
  assert.equal((await alice.command('message:edit', { messageId: sent.id, content: 'x' })).error.code, 'not_found');
  await until('the new message is stored', async () => (await stack.database.messages('gone')).length === 1);
  const row = await conversationRow('gone');
  assert.deepEqual([row.title, row.deleted_at, Number(row.deleted_rev)], [null, null, 3]);
  assert.equal(alice.events('conversation:deleted').length, 1);
});

test('only backends change conversations', async () => {
  const alice = await stack.member('alice');
  for (const [event, payload] of [
    ['conversation:create', { participants: ['alice'] }],
    ['conversation:update', { conversationId: 'made', title: 'mine' }],
    ['conversation:delete', { conversationId: 'made' }],
    ['participant:add', { conversationId: 'made', userId: 'eve' }],
    ['participant:remove', { conversationId: 'made', userId: 'bob' }],
  ]) {
    assert.equal((await alice.command(event, payload)).error.code, 'unknown_event', event);
  }
});
