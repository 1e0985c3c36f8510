// Reactions: toggled by sockets and by requests over two gateways, told to everybody with all there are, and stored.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Stack, UNLIMITED } from '../harness/stack.js';
import { until } from '../harness/wait.js';

// What a worker was reading when Redis died is taken over like a dead worker's; the test need not wait half a minute.
const CLAIM_SOON = { PARLANCE__INGEST__CLAIM_AFTER: '2s' };

let stack;

before(async () => {
  stack = await Stack.start({ name: 'reactions', gatewayEnv: UNLIMITED, workerEnv: CLAIM_SOON });
});
after(() => stack?.stop());

const reactor = (id) => ({ id, name: id[0].toUpperCase() + id.slice(1) });
const reaction = (emoji, ...users) => ({ emoji, count: users.length, users: users.map(reactor) });
const stored = (messageId, fits) => until('the rows are as they should be', async () => {
  const rows = await stack.database.rows('SELECT * FROM reactions WHERE message_id = $1 ORDER BY epoch, rev', messageId);
  return fits(rows) ? rows : undefined;
});

test('a toggle is answered, told to the others and stored', async () => {
  const [alice, bob] = await stack.joined('toggled', 'alice', 'bob');
  const { id: messageId, seq } = await alice.say('toggled', 'lunch?');
  const answer = await bob.must('reaction:toggle', { messageId, emoji: '👍' });
  const reactions = [reaction('👍', 'bob')];
  assert.deepEqual(answer, { ok: true, messageId, emoji: '👍', active: true, reactions });
  const { offset, at, ...event } = await alice.told('reaction:updated');
  assert.deepEqual(event, {
    messageId, conversationId: 'toggled', seq, userId: 'bob', user: reactor('bob'), emoji: '👍', active: true, reactions, epoch: 1,
  });
  assert.match(at, /Z$/);
  const [row] = await stored(messageId, (rows) => rows.length === 1);
  assert.deepEqual(
    [row.user_id, row.emoji, row.active, row.conversation_id, Number(row.seq), Number(row.rev)],
    ['bob', '👍', true, 'toggled', seq, offset],
  );

  const off = await bob.must('reaction:toggle', { messageId, emoji: '👍' });
  assert.deepEqual([off.active, off.reactions], [false, []]);
  assert.deepEqual((await alice.told('reaction:updated', ({ active }) => !active)).reactions, []);
  assert.equal(bob.events('reaction:updated').length, 0, 'who reacts is answered, not told');
  await stored(messageId, ([one, more]) => !one.active && more === undefined);
});

test('everybody who reads a message reads the reactions to it', async () => {
  const [alice, bob, carol] = await stack.joined('read', 'alice', 'bob', 'carol');
  const { id: messageId } = await alice.say('read', 'hello');
  await bob.must('reaction:add', { messageId, emoji: '❤️' });
  await carol.must('reaction:add', { messageId, emoji: ':wave:' });
  await alice.must('reaction:add', { messageId, emoji: '❤️' });
  const reactions = [reaction('❤️', 'bob', 'alice'), reaction(':wave:', 'carol')];
  const check = async (where) => {
    const { message } = await carol.must('message:get', { messageId });
    assert.deepEqual(message.reactions, reactions, `one message, ${where}`);
    const [read] = await carol.historyAfter('read', 0);
    assert.deepEqual(read.reactions, reactions, `history, ${where}`);
    const rest = stack.rest('bob', stack.gatewayUrl(1));
    assert.deepEqual((await rest.expect(200, 'GET', `/v1/messages/${messageId}`)).reactions, reactions, `REST, ${where}`);
  };
  await check('while it may be in Redis alone');
  await stored(messageId, (rows) => rows.length === 3);
  await check('from Postgres');
});

test('many who react at once all count, whichever gateway they are at', async () => {
  const users = Array.from({ length: 20 }, (_, index) => `user${index}`);
  const joined = await stack.joined('crowd', ...users);
  const { id: messageId } = await joined[0].say('crowd', 'now');
  await Promise.all(joined.flatMap((member, index) => [
    member.must('reaction:toggle', { messageId, emoji: index % 2 ? 'odd' : 'even' }),
    member.must('reaction:toggle', { messageId, emoji: 'all' }),
    member.must('reaction:toggle', { messageId, emoji: 'gone' }),
    member.must('reaction:toggle', { messageId, emoji: 'gone' }),
  ]));
  const { message } = await joined[1].must('message:get', { messageId });
  const counts = Object.fromEntries(message.reactions.map(({ emoji, users: who, count }) => [emoji, who.length === count && count]));
  assert.deepEqual(counts, { even: 10, odd: 10, all: 20 });
  // 80 updates, of which one's own four are left out.
  await until('everybody is told', () => joined.every((member) => member.events('reaction:updated').length === 76));
  const rows = await stored(messageId, (found) => found.length === 60);
  assert.equal(rows.filter(({ active }) => active).length, 40);
});

test('a message that was taken back has no reactions and gets none', async () => {
  const [alice, bob] = await stack.joined('taken', 'alice', 'bob');
  const { id: messageId } = await alice.say('taken', 'oops');
  await bob.must('reaction:toggle', { messageId, emoji: 'a' });
  await alice.must('message:delete', { messageId });
  const { error } = await bob.command('reaction:toggle', { messageId, emoji: 'a' });
  assert.equal(error.code, 'not_found');
  assert.deepEqual((await bob.must('message:get', { messageId })).message.reactions, []);
  assert.deepEqual((await bob.historyAfter('taken', 0))[0].reactions, []);
});

test('a backend reacts for a user, with the same results', async () => {
  const [alice, bob] = await stack.joined('backend', 'alice', 'bob');
  const { id: messageId } = await alice.say('backend', 'hello');
  const rest = stack.rest('bob', stack.gatewayUrl(1));
  const path = `/v1/messages/${messageId}/reactions`;
  const on = { messageId, emoji: '👩🏽‍💻', active: true, reactions: [reaction('👩🏽‍💻', 'bob')] };
  const one = `${path}/${encodeURIComponent('👩🏽‍💻')}`;
  assert.deepEqual(await rest.expect(200, 'POST', path, { emoji: '👩🏽‍💻' }), on);
  assert.deepEqual(await rest.expect(200, 'PUT', one), on);
  assert.deepEqual(await bob.must('reaction:add', { messageId, emoji: '👩🏽‍💻' }), { ok: true, ...on });
  assert.deepEqual(await rest.expect(200, 'DELETE', one), { ...on, active: false, reactions: [] });
  await alice.told('reaction:updated', ({ active }) => !active);
  assert.deepEqual(alice.events('reaction:updated').map(({ active }) => active), [true, false]);
});

test('what does not fit is refused with one code by socket and by request', async () => {
  const [alice, bob] = await stack.joined('refused', 'alice', 'bob');
  await stack.conversation('elsewhere', 'carol');
  const carol = await stack.member('carol');
  const { id: messageId } = await alice.say('refused', 'hello');
  const { id: foreign } = await carol.say('elsewhere', 'not for bob');
  const rest = stack.rest('bob');
  const table = [
    [messageId, '', 'invalid_payload', 400],
    [messageId, 'two words', 'invalid_payload', 400],
    [messageId, 'x'.repeat(65), 'invalid_payload', 400],
    [messageId, 7, 'invalid_payload', 400],
    [messageId, null, 'invalid_payload', 400],
    ['nope', 'a', 'invalid_payload', 400],
    [foreign, 'a', 'not_found', 404],
    ['0199f3c2-0000-7000-8000-000000000000', 'a', 'not_found', 404],
  ];
  for (const [id, emoji, code, status] of table) {
    for (const event of ['reaction:toggle', 'reaction:add', 'reaction:remove']) {
      const { ok, error } = await bob.command(event, { messageId: id, emoji });
      assert.deepEqual([ok, error?.code], [false, code], `${event} ${id} ${emoji}`);
    }
    const answer = await rest.call('POST', `/v1/messages/${id}/reactions`, { emoji });
    assert.deepEqual([answer.status, answer.body.code], [status, code], `POST ${id} ${emoji}`);
  }
  assert.deepEqual(await stack.database.rows('SELECT * FROM reactions WHERE message_id = $1', messageId), []);
});

test('reactions survive a restart of Redis, and toggles after it know them', async () => {
  const [alice, bob] = await stack.joined('restarted', 'alice', 'bob');
  const { id: messageId } = await alice.say('restarted', 'hello');
  await bob.must('reaction:toggle', { messageId, emoji: 'a' });
  await stack.redis.program.stop('SIGKILL');
  await stack.redis.start();
  const toggled = await until('alice can react again', async () => {
    const reply = await alice.command('reaction:add', { messageId, emoji: 'a' });
    if (!reply.ok && !reply.error.retryable) throw new Error(JSON.stringify(reply));
    return reply.ok ? reply : undefined;
  }, 30_000);
  assert.deepEqual(toggled.reactions, [reaction('a', 'bob', 'alice')]);
  const off = await bob.must('reaction:toggle', { messageId, emoji: 'a' });
  assert.deepEqual([off.active, off.reactions], [false, [reaction('a', 'alice')]]);
  const rows = await stored(messageId, (found) => found.length === 2 && found.some(({ active }) => !active));
  assert.deepEqual(rows.map((row) => [row.user_id, row.active]), [['alice', true], ['bob', false]]);
});
