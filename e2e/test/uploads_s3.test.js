// Files in an S3-compatible store: one that needs several parts, read back on another gateway, and one that is broken off.
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { logs, repository } from '../harness/paths.js';
import { freePort } from '../harness/ports.js';
import { Program } from '../harness/program.js';
import { Stack, UNLIMITED } from '../harness/stack.js';
import { until } from '../harness/wait.js';

let stack;
let store;
let endpoint;

before(async () => {
  const port = await freePort();
  endpoint = `http://127.0.0.1:${port}`;
  stack = await Stack.start({
    name: 'uploads_s3',
    gatewayEnv: {
      ...UNLIMITED,
      PARLANCE__UPLOADS__STORE: 's3://files/below/here',
      PARLANCE__UPLOADS__S3_ENDPOINT: endpoint,
      PARLANCE__UPLOADS__S3_ACCESS_KEY_ID: 'key',
      PARLANCE__UPLOADS__S3_SECRET_ACCESS_KEY: 'secret',
    },
  });
  store = await Program.start({
    name: 's3',
    log: join(logs, 'uploads_s3', 's3.log'),
    command: [join(repository, 'e2e/.venv/bin/moto_server'), '--host', '127.0.0.1', '--port', `${port}`],
    ready: async () => (await fetch(endpoint)).ok,
    deadline: 60_000,
  });
  assert.ok((await fetch(`${endpoint}/files`, { method: 'PUT' })).ok);
});
after(async () => {
  await stack?.stop();
  await store?.stop('SIGKILL');
});

const bearer = (user) => ({ authorization: `Bearer ${stack.token(user)}` });
const listed = async (query = '') => (await fetch(`${endpoint}/files${query}`)).text();

test('a file of several parts is stored and read back', async () => {
  const bytes = Buffer.alloc(12 * 1024 * 1024);
  for (let at = 0; at < bytes.length; at += 4) bytes.writeUInt32BE((at * 2654435761) % 2 ** 32, at);
  const form = new FormData();
  form.append('file', new Blob([bytes]), 'data.bin');
  const sent = await fetch(`${stack.gatewayUrl(0)}/v1/uploads`, { method: 'POST', headers: bearer('alice'), body: form });
  const upload = await sent.json();
  assert.deepEqual([sent.status, upload.size, upload.contentType], [201, bytes.length, 'application/octet-stream']);
  assert.match(await listed(), new RegExp(`<Key>below/here/${upload.id}</Key>`));
  const read = await fetch(stack.gatewayUrl(1) + upload.url, { headers: bearer('alice') });
  assert.ok(Buffer.from(await read.arrayBuffer()).equals(bytes));
  assert.match(read.headers.get('content-disposition'), /^attachment;/);
  const part = await fetch(stack.gatewayUrl(1) + upload.url, { headers: { ...bearer('alice'), range: 'bytes=6000000-6000009' } });
  assert.ok(Buffer.from(await part.arrayBuffer()).equals(bytes.subarray(6_000_000, 6_000_010)));
  const gone = await fetch(stack.gatewayUrl(0) + upload.url, { method: 'DELETE', headers: bearer('alice') });
  assert.equal(gone.status, 204);
  assert.doesNotMatch(await listed(), new RegExp(upload.id));
});

test('a file that is broken off leaves no part behind', async () => {
  const headers = { ...bearer('bob'), 'content-type': 'multipart/form-data; boundary=x', 'transfer-encoding': 'chunked' };
  const { port } = stack.gateways[0];
  const sending = request({ host: '127.0.0.1', port, method: 'POST', path: '/v1/uploads', headers });
  sending.on('error', () => {});
  const bob = await stack.member('bob');
  sending.write('--x\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\n');
  sending.write(Buffer.alloc(11 * 1024 * 1024, 1));
  await until('two parts are on their way', () => {
    sending.write('.');
    return bob.events('upload:progress').some(({ received }) => received > 10 * 1024 * 1024);
  });
  sending.destroy();
  await until('no upload of parts is open', async () => !(await listed('?uploads')).includes('<UploadId>'));
  assert.doesNotMatch(await listed(), /<Key>/);
});

test('while the store is away files are refused as unavailable, and nothing else suffers', async () => {
  await store.stop('SIGKILL');
  const form = new FormData();
  form.append('file', new Blob(['hello']), 'a.txt');
  const sent = await fetch(`${stack.gatewayUrl(0)}/v1/uploads`, { method: 'POST', headers: bearer('alice'), body: form });
  assert.deepEqual([sent.status, (await sent.json()).code], [503, 'unavailable']);
  const alice = await stack.member('alice');
  assert.equal((await alice.command('ping')).ok, true);
});
