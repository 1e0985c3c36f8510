// Messages are changed and taken back: by those who may, with everybody told, and the row in Postgres following.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Stack, UNLIMITED } from '../harness/stack.js';
import { until } from '../harness/wait.js';

let stack;

before(async () => {
  stack = await Stack.start({ name: 'editing', gatewayEnv: UNLIMITED });
});
after(() => stack?.stop());

/** A message as it is read, when nobody reacted to it. */
const read = (message) => ({ ...message, reactions: [] });
const row = async (conversation) => (await stack.database.messages(conversation))[0];
const stored = (conversation, fits) => until('the row is as it should be', async () => {
  const found = await row(conversation);
  return found && fits(found) ? found : undefined;
});

test('an edit is seen by the others, in history and in Postgres', async () => {
  const [alice, bob] = await stack.joined('edited', 'alice', 'bob');
  const sent = await alice.say('edited', 'helo');
  const { message } = await alice.must('message:edit', { messageId: sent.id, content: 'hello' });
  assert.equal(message.content, 'hello');
  assert.equal(message.seq, sent.seq);
  assert.equal(message.createdAt, sent.createdAt);
  assert.ok(message.offset > sent.offset);
  assert.match(message.editedAt, /Z$/);

  assert.deepEqual(await bob.told('message:edited'), message);
  assert.equal(alice.events('message:edited').length, 0, 'who edits is answered, not told');
  assert.deepEqual(await bob.historyAfter('edited', 0), [read(message)]);
  const kept = await stored('edited', ({ content }) => content === 'hello');
  assert.equal(Number(kept.rev), message.offset);
  assert.deepEqual(await bob.historyAfter('edited', 0), [read(message)], 'the same from Postgres');
});

test('only the sender edits; the sender and moderators delete', async () => {
  const [alice, bob] = await stack.joined('owned', 'alice', 'bob', 'mod');
  const mod = await stack.member('mod', { claims: { role: 'moderator' } });
  const sent = await alice.say('owned', 'mine');
  const refused = async (member, event, payload) => (await member.command(event, payload)).error.code;
  assert.equal(await refused(bob, 'message:edit', { messageId: sent.id, content: 'yours' }), 'forbidden');
  assert.equal(await refused(bob, 'message:delete', { messageId: sent.id }), 'forbidden');
  assert.equal(await refused(mod, 'message:edit', { messageId: sent.id, content: 'ours' }), 'forbidden');
  const { message } = await mod.must('message:delete', { messageId: sent.id });
  assert.equal(message.content, '');
  assert.equal((await alice.told('message:deleted')).id, sent.id);
});

test('what was taken back keeps its place and is gone for good', async () => {
  const [alice, bob] = await stack.joined('gone', 'alice', 'bob');
  const sent = await alice.say('gone', 'secret', { metadata: { key: 'secret' }, clientId: 'g-1' });
  await alice.say('gone', 'after');
  const { message } = await alice.must('message:delete', { messageId: sent.id });
  assert.match(message.deletedAt, /Z$/);
  assert.deepEqual(await bob.told('message:deleted'), message);
  const [first, second] = await bob.historyAfter('gone', 0);
  assert.deepEqual(first, read(message));
  assert.equal(second.seq, 2);
  const kept = await stored('gone', ({ deleted_at: deletedAt }) => deletedAt !== null);
  assert.equal(kept.content, '');
  assert.deepEqual(kept.metadata, {});
  for (const again of ['message:edit', 'message:delete']) {
    const { error } = await alice.command(again, { messageId: sent.id, content: 'back' });
    assert.equal(error.code, 'not_found', again);
  }
});

test('of an edit against a delete one wins, and everybody agrees which', async () => {
  const [alice, bob] = await stack.joined('raced', 'alice', 'bob');
  const elsewhere = await stack.member('alice', { url: stack.gatewayUrl(1) });
  for (let round = 0; round < 20; round += 1) {
    const sent = await alice.say('raced', `round ${round}`);
    const [edit, gone] = await Promise.all([
      alice.command('message:edit', { messageId: sent.id, content: 'changed' }),
      elsewhere.command('message:delete', { messageId: sent.id }),
    ]);
    assert.equal(gone.ok, true, 'a delete finds the message whether it was edited before or not');
    if (!edit.ok) assert.equal(edit.error.code, 'not_found');
    assert.equal((await bob.told('message:deleted', ({ id }) => id === sent.id)).content, '');
  }
  const history = await bob.historyAfter('raced', 0);
  assert.equal(history.length, 20);
  assert.ok(history.every(({ content, deletedAt }) => content === '' && deletedAt));
});

test('foreign, unknown and malformed messages are refused with a code', async () => {
  const [alice] = await stack.joined('refused', 'alice', 'bob');
  await stack.conversation('elsewhere', 'bob', 'carol');
  const bob = await stack.member('bob');
  const foreign = await bob.say('elsewhere', 'not for alice');
  const sent = await alice.say('refused', 'mine');
  const table = [
    ['message:edit', { messageId: foreign.id, content: 'x' }, 'not_found'],
    ['message:delete', { messageId: foreign.id }, 'not_found'],
    ['message:edit', { messageId: '0199f3c2-0000-7000-8000-000000000000', content: 'x' }, 'not_found'],
    ['message:edit', { messageId: 'nope', content: 'x' }, 'invalid_payload'],
    ['message:edit', { messageId: 7, content: 'x' }, 'invalid_payload'],
    ['message:edit', { messageId: sent.id }, 'invalid_payload'],
    ['message:edit', { messageId: sent.id, content: ' ' }, 'content_blank'],
    ['message:edit', { messageId: sent.id, content: 'x'.repeat(1_000_001) }, 'content_too_large'],
    ['message:delete', {}, 'invalid_payload'],
  ];
  for (const [event, payload, code] of table) {
    const { ok, error } = await alice.command(event, payload);
    assert.deepEqual([ok, error?.code], [false, code], `${event} ${JSON.stringify(payload).slice(0, 80)}`);
  }
  assert.deepEqual(await alice.historyAfter('refused', 0), [read(sent)], 'nothing has changed');
});

test('a backend edits and deletes for a user, with the same results', async () => {
  const [alice, bob] = await stack.joined('backend', 'alice', 'bob');
  const rest = stack.rest('alice', stack.gatewayUrl(1));
  const sent = await alice.say('backend', 'draft');
  const edited = await rest.expect(200, 'PATCH', `/v1/messages/${sent.id}`, { content: 'final' });
  assert.deepEqual(await bob.told('message:edited'), edited);
  assert.deepEqual(await alice.told('message:edited'), edited, 'a request has no socket that would be passed over');
  const refused = await stack.rest('bob').call('PATCH', `/v1/messages/${sent.id}`, { content: 'mine' });
  assert.deepEqual([refused.status, refused.body.code], [403, 'forbidden']);
  assert.equal((await rest.call('PATCH', `/v1/messages/${sent.id}`, { content: 'x', extra: 1 })).status, 400);
  const gone = await rest.expect(200, 'DELETE', `/v1/messages/${sent.id}`);
  assert.equal(gone.content, '');
  assert.equal((await rest.call('DELETE', `/v1/messages/${sent.id}`)).status, 404);
});
