// Tokens as unmodified clients bring them: where they stand, what is said of bad ones, and how they end.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, before, test } from 'node:test';

import { Member } from '../harness/member.js';
import { Stack, UNLIMITED } from '../harness/stack.js';
import { until, within } from '../harness/wait.js';

const PAGE = 'https://app.example.com';

let stack;

before(async () => {
  stack = await Stack.start({
    name: 'auth',
    gatewayEnv: { ...UNLIMITED, PARLANCE__AUTH__TOKEN_COOKIE: 'session', CLIENT_URL: PAGE },
  });
});
after(() => stack?.stop());

const seconds = () => Math.floor(Date.now() / 1000);
/** A token that was issued so many seconds ago. */
const issued = (user, ago) => stack.token(user, { iat: seconds() - ago, exp: seconds() + 600 });

/** The text of the connect_error. */
async function refusal(token, options) {
  const member = new Member(stack.gatewayUrl(0), 'mallory', token, { ...options, reconnection: false });
  const error = await within(5000, 'connect_error', new Promise((resolve) => member.socket.once('connect_error', resolve)));
  assert.equal(member.connects, 0);
  member.close();
  return error.message;
}

const places = {
  'auth': (token) => [token, {}],
  'auth, as a header has it': (token) => [`Bearer ${token}`, {}],
  'the Authorization header': (token) => [undefined, { extraHeaders: { authorization: `Bearer ${token}` } }],
  'a cookie': (token) => [undefined, { extraHeaders: { cookie: `a=b; session=${token}`, origin: PAGE } }],
  'the query': (token) => [undefined, { query: { token } }],
};

for (const transport of ['websocket', 'polling']) {
  for (const [place, put] of Object.entries(places)) {
    test(`a token is taken from ${place} (${transport})`, async () => {
      const [token, options] = put(issued('alice', 1));
      const alice = await Member.connect(stack.gatewayUrl(0), 'alice', token, { ...options, transports: [transport] });
      assert.equal((await alice.told('session:ready')).userId, 'alice');
      alice.close();
      const [bad, same] = put('not.a.token');
      assert.equal(await refusal(bad, { ...same, transports: [transport] }), 'token_malformed');
    });
  }
}

/** A token with this header and these claims as they are, signed with the secret of the stack. */
function signed(header, claims) {
  const [, , signature] = stack.token('x').split('.');
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return [part(header), part(claims), signature].join('.');
}

const claims = () => ({ sub: 'root', exp: seconds() + 600 });
const nested = (depth) => JSON.parse(`${'['.repeat(depth)}${']'.repeat(depth)}`);
const hostile = {
  'whose algorithm was swapped': () => signed({ alg: 'RS256' }, claims()),
  'that brings its own key': () => signed({ alg: 'HS256', jwk: { kty: 'oct', k: 'AAAA' } }, claims()),
  'that says where its key is': () => signed({ alg: 'HS256', jku: 'http://127.0.0.1:9/', x5u: 'http://127.0.0.1:9/' }, claims()),
  'that names a file as its key': () => signed({ alg: 'HS256', kid: '../../../../dev/null' }, claims()),
  'signed with nothing': () => {
    const [head, body] = signed({ alg: 'HS256' }, claims()).split('.');
    return `${head}.${body}.${createHmac('sha256', '').update(`${head}.${body}`).digest('base64url')}`;
  },
  'that is huge': () => signed({ alg: 'HS256' }, { ...claims(), x: 'x'.repeat(20_000) }),
  'that is nested deeply': () => signed({ alg: 'HS256', x: nested(1_000) }, { ...claims(), x: nested(1_000) }),
};
for (const [what, token] of Object.entries(hostile)) {
  test(`a token ${what} is refused`, async () => {
    // A header that is nested so deeply cannot be read as one.
    assert.equal(await refusal(token()), what === 'that is nested deeply' ? 'token_malformed' : 'token_invalid');
  });
}

test('revoked tokens end their sockets on both gateways, and new ones go on', async () => {
  const old = issued('rita', 30);
  const [here, there] = [await Member.connect(stack.gatewayUrl(0), 'rita', old), await Member.connect(stack.gatewayUrl(1), 'rita', old)];
  const other = await stack.member('sam');
  const { before } = await stack.rest().expect(200, 'POST', '/v1/users/rita/revoke', {});
  for (const member of [here, there]) {
    await until('it has ended', () => member.disconnects.length > 0);
    assert.deepEqual(member.disconnects, ['io server disconnect'], 'it does not come back by itself');
    assert.equal(member.events('error')[0].code, 'token_revoked');
  }
  assert.equal(await refusal(old), 'token_revoked');
  const late = stack.token('rita', { iat: Math.ceil(Date.parse(before) / 1000) });
  const back = await Member.connect(stack.gatewayUrl(1), 'rita', late);
  const refused = await back.command('session:authenticate', { token: old });
  assert.deepEqual([refused.ok, refused.error.code], [false, 'token_revoked']);
  assert.equal((await back.command('ping')).ok, true);
  assert.deepEqual(other.disconnects, []);
});

test('a socket is told that its token ends, and goes on with another', async () => {
  const member = await Member.connect(stack.gatewayUrl(0), 'tess', stack.token('tess', { exp: seconds() + 30 }));
  const { expiresInMs } = await member.told('session:expiring');
  assert.ok(expiresInMs <= 30_000, `${expiresInMs}`);
  const { expiresAt } = await member.must('session:authenticate', { token: issued('tess', 0) });
  assert.ok(Date.parse(expiresAt) > Date.now() + 500_000);
});
