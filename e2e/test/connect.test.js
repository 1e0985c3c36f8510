// Who is let in: tokens, where they may stand, and what is said to those who have none that counts.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Member } from '../harness/member.js';
import { Stack } from '../harness/stack.js';
import { mintToken, unsignedToken } from '../harness/token.js';
import { within } from '../harness/wait.js';

let stack;

before(async () => {
  stack = await Stack.start({ name: 'connect', gateways: 1 });
});
after(() => stack?.stop());

async function refusal(token, options) {
  const member = new Member(stack.gatewayUrl(0), 'mallory', token, { ...options, reconnection: false });
  const refused = new Promise((resolve) => member.socket.once('connect_error', resolve));
  const error = await within(5000, 'connect_error', refused);
  assert.equal(member.connects, 0);
  assert.deepEqual(member.received, []);
  member.close();
  return error.message;
}

const minutesAgo = (minutes) => Math.floor(Date.now() / 1000) - 60 * minutes;

const refused = {
  'no token': [() => undefined, 'token_missing'],
  'an empty token': [() => '', 'token_missing'],
  'something that is no token': [() => 'open sesame', 'token_malformed'],
  'a token of another type': [() => ({ sub: 'mallory' }), /^token_(missing|invalid)$/],
  'an expired token': [() => stack.token('mallory', { exp: minutesAgo(10) }), 'token_expired'],
  'a token that is not valid yet': [() => stack.token('mallory', { nbf: minutesAgo(-10) }), 'token_invalid'],
  'a token forged with another secret': [() => mintToken('another-secret', 'mallory'), 'token_invalid'],
  'a token whose claims were changed': [() => withOtherClaims(stack.token('mallory')), 'token_invalid'],
  'an alg:none token': [() => unsignedToken('mallory'), 'token_invalid'],
  'an alg:none token with a signature': [() => unsignedToken('mallory', 'c2lnbmF0dXJl'), 'token_invalid'],
  'a token without a user': [() => stack.token('mallory', { sub: undefined }), 'token_invalid'],
  'a token whose user id is too long': [() => stack.token('m'.repeat(300)), 'token_invalid'],
};

for (const transport of ['websocket', 'polling']) {
  for (const [what, [token, code]] of Object.entries(refused)) {
    test(`${what} is refused with a code (${transport})`, async () => {
      const message = await refusal(token(), { transports: [transport] });
      if (typeof code === 'string') assert.equal(message, code);
      else assert.match(message, code);
    });
  }
}

const elsewhere = {
  'the Authorization header': (token) => ({ extraHeaders: { authorization: `Bearer ${token}` } }),
  'the query': (token) => ({ query: { token } }),
};
for (const [place, options] of Object.entries(elsewhere)) {
  test(`a token may stand in ${place}`, async () => {
    const alice = await Member.connect(stack.gatewayUrl(0), 'alice', undefined, options(stack.token('alice')));
    assert.equal((await alice.told('session:ready')).userId, 'alice');
    alice.close();
  });
}

test('beyond 20 events at once a command is refused with the time after which it is not', async () => {
  const alice = await stack.member('alice');
  const replies = await Promise.all(Array.from({ length: 60 }, () => alice.command('ping')));
  const refusals = replies.filter(({ ok }) => !ok).map(({ error }) => error);
  assert.ok(replies.slice(0, 20).every(({ ok }) => ok), 'the first 20 pass');
  assert.ok(refusals.length >= 20, `${refusals.length} are refused`);
  for (const { code, retryable, retryAfterMs } of refusals) {
    assert.deepEqual([code, retryable], ['rate_limited', true]);
    assert.ok(retryAfterMs > 0 && retryAfterMs <= 5000, `${retryAfterMs} ms`);
  }
  assert.deepEqual(alice.disconnects, []);
  await within(10_000, 'a ping passes again', (async () => {
    while (!(await alice.command('ping')).ok);
  })());
  alice.close();
});

function withOtherClaims(token) {
  const [header, claims, signature] = token.split('.');
  const changed = { ...JSON.parse(Buffer.from(claims, 'base64url')), sub: 'alice' };
  return [header, Buffer.from(JSON.stringify(changed)).toString('base64url'), signature].join('.');
}
