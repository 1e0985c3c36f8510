// A sixth vocabulary, which exists in this file alone: a dialect file in the operator's folder serves its clients, live, and
// is replaced while the gateway runs.
import assert from 'node:assert/strict';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';

import { AppClient, closeAppClients } from '../harness/app_client.js';
import { Applications } from '../harness/applications.js';
import { logs } from '../harness/paths.js';
import { until } from '../harness/wait.js';

const folder = join(logs, 'app_invented-dialects');
const file = join(folder, 'lighthouse.toml');

const LIGHTHOUSE = `
name = "lighthouse"
times = "epoch-ms"

[ids.conversation]
type = "number"
prefix = "tower-"

[answer]
ack = { done = true }

[failure]
ack = { done = false, why = "{code}" }

[[failure.emit]]
event = "fog"
payload = "{message}"

[[inbound]]
event = "climb"
command = "conversation.join"
fields.conversation = "$"

[[inbound.answer.emit]]
event = "climbed"
payload = ["{conversationId}", "{seq}"]

[[inbound]]
event = "flash"
command = "message.send"
fields.conversation = "$"
fields.content = "$2 | trim"
fields.metadata = { colour = "$3.colour" }
answer.ack = { done = true, flash = "{message.seq}" }

[[inbound]]
event = "wave"
command = "reaction.toggle"
fields.message = "of"
fields.emoji = "with"

[[outbound]]
on = "session.ready"
event = "lit"
payload = { keeper = "{userId}" }

[[outbound]]
on = "message.created"
event = "flashed"
payload = { tower = "{conversationId}", keeper = "{senderId}", text = "{content}", colour = '{metadata.colour ?? "white"}', at = "{createdAt}", id = "{id}" }

[[outbound]]
on = "reaction.updated"
event = "waved"
payload."hands[reactions by emoji]" = "{count}"
`;

let apps;

before(async () => {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(file, LIGHTHOUSE);
  apps = await Applications.start('app_invented', { env: { PARLANCE__GATEWAY__DIALECTS_FOLDER: folder } });
  await apps.rest().expect(201, 'POST', '/v1/conversations', { id: 'tower-9', participants: ['kay', 'lou'] });
});

afterEach(closeAppClients);
after(async () => apps?.stop());

const connect = (user, namespace, index = 0) =>
  new AppClient(apps.url + namespace, { auth: { token: apps.token({ sub: user }) }, transports: ['websocket'], from: apps.place(index) });

test('its clients talk with each other and with those of another application', async () => {
  const kay = connect('kay', '/lighthouse');
  const lou = connect('lou', '/rooms', 1);
  assert.deepEqual(await kay.told('lit'), { keeper: 'kay' });
  assert.deepEqual(await kay.ack('climb', 9), { done: true });
  assert.deepEqual(await kay.told('climbed'), [9, 0]);
  assert.deepEqual(await lou.ack('join-room', { conversationId: 'tower-9' }), { success: true });
  assert.deepEqual(await kay.ack('flash', 9, '  short, long ', { colour: 'red' }), { done: true, flash: 1 });
  const { at, id, ...flashed } = await kay.told('flashed');
  assert.deepEqual(flashed, { tower: 9, keeper: 'kay', text: 'short, long', colour: 'red' });
  assert.equal(typeof at, 'number');
  assert.equal((await lou.told('message:new')).content, 'short, long');
  lou.emit('send-message', { temp_id: 't', conversationId: 'tower-9', content: 'seen' });
  assert.equal((await kay.told('flashed', ({ keeper }) => keeper === 'lou')).colour, 'white');
  lou.emit('react', { messageId: id, emoji: '👋' });
  assert.deepEqual(await kay.told('waved'), { hands: { '👋': 1 } });
  kay.emit('dive');
  assert.equal(typeof (await kay.told('fog')), 'string');
});

/** Makes every gateway read its folder again, and waits for what the condition asks of all. */
async function reload(what, condition) {
  for (const { program } of apps.stack.gateways) program.signal('SIGHUP');
  for (const [index] of apps.stack.gateways.entries()) await until(what, () => condition(index));
}

/** Whether the gateway's log has a line with these words. */
const logged = (words) => (index) => apps.stack.gateways[index].program.logText().includes(words);

test('it is changed while the gateways run: new connections speak the new words, old ones go on', async () => {
  const before = connect('kay', '/lighthouse');
  await before.told('lit');
  assert.deepEqual(await before.ack('climb', 9), { done: true });
  writeFileSync(file, LIGHTHOUSE.replaceAll('"flashed"', '"shone"').replace('name = "lighthouse"', 'name = "lighthouse"\nnamespaces = ["/beacon"]'));
  await reload('the new words are spoken', async (index) => {
    const probe = connect('lou', '/beacon', index);
    try {
      await until('it is let in', () => probe.events('lit').length > 0, 2_000);
      return true;
    } finally {
      probe.close();
    }
  });
  const after = connect('kay', '/lighthouse', 1);
  assert.deepEqual(await after.ack('climb', 9), { done: true });
  await after.ack('flash', 9, 'both');
  assert.equal((await after.told('shone', ({ text }) => text === 'both')).tower, 9);
  assert.equal((await before.told('flashed', ({ text }) => text === 'both')).tower, 9);
  assert.deepEqual([after.events('flashed'), before.events('shone')], [[], []]);
});

test('a file with a mistake changes nothing, and it is said why', async () => {
  writeFileSync(file, `${LIGHTHOUSE}\ncolour = "red"\n[[inbound]]\nevent = "x"\ncommand = "message.sent"\n`);
  await reload('the mistake is told of', logged('message.sent'));
  const kay = connect('kay', '/lighthouse');
  await kay.told('lit');
  const metrics = await (await fetch(`http://127.0.0.1:${apps.stack.gateways[0].adminPort}/metrics`)).text();
  assert.match(metrics, /parlance_dialect_reloads_total\{[^}]*result="refused"[^}]*\} 1/);
});
