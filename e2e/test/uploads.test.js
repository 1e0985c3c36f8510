// Files: taken in as a form, announced to their sender on every gateway, read by whom they are for and by nobody else,
// and never as something that a browser would run.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { logs } from '../harness/paths.js';
import { Stack, UNLIMITED } from '../harness/stack.js';
import { until } from '../harness/wait.js';

const folder = join(logs, 'uploads', 'files');
const PNG = Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), Buffer.alloc(200_000, 7)]);

let stack;

before(async () => {
  stack = await Stack.start({
    name: 'uploads',
    gatewayEnv: {
      ...UNLIMITED,
      PARLANCE__UPLOADS__STORE: `file://${folder}`,
      PARLANCE__UPLOADS__MAX_BYTES: '6MiB',
    },
  });
});
after(() => stack?.stop());

const bearer = (user) => ({ authorization: `Bearer ${stack.token(user)}` });

async function upload(user, bytes, { name = 'a file.png', conversation, headers = {}, url = stack.gatewayUrl(0) } = {}) {
  const form = new FormData();
  if (conversation !== undefined) form.append('conversation', conversation);
  form.append('file', new Blob([bytes]), name);
  const response = await fetch(`${url}/v1/uploads`, { method: 'POST', headers: { ...bearer(user), ...headers }, body: form });
  return { status: response.status, body: await response.json() };
}

const read = (user, { url }, { headers = {}, method = 'GET', gateway = 1 } = {}) =>
  fetch(stack.gatewayUrl(gateway) + url, { method, headers: { ...(user ? bearer(user) : {}), ...headers } });

test('a file is stored, announced to all devices of its sender, and read on the other gateway', async () => {
  await stack.conversation('album', 'alice', 'bob');
  const alice = await stack.member('alice');
  const elsewhere = await stack.member('alice', { url: stack.gatewayUrl(1) });
  const bob = await stack.member('bob');
  const { status, body } = await upload('alice', PNG, { conversation: 'album', name: 'Grüße aus Köln.png' });
  assert.equal(status, 201);
  const { id, createdAt } = body;
  assert.match(createdAt, /Z$/);
  assert.deepEqual(body, {
    id, url: `/v1/uploads/${id}`, ownerId: 'alice', conversationId: 'album', name: 'Grüße aus Köln.png',
    contentType: 'image/png', size: PNG.length, createdAt,
  });
  for (const device of [alice, elsewhere]) {
    assert.deepEqual(await device.told('upload:completed'), body);
    const progress = await until('the whole is told', () => device.events('upload:progress').find(({ received }) => received === PNG.length));
    assert.deepEqual(Object.keys(progress).sort(), ['received', 'total', 'uploadId']);
    assert.equal(progress.uploadId, id);
    assert.ok(progress.total > PNG.length, 'the form is a little larger than the file');
  }
  assert.deepEqual([bob.events('upload:completed'), bob.events('upload:progress')], [[], []]);

  for (const user of ['alice', 'bob']) {
    const answer = await read(user, body);
    assert.equal(answer.status, 200);
    assert.deepEqual(Buffer.from(await answer.arrayBuffer()), PNG);
    assert.equal(answer.headers.get('content-type'), 'image/png');
    assert.equal(answer.headers.get('x-content-type-options'), 'nosniff');
    assert.equal(answer.headers.get('content-security-policy'), "default-src 'none'; frame-ancestors 'none'; sandbox");
    assert.equal(answer.headers.get('content-disposition'), "inline; filename*=UTF-8''Gr%C3%BC%C3%9Fe%20aus%20K%C3%B6ln.png");
  }
  const byQuery = await read(undefined, { url: `${body.url}?token=${stack.token('bob')}` });
  assert.equal(byQuery.status, 200, 'a picture on a page has no header');
  await byQuery.arrayBuffer();
  const [row] = await stack.database.rows('SELECT owner_id, size, content_type FROM uploads WHERE id = $1', id);
  assert.deepEqual([row.owner_id, Number(row.size), row.content_type], ['alice', PNG.length, 'image/png']);
});

test('parts and versions of a file are read', async () => {
  const { body } = await upload('alice', PNG);
  const part = await read('alice', body, { headers: { range: 'bytes=2-9' } });
  assert.deepEqual([part.status, part.headers.get('content-range')], [206, `bytes 2-9/${PNG.length}`]);
  assert.deepEqual(Buffer.from(await part.arrayBuffer()), PNG.subarray(2, 10));
  const beyond = await read('alice', body, { headers: { range: `bytes=${PNG.length}-` } });
  assert.deepEqual([beyond.status, beyond.headers.get('content-range')], [416, `bytes */${PNG.length}`]);
  const whole = await read('alice', body);
  await whole.arrayBuffer();
  const again = await read('alice', body, { headers: { 'if-none-match': whole.headers.get('etag') } });
  assert.equal(again.status, 304);
});

test('nobody reads or removes what is not for him', async () => {
  await stack.conversation('closed', 'alice', 'bob');
  const own = (await upload('alice', PNG)).body;
  const shared = (await upload('alice', PNG, { conversation: 'closed' })).body;
  for (const [user, file, status, code] of [
    ['bob', own, 404, 'not_found'],
    ['carol', shared, 404, 'not_found'],
    [undefined, own, 401, 'token_missing'],
  ]) {
    const answer = await read(user, file);
    assert.deepEqual([answer.status, (await answer.json()).code], [status, code], `${user}`);
  }
  const removed = await read('bob', shared, { method: 'DELETE' });
  assert.deepEqual([removed.status, (await removed.json()).code], [403, 'forbidden']);
  assert.equal((await read('alice', shared, { method: 'DELETE' })).status, 204);
  assert.equal((await read('bob', shared)).status, 404);
  assert.ok(!readdirSync(folder).includes(shared.id), 'its bytes are gone too');
});

test('what cannot be taken is refused with a code, and nothing of it stays', async () => {
  const files = readdirSync(folder).length;
  const table = [
    ['alice', Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" onload="x()"/>'), {}, 415, 'unsupported_media_type'],
    ['alice', Buffer.from('<!doctype html><script>x()</script>'), { name: 'a.png' }, 415, 'unsupported_media_type'],
    ['alice', Buffer.from('MZ'.padEnd(2000, '\0')), { name: 'a.png' }, 415, 'unsupported_media_type'],
    ['alice', Buffer.alloc(0), {}, 400, 'invalid_payload'],
    ['alice', Buffer.alloc(7 * 1024 * 1024, 1), {}, 413, 'payload_too_large'],
    ['alice', PNG, { name: 'x'.repeat(300) }, 400, 'invalid_payload'],
    ['alice', PNG, { conversation: 'album-of-others' }, 403, 'not_a_participant'],
    ['alice', PNG, { conversation: '' }, 400, 'invalid_payload'],
    ['alice', PNG, { conversation: 'x'.repeat(200) }, 400, 'invalid_payload'],
  ];
  for (const [user, bytes, options, status, code] of table) {
    const answer = await upload(user, bytes, options);
    assert.deepEqual([answer.status, answer.body.code], [status, code], JSON.stringify(options));
  }
  const post = (body, headers) =>
    fetch(`${stack.gatewayUrl(0)}/v1/uploads`, { method: 'POST', headers: { ...bearer('alice'), ...headers }, body });
  const noForm = await post('{}', { 'content-type': 'application/json' });
  assert.deepEqual([noForm.status, (await noForm.json()).code], [415, 'unsupported_media_type']);
  const broken = await post('--x\r\nnonsense', { 'content-type': 'multipart/form-data; boundary=x' });
  assert.deepEqual([broken.status, (await broken.json()).code], [400, 'invalid_payload']);
  const form = new FormData();
  form.append('other', 'x');
  const unknown = await post(form, {});
  assert.deepEqual([unknown.status, (await unknown.json()).code], [400, 'invalid_payload']);
  for (const [path, status] of [['/v1/uploads/nope', 400], ['/v1/uploads/0199f3c2-0000-7000-8000-000000000000', 404]]) {
    assert.equal((await read('alice', { url: path })).status, status, path);
  }
  await until('nothing stays', () => readdirSync(folder).length === files);
});

test('a file whose sender goes away in the middle leaves nothing', async () => {
  const files = readdirSync(folder).length;
  const { port } = stack.gateways[0];
  const headers = { ...bearer('alice'), 'content-type': 'multipart/form-data; boundary=x', 'transfer-encoding': 'chunked' };
  const sending = request({ host: '127.0.0.1', port, method: 'POST', path: '/v1/uploads', headers });
  sending.on('error', () => {});
  sending.write('--x\r\ncontent-disposition: form-data; name="file"; filename="a.png"\r\n\r\n');
  const alice = await stack.member('alice');
  sending.write(PNG);
  await alice.told('upload:progress');
  sending.destroy();
  await new Promise((resolve) => sending.once('close', resolve));
  await until('nothing stays', () => readdirSync(folder).length === files);
});

test('progress is told at most four times a second', async () => {
  const alice = await stack.member('alice');
  const { port } = stack.gateways[0];
  const headers = { ...bearer('alice'), 'content-type': 'multipart/form-data; boundary=x', 'transfer-encoding': 'chunked' };
  const sending = request({ host: '127.0.0.1', port, method: 'POST', path: '/v1/uploads', headers });
  const answered = once(sending, 'response');
  sending.write('--x\r\ncontent-disposition: form-data; name="file"; filename="a.png"\r\n\r\n');
  const begun = Date.now();
  for (let n = 0; n < 40; n += 1) {
    sending.write(PNG.subarray(0, 10_000));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  sending.end('\r\n--x--\r\n');
  const [response] = await answered;
  assert.equal(response.statusCode, 201);
  const seconds = (Date.now() - begun) / 1000;
  await alice.told('upload:completed');
  const told = alice.events('upload:progress');
  assert.ok(told.length >= 2 && told.length <= seconds * 4 + 2, `${told.length} in ${seconds} s`);
  assert.deepEqual(told.map(({ received }) => received), told.map(({ received }) => received).sort((a, b) => a - b));
  assert.deepEqual([told[0].total, told.at(-1).received], [null, 400_000]);
});

test('one user does not take the places of all others', async () => {
  const { port } = stack.gateways[0];
  const headers = { ...bearer('alice'), 'content-type': 'multipart/form-data; boundary=x', 'transfer-encoding': 'chunked' };
  const alice = await stack.member('alice');
  const open = Array.from({ length: 8 }, () => {
    const sending = request({ host: '127.0.0.1', port, method: 'POST', path: '/v1/uploads', headers });
    sending.on('error', () => {});
    sending.write('--x\r\ncontent-disposition: form-data; name="file"; filename="a.png"\r\n\r\n');
    sending.write(PNG);
    return sending;
  });
  await until('all are on their way', () => new Set(alice.events('upload:progress').map(({ uploadId }) => uploadId)).size === 8);
  const refused = await upload('alice', Buffer.from('a text'));
  assert.deepEqual([refused.status, refused.body.code], [503, 'overloaded']);
  assert.equal((await upload('bob', PNG)).status, 201);
  open.forEach((sending) => sending.destroy());
  await until('the places are free again', async () => (await upload('alice', PNG)).status === 201);
});
