// What a message takes in Redis and in Postgres, and what an idle socket takes in a gateway and in Redis. Nothing passes
// or fails here; docs/operations.md has the figures of one machine. Below deploy/local/with-databases.sh only:
//
//   node measure/storage.js [messages=10000] [conversations=100] [members=20] [bytes=200] [sockets=2000]
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';

import { RawWebSocket } from '../harness/raw_websocket.js';
import { Stack, UNLIMITED } from '../harness/stack.js';
import { until } from '../harness/wait.js';

/** How many requests or handshakes are under way at the same time: fewer than the gateway's pool has connections. */
const CONCURRENT = 4;

/** `members` are those of a conversation. */
const plan = { messages: 10_000, conversations: 100, members: 20, bytes: 200, sockets: 2_000 };
for (const argument of process.argv.slice(2)) {
  const [name, value] = argument.split('=');
  if (!(name in plan) || !(Number(value) > 0)) throw new Error(`not understood: ${argument}`);
  plan[name] = Number(value);
}
if (plan.sockets > plan.conversations * plan.members) throw new Error('more sockets than members');

const stack = await Stack.start({
  name: 'measure_storage',
  gateways: 1,
  gatewayEnv: { ...UNLIMITED, RUST_LOG: 'warn' },
  workerEnv: { RUST_LOG: 'warn' },
});
try {
  await conversations();
  await sockets();
  await storage();
} finally {
  await stack.stop();
}

async function conversations() {
  const backend = stack.rest();
  const before = await usedMemory();
  await inParallel(plan.conversations, (number) => backend.createConversation(`c${number}`, members(number)));
  await settled();
  console.log(`\n${plan.conversations} conversations of ${plan.members}; bytes a conversation\n`);
  row('Redis, recent', Math.round(((await usedMemory()) - before) / plan.conversations));
  // The state hash stays for 30 days; the log of what happened, and the marks of the outbox, go sooner.
  for (const kind of ['conv', 'log', 'once']) row(`  of this ${kind}:…`, await keys(`*:${kind}:*`, plan.conversations));
}

async function storage() {
  const before = { redis: await usedMemory(), aof: await logFile(), tables: await tables(), wal: await wal() };

  // Held back, the worker shows what a message takes until it is written.
  const [worker] = stack.workers;
  worker.program.signal('SIGSTOP');
  const content = 'a'.repeat(plan.bytes);
  await inParallel(plan.messages, async (number) => {
    const conversation = number % plan.conversations;
    await stack.rest(members(conversation)[Math.floor(number / plan.conversations) % plan.members])
      .expect(201, 'POST', `/v1/conversations/c${conversation}/messages`, { content, clientId: randomUUID() });
  });
  const waiting = await usedMemory();
  const stream = await keys('*:ingest', plan.messages);
  worker.program.signal('SIGCONT');
  await settled();
  const written = await usedMemory();
  const each = (bytes) => Math.round(bytes / plan.messages);

  console.log(`\n${plan.messages} messages of ${plan.bytes} bytes in ${plan.conversations} conversations of ${plan.members}; bytes a message\n`);
  row('Redis, until it is written', each(waiting - before.redis));
  row('  of this in the ingest stream', stream);
  row('Redis, written and recent', each(written - before.redis));
  for (const kind of ['log', 'obj', 'once']) row(`  of this ${kind}:…`, await keys(`*:${kind}:*`, plan.messages));
  row('Redis, append-only file', each((await logFile()) - before.aof));
  const after = await tables();
  const grown = (table, of) => (after[table][of] - before.tables[table][of]) / plan.messages;
  for (const [table, rows] of [['messages', 1], ['notifications', plan.members - 1]]) {
    if (rows === 0) continue;
    const sizes = ['heap', 'indexes'].map((of) => Math.round(grown(table, of) / rows));
    row(`Postgres, ${table}, a row: itself, its indexes`, sizes.join(', '));
  }
  row('Postgres, write-ahead log (without full pages)', each((await wal()) - before.wal));
}

async function sockets() {
  const [{ port, program }] = stack.gateways;
  // What the first few cost is paid once.
  for (let number = 0; number < 50; number += 1) (await RawWebSocket.connect(port, stack.token(`first${number}`))).close();
  await until('the first are gone', async () => (await connections()) === 0, 30_000);
  const before = { memory: resident(program.pid), redis: await usedMemory() };
  const clients = [];
  await inParallel(plan.sockets, async (number) => {
    clients[number] = await RawWebSocket.connect(port, stack.token(userOf(number)));
  });
  await until('all are registered', async () => (await registered()) >= plan.sockets, 30_000);
  const connected = { memory: resident(program.pid), redis: await usedMemory() };
  await inParallel(plan.sockets, async (number) => {
    const answer = await clients[number].command('conversation:join', { conversationId: `c${roomOf(number)}` });
    if (!answer.ok) throw new Error(JSON.stringify(answer));
  });
  const joined = { memory: resident(program.pid), redis: await usedMemory() };
  const each = (bytes) => Math.round(bytes / plan.sockets);
  console.log(`\n${plan.sockets} idle WebSockets, each of a user of its own; bytes a socket\n`);
  row('gateway, connected', each(connected.memory - before.memory));
  row(`gateway, in a conversation of ${plan.members}`, each(joined.memory - before.memory));
  row('Redis, connected', each(connected.redis - before.redis));
  row(`Redis, in a conversation of ${plan.members}`, each(joined.redis - before.redis));
  clients.forEach((client) => client.close());
  await until('all are gone', async () => (await registered()) === 0, 60_000);
}

function members(conversation) {
  return Array.from({ length: plan.members }, (_, index) => `u${conversation * plan.members + index}`);
}

function roomOf(number) {
  return Math.floor(number / plan.members) % plan.conversations;
}

function userOf(number) {
  return members(roomOf(number))[number % plan.members];
}

/** Waits until everything is in Postgres and Redis has noticed. */
async function settled() {
  await until('everything is written', async () => (await stack.redis.unpersistedEntries()) === 0, 120_000);
  await until('everybody is notified', async () => {
    const [{ waiting }] = await stack.database.rows('SELECT count(*)::int AS waiting FROM notification_jobs');
    return waiting === 0;
  }, 300_000);
  await until('keys expire', async () => {
    const waiting = await Promise.all((await names('*:unsettled')).map((key) => stack.redis.ask('ZCARD', key)));
    return waiting.every((count) => count === '0');
  }, 60_000);
}

async function usedMemory() {
  return info('memory', 'used_memory');
}

async function logFile() {
  return info('persistence', 'aof_current_size');
}

async function info(section, field) {
  return Number((await stack.redis.ask('INFO', section)).match(new RegExp(`^${field}:(\\d+)`, 'm'))[1]);
}

async function names(pattern) {
  return (await stack.redis.ask('--scan', '--pattern', pattern)).split('\n').filter(Boolean);
}

/** The bytes of all keys of this name, a message; of a few thousand keys those of a sample. */
async function keys(pattern, messages) {
  const all = await names(pattern);
  const step = Math.max(1, Math.floor(all.length / 200));
  const sample = all.filter((_, index) => index % step === 0);
  let bytes = 0;
  for (const key of sample) bytes += Number(await stack.redis.ask('MEMORY', 'USAGE', key, 'SAMPLES', '0'));
  return Math.round((bytes / Math.max(1, sample.length)) * (all.length / messages));
}

async function tables() {
  const rows = await stack.database.rows(
    'SELECT relname, pg_table_size(oid) AS heap, pg_indexes_size(oid) AS indexes FROM pg_class ' +
      "WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace",
  );
  return Object.fromEntries(rows.map(({ relname, heap, indexes }) => [relname, { heap: Number(heap), indexes: Number(indexes) }]));
}

async function wal() {
  return Number((await stack.database.rows("SELECT pg_current_wal_lsn() - '0/0' AS bytes"))[0].bytes);
}

function resident(pid) {
  return Number(readFileSync(`/proc/${pid}/status`, 'utf8').match(/^VmRSS:\s+(\d+) kB/m)[1]) * 1024;
}

async function connections() {
  const text = await (await fetch(`http://127.0.0.1:${stack.gateways[0].adminPort}/metrics`)).text();
  return [...text.matchAll(/^parlance_connections\{.*\} (\d+)/gm)].reduce((sum, [, value]) => sum + Number(value), 0);
}

/** Users of whom Redis knows that they are connected. */
async function registered() {
  const counts = await Promise.all((await names('*:online')).map((key) => stack.redis.ask('ZCARD', key)));
  return counts.reduce((sum, count) => sum + Number(count), 0);
}

async function inParallel(count, work) {
  let next = 0;
  const run = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: CONCURRENT }, run));
}

function row(what, value) {
  console.log(`${what.padEnd(50)}${String(value).padStart(12)}`);
}
