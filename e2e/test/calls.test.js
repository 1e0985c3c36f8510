// Calls: rung, answered and ended over two gateways, with everybody told and the rows in Postgres following; missed when
// nobody answers; signals for those whom they are for.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Stack, UNLIMITED } from '../harness/stack.js';
import { until } from '../harness/wait.js';

const RING_TIMEOUT_MS = 2000;
let stack;

before(async () => {
  stack = await Stack.start({
    name: 'calls',
    gatewayEnv: UNLIMITED,
    workerEnv: { PARLANCE__CALLS__RING_TIMEOUT: `${RING_TIMEOUT_MS}ms` },
  });
});
after(() => stack?.stop());

const profile = (id) => ({ id, name: id[0].toUpperCase() + id.slice(1) });
const participant = (id, joinedAt) => ({ userId: id, user: profile(id), joinedAt });

async function rows(id) {
  const [call] = await stack.database.rows('SELECT * FROM calls WHERE id = $1', id);
  const participants = await stack.database.rows(
    'SELECT user_id, joined_at FROM call_participants WHERE call_id = $1',
    id,
  );
  return { call, participants };
}

test('a call is rung, answered, joined and ended, and everybody knows', async () => {
  const [alice, bob, carol] = await stack.joined('talk', 'alice', 'bob', 'carol');
  const everybody = [alice, bob, carol];
  const told = async (event, call) => {
    for (const member of everybody) {
      assert.deepEqual(await member.told(event, ({ offset }) => offset === call.offset), call, `${event} of ${member.user}`);
    }
  };

  const { call: ringing } = await alice.must('call:start', { conversationId: 'talk', type: 'video' });
  const { id, startedAt, offset, epoch } = ringing;
  assert.deepEqual(ringing, {
    id,
    conversationId: 'talk',
    type: 'video',
    status: 'ringing',
    startedBy: 'alice',
    caller: profile('alice'),
    startedAt,
    answeredAt: null,
    answeredBy: null,
    endedAt: null,
    endedBy: null,
    durationMs: null,
    participants: [participant('alice', startedAt)],
    offset,
    epoch,
  });
  await told('call:started', ringing);

  const { call: ongoing } = await bob.must('call:answer', { callId: id });
  const { answeredAt } = ongoing;
  assert.deepEqual(ongoing, {
    ...ringing,
    status: 'ongoing',
    answeredAt,
    answeredBy: 'bob',
    participants: [participant('alice', startedAt), participant('bob', answeredAt)],
    offset: offset + 1,
  });
  await told('call:answered', ongoing);

  const { call: joined } = await carol.must('call:answer', { callId: id });
  assert.equal(joined.answeredAt, answeredAt);
  assert.equal(joined.answeredBy, 'carol');
  assert.deepEqual(joined.participants.map(({ userId }) => userId), ['alice', 'bob', 'carol']);
  await told('call:answered', joined);

  const { call: ended } = await bob.must('call:end', { callId: id });
  assert.deepEqual(ended, {
    ...joined,
    status: 'ended',
    endedAt: ended.endedAt,
    endedBy: 'bob',
    durationMs: Date.parse(ended.endedAt) - Date.parse(answeredAt),
    offset: offset + 3,
  });
  await told('call:ended', ended);
  assert.deepEqual((await carol.must('call:get', { callId: id })).call, ended);

  const stored = await until('the rows are as they should be', async () => {
    const found = await rows(id);
    return found.call?.status === 'ended' ? found : undefined;
  });
  assert.equal(stored.call.type, 'video');
  assert.equal(stored.call.started_by, 'alice');
  assert.equal(stored.call.ended_by, 'bob');
  assert.equal(Number(stored.call.rev), ended.offset);
  const times = ({ started_at: s, answered_at: a, ended_at: e }) => [s, a, e].map((time) => time.toISOString());
  assert.deepEqual(times(stored.call), [startedAt, answeredAt, ended.endedAt]);
  assert.deepEqual(
    stored.participants.map(({ user_id: user, joined_at: at }) => [user, at.toISOString()]).sort(),
    ended.participants.map(({ userId, joinedAt }) => [userId, joinedAt]).sort(),
  );
  const rest = stack.rest('alice', stack.gatewayUrl(1));
  assert.deepEqual(await rest.expect(200, 'GET', `/v1/calls/${id}`), ended);
  assert.deepEqual(await rest.expect(200, 'GET', '/v1/conversations/talk/calls'), { calls: [ended], nextCursor: null });
});

test('nobody answers, and the call is missed', async () => {
  const [alice, bob] = await stack.joined('missed', 'alice', 'bob');
  const { call } = await alice.must('call:start', { conversationId: 'missed' });
  assert.equal(call.type, 'audio');
  for (const member of [alice, bob]) {
    const missed = await member.told('call:ended', ({ id }) => id === call.id);
    assert.deepEqual(missed, {
      ...call,
      status: 'missed',
      endedAt: missed.endedAt,
      durationMs: 0,
      offset: call.offset + 1,
    });
    assert.ok(Date.parse(missed.endedAt) - Date.parse(call.startedAt) >= RING_TIMEOUT_MS);
  }
  const late = await bob.command('call:answer', { callId: call.id });
  assert.deepEqual([late.ok, late.error.code], [false, 'conflict']);
  await until('the row follows', async () => (await rows(call.id)).call?.status === 'missed');
});

test('of two ends at once exactly one succeeds, and all are told of one', async () => {
  const [alice, bob] = await stack.joined('twice', 'alice', 'bob');
  for (let round = 1; round <= 10; round += 1) {
    const { call } = await alice.must('call:start', { conversationId: 'twice' });
    const ends = await Promise.all([alice, bob].map((member) => member.command('call:end', { callId: call.id })));
    const [refused] = ends.filter(({ ok }) => !ok);
    assert.equal(ends.filter(({ ok }) => ok).length, 1, JSON.stringify(ends));
    assert.deepEqual([refused.error.code, refused.error.retryable], ['conflict', false]);
    await bob.told('call:ended', ({ id }) => id === call.id);
  }
  await bob.must('ping', {});
  assert.equal(bob.events('call:ended').length, 10);
});

test('signals reach the sockets of those whom they are for, untouched', async () => {
  const [alice, bob, carol] = await stack.joined('signals', 'alice', 'bob', 'carol');
  const phone = await stack.member('bob', { url: stack.gatewayUrl(0) });
  const { call } = await alice.must('call:start', { conversationId: 'signals' });
  const offer = { type: 'offer', sdp: 'v=0\r\no=- 46117 2 IN IP4 127.0.0.1\r\n', nested: [null, 1.5, { ü: '"' }] };
  assert.deepEqual(await alice.must('call:signal', { callId: call.id, to: 'bob', payload: offer }), { ok: true });
  const expected = {
    callId: call.id,
    conversationId: 'signals',
    userId: 'alice',
    user: profile('alice'),
    payload: offer,
  };
  assert.deepEqual(await bob.told('call:signal'), expected);
  assert.deepEqual(await phone.told('call:signal'), expected, 'on all devices, also where nothing was joined');

  await bob.must('call:answer', { callId: call.id });
  await bob.must('call:signal', { callId: call.id, payload: { candidate: null } });
  assert.deepEqual((await alice.told('call:signal')).payload, { candidate: null });
  const early = await carol.command('call:signal', { callId: call.id, to: 'mallory', payload: 1 });
  assert.equal(early.error.code, 'not_found', 'a stranger');
  await carol.must('ping', {});
  assert.equal(carol.events('call:signal').length, 0);
  await alice.must('call:end', { callId: call.id });
  const late = await bob.command('call:signal', { callId: call.id, payload: 1 });
  assert.equal(late.error.code, 'conflict');
});

test('foreign, unknown and malformed calls are refused with a code, by socket and by REST', async () => {
  const [alice] = await stack.joined('refused', 'alice', 'bob');
  await stack.conversation('theirs', 'bob', 'carol');
  const bob = await stack.member('bob');
  const { call: foreign } = await bob.must('call:start', { conversationId: 'theirs' });
  const { call: own } = await alice.must('call:start', { conversationId: 'refused' });
  const rest = stack.rest('alice', stack.gatewayUrl(1));
  const table = [
    ['call:start', { conversationId: 'theirs' }, 'not_a_participant', 403, '/v1/conversations/theirs/calls', {}],
    ['call:start', { conversationId: 'refused', type: 'a b' }, 'invalid_payload', 400, '/v1/conversations/refused/calls', { type: 'a b' }],
    ['call:answer', { callId: foreign.id }, 'not_found', 404, `/v1/calls/${foreign.id}/answer`, undefined],
    ['call:answer', { callId: own.id }, 'conflict', 409, `/v1/calls/${own.id}/answer`, undefined],
    ['call:end', { callId: foreign.id }, 'not_found', 404, `/v1/calls/${foreign.id}/end`, undefined],
    ['call:end', { callId: 'nope' }, 'invalid_payload', 400, '/v1/calls/nope/end', undefined],
    ['call:end', { callId: '0199f3c2-0000-7000-8000-000000000000' }, 'not_found', 404, '/v1/calls/0199f3c2-0000-7000-8000-000000000000/end', undefined],
    ['call:signal', { callId: foreign.id, payload: 1 }, 'not_found', 404, `/v1/calls/${foreign.id}/signals`, { payload: 1 }],
    ['call:signal', { callId: own.id, to: 'carol', payload: 1 }, 'not_found', 404, `/v1/calls/${own.id}/signals`, { to: 'carol', payload: 1 }],
    ['call:signal', { callId: own.id, to: 'bob', payload: 'x'.repeat(65536) }, 'invalid_payload', 400, `/v1/calls/${own.id}/signals`, { to: 'bob', payload: 'x'.repeat(65536) }],
  ];
  for (const [event, payload, code, status, path, body] of table) {
    const shown = `${event} ${JSON.stringify(payload).slice(0, 80)}`;
    const { ok, error } = await alice.command(event, payload);
    assert.deepEqual([ok, error?.code], [false, code], shown);
    const answer = await rest.call('POST', path, body);
    assert.deepEqual([answer.status, answer.body.code, answer.body.detail], [status, code, error.message], shown);
  }
});
