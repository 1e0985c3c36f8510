// What operators see of a stack that works: `/metrics` of gateways and workers, before and after real clients did
// something, and whether Prometheus' own checker takes the text.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { after, before, test } from 'node:test';

import { Stack } from '../harness/stack.js';
import { until } from '../harness/wait.js';

let stack;

before(async () => {
  stack = await Stack.start({ name: 'metrics', gateways: 2 });
});

after(async () => stack?.stop());

async function scrape({ adminPort }) {
  const answer = await fetch(`http://127.0.0.1:${adminPort}/metrics`);
  assert.equal(answer.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
  return answer.text();
}

/** The value of each series, by its name with its labels. */
async function series(program) {
  const lines = (await scrape(program)).split('\n').filter((line) => line && !line.startsWith('#'));
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]));
}

/** Waits until each of the series has grown by this much since `then`. */
async function grown(program, then, expected) {
  let growth;
  await until(`grown by ${JSON.stringify(expected)}`, async () => {
    const now = await series(program);
    growth = Object.fromEntries(Object.keys(expected).map((name) => [name, (now.get(name) ?? 0) - (then.get(name) ?? 0)]));
    assert.deepEqual(growth, expected);
    return true;
  });
}

/** Fails when `promtool check metrics` has something to say about the text. */
async function checked(text) {
  const promtool = spawn('promtool', ['check', 'metrics'], { stdio: ['pipe', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [promtool.stdout, promtool.stderr]) stream.on('data', (chunk) => (said += chunk));
  const ended = new Promise((resolve, reject) => promtool.on('error', reject).on('close', resolve));
  promtool.stdin.end(text);
  assert.deepEqual([await ended, said], [0, '']);
}

test('what clients do is counted where it happens', async () => {
  const [here, there] = stack.gateways;
  const before = { here: await series(here), there: await series(there), worker: await series(stack.workers[0]) };
  const [ann, bob] = await stack.joined('c', 'ann', 'bob');
  await ann.say('c', 'one');
  await ann.say('c', 'two');
  await bob.told('message:created', ({ content }) => content === 'two');
  const refused = await bob.command('message:send', { conversationId: 'none', content: 'x' });
  assert.equal(refused.ok, false);

  await grown(here, before.here, {
    'parlance_connects_total{dialect="native",result="ok"}': 1,
    'parlance_connect_seconds_count': 1,
    'parlance_connections{dialect="native"}': 1,
    'parlance_online_users': 1,
    'parlance_live_conversations': 1,
    'parlance_commands_total{command="conversation.create",result="ok"}': 1,
    'parlance_commands_total{command="conversation.join",result="ok"}': 1,
    'parlance_commands_total{command="message.send",result="ok"}': 2,
    'parlance_command_seconds_count{command="message.send"}': 2,
    'parlance_fanout_seconds_count': 2,
    'parlance_http_requests_total{method="POST",status="2xx"}': 1,
  });
  await grown(there, before.there, {
    'parlance_connects_total{dialect="native",result="ok"}': 1,
    [`parlance_commands_total{command="message.send",result="${refused.error.code}"}`]: 1,
    'parlance_fanout_seconds_count': 2,
    'parlance_http_requests_total{method="POST",status="2xx"}': 0,
  });
  const [sending, receiving] = [await series(here), await series(there)];
  assert.ok(receiving.get('parlance_deliveries_total') >= 2);
  assert.ok(receiving.get('parlance_fanout_seconds_sum') < 20, 'Redis and this gateway have one clock');
  assert.ok(sending.get('parlance_redis_command_seconds_count{operation="append"}') >= 3);
  assert.equal(sending.get('parlance_redis_errors_total{operation="append"}'), 0);
  assert.ok(sending.get('parlance_postgres_query_seconds_count{operation="create_conversation"}') >= 1);

  // The conversation's creation with its participants, and the two messages.
  await until('all is persisted', async () => {
    const worker = await series(stack.workers[0]);
    const persisted = 'parlance_worker_persisted_total{stream="ingest"}';
    return worker.get(persisted) - before.worker.get(persisted) >= 3
      && worker.get('parlance_ingest_entries{stream="ingest"}') === 0
      && worker.get('parlance_ingest_lag_seconds{stream="ingest"}') === 0;
  });

  ann.close();
  await grown(here, before.here, {
    'parlance_connections{dialect="native"}': 0,
    'parlance_disconnects_total{reason="client"}': 1,
    'parlance_online_users': 0,
  });
});

test('a gateway that cannot reach Redis says so, and counts the errors', async () => {
  const [gateway] = stack.gateways;
  const errors = async () => {
    const all = [...await series(gateway)].filter(([name]) => name.startsWith('parlance_redis_errors_total{'));
    return all.reduce((sum, [, count]) => sum + count, 0);
  };
  const connected = async () => (await series(gateway)).get('parlance_redis_connected');
  const before = await errors();
  await stack.redis.program.stop();
  await until('it is noticed', async () => await connected() === 0 && await errors() > before, 30_000);
  await stack.redis.start();
  await until('it is back', async () => await connected() === 1, 30_000);
});

test('what `/ready` answers is on `/metrics` too', async () => {
  for (const program of [...stack.gateways, ...stack.workers]) {
    await until('both say the same', async () => {
      const { ok } = await fetch(`http://127.0.0.1:${program.adminPort}/ready`);
      return ok && (await series(program)).get('parlance_ready') === 1;
    }, 30_000);
  }
});

test("Prometheus' checker has nothing to say about the text", async () => {
  for (const program of [...stack.gateways, ...stack.workers]) await checked(await scrape(program));
});
