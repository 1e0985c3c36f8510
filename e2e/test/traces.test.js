// A message's trace from the command to its row, as a collector of OpenTelemetry gets it.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { logs, repository } from '../harness/paths.js';
import { freePort } from '../harness/ports.js';
import { Program } from '../harness/program.js';
import { Stack, UNLIMITED } from '../harness/stack.js';
import { until } from '../harness/wait.js';

let collector;
let stack;

before(async () => {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const folder = join(logs, 'traces-collector');
  mkdirSync(folder, { recursive: true });
  collector = await Program.start({
    name: 'collector',
    log: join(folder, `${port}.log`),
    command: [join(repository, 'e2e/.venv/bin/python'), join(repository, 'e2e/clients/collector.py'), `${port}`],
    ready: async () => (await fetch(url)).ok,
  });
  // The exporters gather for five seconds unless they are told otherwise (the specification's own variable).
  const traced = { OTEL_EXPORTER_OTLP_ENDPOINT: url, PARLANCE__TRACES__SAMPLE_RATIO: '1', OTEL_BSP_SCHEDULE_DELAY: '200' };
  stack = await Stack.start({ name: 'traces', gatewayEnv: { ...UNLIMITED, ...traced }, workerEnv: traced });
});
after(async () => {
  await stack?.stop();
  await collector?.stop();
});

const spans = () => collector.logText().split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));

test('a message is followed from the command through the stream to its row and to the other gateway', async () => {
  const [alice] = await stack.joined('traced', 'alice', 'bob');
  await alice.say('traced', 'follow me');
  const trace = await until('the spans have arrived', () => {
    const found = spans();
    const command = found.find(({ name }) => name === 'message.send');
    const own = found.filter(({ trace }) => trace === command?.trace);
    const names = own.map(({ name }) => name);
    return names.filter((name) => name === 'deliver').length === 2 && names.includes('store') && own;
  });
  const of = (wanted) => trace.filter(({ name }) => name === wanted);
  const [command] = of('message.send');
  assert.deepEqual([command.service, command.parent, command.failed], ['parlance-gateway', '', '']);
  for (const span of trace.filter((each) => each !== command)) {
    assert.equal(span.parent, command.id, span.name);
    assert.ok(span.start >= command.start && span.end >= span.start, span.name);
  }
  assert.deepEqual(of('append').map(({ service }) => service), ['parlance-gateway']);
  assert.deepEqual(of('deliver').map(({ attributes }) => attributes['parlance.sockets']), [1, 1], 'each gateway has one of them');
  const [row] = of('store');
  assert.equal(row.service, 'parlance-worker');
  assert.ok(row.attributes['parlance.batch_entries'] >= 1);
});

test('what a command was refused for is in its span', async () => {
  const carol = await stack.member('carol');
  assert.equal((await carol.command('message:send', { conversationId: 'traced', content: 'let me in' })).ok, false);
  const refused = await until('the span has arrived', () => spans().find(({ failed }) => failed));
  assert.deepEqual([refused.name, refused.failed], ['message.send', 'not_a_participant']);
});
