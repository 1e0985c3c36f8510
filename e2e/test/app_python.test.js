// Another implementation of Socket.IO clients: python-socketio, against the rooms application's dialect.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { promisify } from 'node:util';

import { AppClient, closeAppClients } from '../harness/app_client.js';
import { Applications } from '../harness/applications.js';
import { repository } from '../harness/paths.js';

const run = promisify(execFile);

let apps;

before(async () => {
  apps = await Applications.start('app_python');
});

afterEach(closeAppClients);
after(async () => apps?.stop());

/** Runs the client to its end and returns what it saw. */
async function python(token, conversation, transport) {
  const program = join(repository, 'e2e/clients/rooms.py');
  const { stdout } = await run(join(repository, 'e2e/.venv/bin/python'), [program, apps.url, token, conversation, transport], { timeout: 60_000 });
  return JSON.parse(stdout);
}

for (const transport of ['websocket', 'polling']) {
  test(`python-socketio on ${transport} joins, sends, reacts and is answered`, async () => {
    const conversationId = `python-${transport}`;
    await apps.rest('snake').createConversation(conversationId, ['snake', 'ann']);
    const ann = new AppClient(`${apps.url}/rooms`, { auth: { token: apps.token({ sub: 'ann' }) }, transports: ['websocket'] });
    assert.deepEqual(await ann.ack('join-room', { conversationId }), { success: true });
    const running = python(apps.token({ sub: 'snake' }), conversationId, transport);
    const { id } = await ann.told('message:new', ({ content }) => content === 'from Python');
    await ann.told('reaction:update', ({ messageId }) => messageId === id);
    ann.emit('send-message', { temp_id: 'a', conversationId, content: 'hello, Python' });
    const seen = await running;
    assert.equal(seen.transport, transport);
    assert.deepEqual(seen.joined, { conversationId });
    assert.deepEqual(seen.sent, { success: true, messageId: id });
    assert.deepEqual([seen.message.id, seen.message.temp_id, seen.message.senderId], [id, 'py-1', 'snake']);
    assert.deepEqual(seen.reacted, { success: true });
    assert.deepEqual(seen.reactions, { '🐍': { count: 1, users: ['snake'], userNames: ['Snake'] } });
    assert.equal(seen.answer, 'hello, Python');
    assert.deepEqual(seen.refused, { success: false, error: 'You are not a participant in this conversation' });
  });
}

test('its refusal has the text', async () => {
  assert.deepEqual(await python('no token at all', 'x', 'websocket'), { refusal: 'Authentication failed' });
});
