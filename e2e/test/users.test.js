// Users are written by a backend, seen by the others under their names, and refreshed by their tokens.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Stack, UNLIMITED } from '../harness/stack.js';

let stack;
let backend;

before(async () => {
  stack = await Stack.start({ name: 'users', gatewayEnv: UNLIMITED });
  backend = stack.rest(undefined, stack.gatewayUrl(1));
});
after(() => stack?.stop());

const row = async (id) => (await stack.database.rows('SELECT * FROM users WHERE id = $1', id))[0];

test('what a backend writes of a user is what others see of him, and what is left out is forgotten', async () => {
  const written = {
    name: 'Alice', username: 'alice.b', avatar: 'https://example.org/a.png', email: 'alice@example.org', role: 'vip',
    metadata: { team: [7] },
  };
  const put = await backend.expect(201, 'PUT', '/v1/users/alice', written);
  assert.deepEqual(put, { id: 'alice', ...written, updatedAt: put.updatedAt });
  assert.deepEqual(await backend.expect(200, 'PUT', '/v1/users/alice', written), put, 'nothing changed');
  await stack.conversation('c', 'alice', 'bob');
  const [alice, bob] = [await stack.member('alice'), await stack.member('bob', { url: stack.gatewayUrl(1) })];
  await bob.join('c');
  await alice.say('c', 'hello');
  const profile = { id: 'alice', name: 'Alice', avatar: 'https://example.org/a.png', role: 'vip' };
  assert.deepEqual((await bob.told('message:created')).sender, profile);
  assert.deepEqual((await bob.must('user:get', { userId: 'alice' })).user, profile);
  assert.deepEqual((await alice.must('user:get', { userId: 'alice' })).user, put, 'all of himself');

  await backend.expect(200, 'PUT', '/v1/users/alice', { name: 'Alice' });
  const { email, metadata, role } = await row('alice');
  assert.deepEqual({ email, metadata, role }, { email: null, metadata: {}, role: null });
});

test('a token changes what it carries and nothing else', async () => {
  await backend.expect(201, 'PUT', '/v1/users/carol', { name: 'Carol', role: 'vip', email: 'carol@example.org' });
  const carol = await stack.member('carol', { claims: { name: 'Carol C.' } });
  const { user } = carol.events('session:ready')[0];
  assert.deepEqual(user, { id: 'carol', name: 'Carol C.', role: 'vip' });
  const { name, role, email } = await row('carol');
  assert.deepEqual({ name, role, email }, { name: 'Carol C.', role: 'vip', email: 'carol@example.org' });
});

test('many users are written all or none, listed, and forgotten', async () => {
  const users = ['m1', 'm2', 'm3'].map((id) => ({ id, name: id.toUpperCase() }));
  const refused = await backend.call('PUT', '/v1/users', { users: [...users, { id: 'm4', name: ' ' }] });
  assert.deepEqual([refused.status, refused.body.code, refused.body.detail], [400, 'invalid_payload', 'users[3].name is blank']);
  assert.equal(await row('m1'), undefined);
  assert.deepEqual(await backend.expect(200, 'PUT', '/v1/users', { users }), { created: 3, updated: 0 });
  assert.deepEqual(await backend.expect(200, 'PUT', '/v1/users', { users }), { created: 0, updated: 3 });
  const found = [];
  for (let cursor = ''; ;) {
    const page = await backend.expect(200, 'GET', `/v1/users?limit=2${cursor}`);
    found.push(...page.users.map(({ id }) => id));
    if (page.nextCursor === null) break;
    cursor = `&cursor=${page.nextCursor}`;
  }
  assert.deepEqual(found.filter((id) => id.startsWith('m')), ['m1', 'm2', 'm3']);
  assert.equal(new Set(found).size, found.length);
  await backend.expect(204, 'DELETE', '/v1/users/m2');
  assert.equal((await backend.call('GET', '/v1/users/m2')).status, 404);
  const dave = await stack.member('dave');
  assert.equal((await dave.command('user:get', { userId: 'm2' })).error.code, 'not_found');
});
