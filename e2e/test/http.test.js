// What HTTP does around the events, with real clients through nginx: compressed polling and REST, preflights, and pages
// that are not let in.
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { after, before, test } from 'node:test';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';

import { Fetch, NodeXHR, io } from 'socket.io-client';
import { WebSocket } from 'ws';

import { Stack, UNLIMITED } from '../harness/stack.js';
import { within } from '../harness/wait.js';

const OURS = 'https://app.example.com';
const FOREIGN = 'https://app.example.com.evil.org';
const LONG = 'a long story, '.repeat(20_000);

let stack;

before(async () => {
  stack = await Stack.start({
    name: 'http',
    nginx: true,
    gatewayEnv: { ...UNLIMITED, PARLANCE__SERVER__ORIGINS: `${OURS},http://localhost:5173` },
  });
});
after(() => stack?.stop());

/** One request with these headers and no others, and the answer as it came. */
function ask(method, path, headers = {}, url = stack.nginx.url) {
  const answered = new Promise((resolve, reject) => {
    const asked = request(url + path, { method, headers }, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks) }));
    });
    asked.on('error', reject);
    asked.end();
  });
  return within(10_000, `${method} ${path} is answered`, answered);
}

const words = (header = '') => header.toLowerCase().split(',').map((word) => word.trim());

/** What each answer that `fetch` gets meanwhile is encoded in. */
async function encodings(run) {
  const plain = globalThis.fetch;
  const seen = [];
  globalThis.fetch = async (...args) => {
    const response = await plain(...args);
    seen.push(response.headers.get('content-encoding'));
    return response;
  };
  try {
    await run();
  } finally {
    globalThis.fetch = plain;
  }
  return seen;
}

for (const [name, accepts] of Object.entries({ gzip: 'gzip', br: 'br', 'what fetch takes by itself': undefined })) {
  test(`a polling client gets long messages compressed (${name}), whole and in order`, async () => {
    const conversation = await stack.conversation(`compressed-${name}`, 'alice', 'bob');
    const alice = await stack.member('alice');
    await alice.join(conversation);
    const seen = await encodings(async () => {
      const extraHeaders = accepts === undefined ? {} : { 'accept-encoding': accepts };
      const bob = await stack.member('bob', { url: stack.nginx.url, transports: [Fetch], extraHeaders });
      await bob.join(conversation);
      const sent = [];
      for (let number = 0; number < 10; number += 1) sent.push(await alice.say(conversation, `${number} ${LONG} „ü“ 🎈`));
      await bob.told('message:created', ({ id }) => id === sent.at(-1).id);
      assert.deepEqual(bob.messages(conversation), sent);
      const answer = await bob.say(conversation, LONG);
      assert.equal((await alice.told('message:created', ({ id }) => id === answer.id)).content, LONG);
      assert.deepEqual([bob.connects, bob.disconnects], [1, []]);
      bob.close();
    });
    const used = new Set(seen.filter((encoding) => encoding !== null));
    assert.ok(used.size > 0, 'long answers are compressed');
    for (const encoding of used) assert.ok((accepts === undefined ? ['gzip', 'br'] : [accepts]).includes(encoding), encoding);
    assert.ok(seen.includes(null), 'short answers are not');
    alice.close();
  });
}

test('a polling client that asks for no compression gets none', async () => {
  const conversation = await stack.conversation('plain', 'alice', 'bob');
  const alice = await stack.member('alice');
  const bob = await stack.member('bob', { url: stack.nginx.url, transports: [NodeXHR] });
  await bob.join(conversation);
  const sent = await alice.say(conversation, LONG);
  assert.deepEqual(await bob.told('message:created', ({ id }) => id === sent.id), sent);
  alice.close();
  bob.close();
});

test('REST says the same in every encoding', async () => {
  await stack.conversation('history', 'alice');
  const alice = await stack.member('alice');
  for (let number = 0; number < 5; number += 1) await alice.say('history', `${number} ${LONG}`);
  const authorization = `Bearer ${stack.token('alice')}`;
  const path = '/v1/conversations/history/messages';
  const plain = await ask('GET', path, { authorization });
  assert.equal(plain.headers['content-encoding'], undefined);
  const decoders = { gzip: gunzipSync, br: brotliDecompressSync };
  for (const [encoding, decode] of Object.entries(decoders)) {
    const answer = await ask('GET', path, { authorization, 'accept-encoding': encoding });
    assert.equal(answer.headers['content-encoding'], encoding);
    assert.ok(words(answer.headers.vary).includes('accept-encoding'), answer.headers.vary);
    assert.ok(answer.body.length < plain.body.length / 10, `${answer.body.length} of ${plain.body.length} bytes`);
    assert.deepEqual(decode(answer.body), plain.body);
  }
  alice.close();
});

test('a websocket is not compressed, though the client offers it', async () => {
  const url = `${stack.nginx.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`;
  const socket = new WebSocket(url, { perMessageDeflate: true });
  await within(10_000, 'the websocket opens', new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject)));
  assert.equal(socket.extensions, '');
  socket.close();
});

for (const [what, path, sends] of [
  ['polling', '/socket.io/?EIO=4&transport=polling', ['content-type', 'x-header-of-a-client']],
  ['REST', '/v1/conversations/x/messages', ['authorization', 'content-type', 'idempotency-key']],
  ['a change', '/v1/messages/x', ['authorization', 'if-match', 'x-act-as', 'x-api-key']],
  ['a file', '/v1/uploads/x', ['authorization', 'range', 'if-none-match']],
]) {
  test(`preflights: ${what} is allowed for a page that is listed and for no other`, async () => {
    const asking = { 'access-control-request-method': 'POST', 'access-control-request-headers': sends.join(',') };
    const allowed = await ask('OPTIONS', path, { origin: OURS, ...asking });
    assert.ok(allowed.status >= 200 && allowed.status < 300, `${allowed.status}`);
    assert.equal(allowed.headers['access-control-allow-origin'], OURS);
    assert.equal(allowed.headers['access-control-allow-credentials'], 'true');
    assert.ok(words(allowed.headers['access-control-allow-methods']).includes('post'));
    for (const header of sends) {
      assert.ok(words(allowed.headers['access-control-allow-headers']).includes(header), `${header} may be sent`);
    }
    assert.ok(words(allowed.headers.vary).includes('origin'));
    for (const origin of [FOREIGN, 'null', 'http://app.example.com']) {
      const refused = await ask('OPTIONS', path, { origin, ...asking });
      assert.equal(refused.headers['access-control-allow-origin'], undefined, origin);
    }
  });
}

for (const transport of ['websocket', 'polling']) {
  test(`${transport}: a page that is listed connects, and another one does not`, async () => {
    const connecting = (origin) =>
      io(stack.nginx.url, {
        auth: { token: stack.token('alice') }, transports: [transport], extraHeaders: { origin }, forceNew: true, reconnection: false,
      });
    const ours = connecting(OURS);
    await within(10_000, 'it connects', new Promise((resolve, reject) => ours.once('connect', resolve).once('connect_error', reject)));
    ours.close();
    const foreign = connecting(FOREIGN);
    const error = await within(10_000, 'it is refused', new Promise((resolve, reject) => {
      foreign.once('connect_error', resolve);
      foreign.once('connect', () => reject(new Error('a foreign page has connected')));
    }));
    assert.match(`${error.message} ${error.description?.message ?? error.description}`, /403|websocket error|xhr poll error/);
    foreign.close();
  });
}
