// The load tests of loadtest/k6 with a real k6, in short forms, through nginx: each passes on a stack that works, also while
// its gateways are replaced, and fails where something is amiss.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { binaries, repository } from '../harness/paths.js';
import { Program } from '../harness/program.js';
import { Stack } from '../harness/stack.js';
import { Tampering } from '../harness/tampering.js';
import { until } from '../harness/wait.js';

/** k6's exit status when a threshold did not hold. */
const CROSSED = 99;
/** The slowest machine shall pass: no times are judged here. */
const ANY_TIME = { CONNECT_P95: '5m', ACK_P95: '5m', DELIVERY_P95: '5m', RECOVERY_P95: '5m' };
const venv = join(repository, 'e2e/.venv/bin/k6');

let stack;

before(async () => {
  const gatewayEnv = {
    // Two drains fit into one run of the load.
    PARLANCE__DRAIN__SPREAD: '3s',
    // So few that a storm goes beyond it; tokens and silence that end so soon that a short run sees it.
    PARLANCE__LIMITS__CONNECTS_PER_SECOND: '30',
    PARLANCE__LIMITS__CONNECTS_BURST: '30',
    PARLANCE__AUTH__EXPIRY_WARNING: '4s',
    PARLANCE__AUTH__LEEWAY: '0s',
    PARLANCE__SOCKET__PING_INTERVAL: '1s',
    PARLANCE__SOCKET__PING_TIMEOUT: '6s',
  };
  stack = await Stack.start({ name: 'k6', nginx: true, gatewayEnv });
});
after(() => stack?.stop());

let runs = 0;

/** Starts a scenario; `result` resolves to `{code, output, metrics}` when it has ended. */
function start(scenario, env = {}) {
  const name = `${(runs += 1)}-${scenario}`;
  const summary = join(stack.folder, `${name}.json`);
  const command = ['--pdeathsig', 'KILL', '--', join(repository, 'loadtest/k6.sh'), '--quiet', '--no-color'];
  const k6 = process.env.K6 ?? (existsSync(venv) ? venv : '');
  const settings = {
    SCENARIO: scenario,
    SUMMARY: summary,
    TARGET: stack.nginx.url,
    JWT_SECRET: stack.gatewayEnv.JWT_SECRET,
    SERVICE_KEY: stack.gatewayEnv.PARLANCE__AUTH__SERVICE_KEYS,
    ...ANY_TIME,
    ...env,
  };
  const run = { ended: false };
  run.result = new Promise((resolve) => {
    const options = { env: { PATH: process.env.PATH, HOME: stack.folder, K6: k6, ...settings }, timeout: 180_000, killSignal: 'SIGKILL' };
    execFile('setpriv', command, options, (error, stdout, stderr) => {
      run.ended = true;
      const output = `${stdout}\n${stderr}`;
      writeFileSync(join(stack.folder, `${name}.log`), output);
      const metrics = existsSync(summary) ? JSON.parse(readFileSync(summary, 'utf8')).metrics : {};
      resolve({ code: error ? error.code : 0, output, metrics });
    });
  });
  return run;
}

/** Runs a scenario that must pass, and returns its metrics. */
async function passes(scenario, env) {
  return passed(await start(scenario, env).result);
}

function passed({ code, output, metrics }) {
  assert.equal(code, 0, output);
  for (const name of ['lost', 'duplicates', 'out_of_order', 'failed_sends', 'failed_commands']) {
    assert.equal(metrics[name].count, 0, `${name}\n${output}`);
  }
  return metrics;
}

/** The thresholds that did not hold. In k6's summary `true` says that one was crossed. */
const crossed = (metrics) =>
  Object.entries(metrics).filter(([, { thresholds }]) => Object.values(thresholds ?? {}).includes(true)).map(([name]) => name);

/** The commands that clients can send, as the document that is made from the code lists them. */
function commands() {
  const { components, operations } = JSON.parse(readFileSync(join(repository, 'docs/asyncapi.json'), 'utf8'));
  return Object.entries(operations)
    .filter(([operation]) => operation.startsWith('send'))
    .map(([, { messages }]) => components.messages[messages[0].$ref.split('/').at(-1)].name);
}

async function connections(gateway) {
  const text = await (await fetch(`http://127.0.0.1:${gateway.adminPort}/metrics`)).text();
  const lines = text.split('\n').filter((line) => /^parlance_connections[ {]/.test(line));
  return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

test('the smoke test has every command answered, and loses nothing', async () => {
  const metrics = await passes('smoke');
  const all = commands();
  assert.ok(all.length > 30, 'the list of commands');
  const never = all.filter((command) => !(metrics[`answered{command:${command}}`]?.count >= 1));
  assert.deepEqual(never, [], 'commands that were not answered with success');
  assert.equal(metrics.checks.fails, 0);
  assert.ok(metrics.checks.passes > 30);
  assert.equal(metrics.caught_up.count, 3, 'what was said while one was away');
  assert.ok(metrics.ack_time.max < 60_000);
});

test('a steady chat reaches everybody, and goes on over the ends of tokens', async () => {
  const env = { VUS: '4', SOCKETS: '3', GROUP: '4', RATE: '1', DURATION: '9s', RAMP: '500ms', TOKEN_TTL: '6s' };
  const metrics = await passes('steady_chat', env);
  assert.equal(metrics.finished.count, 12);
  // Three others in each conversation, but for those who were not in yet or had left.
  assert.ok(metrics.delivered.count > 2 * metrics.acknowledged.count, `delivered ${metrics.delivered.count}`);
  assert.equal(metrics.disconnects, undefined, 'pings are answered, tokens renewed');
});

test('a storm of connects beyond the limits gets in, those who are turned away by themselves', async () => {
  const metrics = await passes('connect_storm', { VUS: '6', SOCKETS: '20', DURATION: '6s', RATE: '0.1' });
  assert.equal(metrics.connected.passes, 120);
  assert.ok(metrics.failed_attempts.count > 0, 'nobody was turned away');
});

test('who comes back in a storm of reconnects has missed nothing', async () => {
  const metrics = await passes('reconnect_storm', { VUS: '10', GROUP: '5', ROUNDS: '2', DURATION: '6s', AWAY: '1s', RATE: '4', RAMP: '500ms' });
  assert.equal(metrics.recovered.passes, 16, 'eight who come back twice');
  assert.ok(metrics.caught_up.count > 0);
});

test('a soak goes on over breaks', async () => {
  const env = { VUS: '6', GROUP: '3', RATE: '1', DURATION: '10s', RECONNECT_EVERY: '4s', RAMP: '500ms' };
  const metrics = await passes('soak', env);
  assert.ok(metrics.disconnects.count > 0 && metrics.resumes.count > 0);
  assert.ok(metrics['ack_time{third:last}'], 'the last third is told apart');
  const left = await stack.database.rows(
    "SELECT id FROM users WHERE id LIKE 'k6-%' UNION SELECT id FROM conversations WHERE id LIKE 'k6-%' AND deleted_at IS NULL",
  );
  assert.deepEqual(left, [], 'what the runs have left behind');
});

test('both gateways are replaced under load, and no send fails', async () => {
  const env = { RUN: 'rolling', VUS: '10', SOCKETS: '2', GROUP: '5', RATE: '1', DURATION: '60s', RAMP: '1s' };
  const run = start('steady_chat', env);
  await until('all are in and have said something', async () => {
    const histories = await Promise.all([0, 1, 2, 3].map((number) => stack.rest().history(`rolling-c${number}`)));
    return new Set(histories.flat().map(({ senderId }) => senderId)).size === 20;
  }, 30_000);
  assert.ok((await Promise.all(stack.gateways.map(connections))).every((number) => number > 0), 'some are at each gateway');
  for (const gateway of stack.gateways) {
    await replace(gateway);
    await until('all are back', async () => {
      const each = await Promise.all(stack.gateways.map(connections));
      return each.reduce((sum, number) => sum + number) === 20;
    }, 30_000);
  }
  assert.ok(!run.ended, 'the load lasts longer than the restarts');
  const metrics = passed(await run.result);
  assert.equal(metrics.connected.passes, 20);
  assert.ok(metrics.disconnects.count >= 20, `everybody lost a gateway at least once: ${metrics.disconnects.count}`);
  assert.ok(metrics.recovered.passes >= 20 && metrics.recovered.fails === 0, 'everybody got what he had missed');
});

/** Ends a gateway as an orchestrator does, and starts it again where it was. */
async function replace(gateway) {
  const { code } = await gateway.program.stop('SIGTERM', 60_000);
  assert.equal(code, 0);
  const { name, log } = gateway.program;
  gateway.program = await Program.start({
    name,
    log,
    command: [join(binaries, 'gateway'), 'run'],
    env: { ...stack.gatewayEnv, PORT: `${gateway.port}`, PARLANCE__ADMIN__PORT: `${gateway.adminPort}` },
    ready: async () => (await fetch(`http://127.0.0.1:${gateway.adminPort}/ready`)).ok,
  });
}

test('with another secret nobody gets in, and the test fails', async () => {
  const { code, output, metrics } = await start('steady_chat', { VUS: '2', DURATION: '2s', JWT_SECRET: 'x'.repeat(40) }).result;
  assert.equal(code, CROSSED, output);
  assert.match(output, /token_invalid/);
  for (const name of ['connected', 'finished', 'acknowledged']) assert.ok(crossed(metrics).includes(name), name);
});

test('with another service key nothing can be prepared, and the test fails', async () => {
  const { code, output } = await start('smoke', { SERVICE_KEY: 'y'.repeat(40) }).result;
  assert.notEqual(code, 0);
  assert.match(output, /401/);
});

const isMessage = (text) => text.startsWith('42["message:created"');
const every = (number, then) => {
  let seen = 0;
  return (text, held) => (isMessage(text) && (seen += 1) % number === 0 ? then(text, held) : [text]);
};

let clientId;
const asTheLast = (text) => {
  const last = clientId;
  [clientId] = text.match(/"clientId":"[^"]+"/);
  return [last && last !== clientId ? text.replace(clientId, last) : text];
};

for (const [what, metric, change] of [
  ['a message that does not arrive', 'lost', every(5, () => [])],
  ['a message that arrives twice', 'duplicates', every(5, (text) => [text, text])],
  ['a message that was sent again and is there twice', 'duplicates', (text) => (isMessage(text) ? asTheLast(text) : [text])],
  ['messages that change places', 'out_of_order', (text, held) => {
    if (!isMessage(text)) return [text];
    return held.length === 0 ? [held.push(text)].slice(1) : [text, held.pop()];
  }],
]) {
  test(`${what} makes the test fail`, async () => {
    const network = await Tampering.start(stack.nginx.url, change);
    try {
      const env = { TARGET: network.url, VUS: '4', GROUP: '4', RATE: '2', DURATION: '4s', RAMP: '500ms', GRACE: '1s' };
      const { code, output, metrics } = await start('steady_chat', env).result;
      assert.ok(network.done > 0, 'nothing was tampered with');
      assert.equal(code, CROSSED, output);
      assert.ok(metrics[metric].count > 0, output);
      assert.ok(crossed(metrics).includes(metric));
    } finally {
      network.close();
    }
  });
}

test('a connection that falls silent is given up, and what was missed comes with the next one', async () => {
  let silent = 0;
  const network = await Tampering.start(stack.nginx.url, (text, silenced) => {
    if (silenced.length === 0 && isMessage(text) && (silent += 1) <= 2) silenced.push('from here on');
    return silenced.length > 0 ? [] : [text];
  });
  try {
    const env = { TARGET: network.url, VUS: '4', GROUP: '4', RATE: '1', DURATION: '14s', RAMP: '500ms', ACK_TIMEOUT: '3s' };
    const metrics = await passes('steady_chat', env);
    assert.ok(metrics.disconnects.count >= 2);
    assert.ok(metrics.recovered.passes >= 2 && metrics.recovered.fails === 0);
  } finally {
    network.close();
  }
});

test('gateways that go away for good make the test fail', async () => {
  const alone = await stack.startGateway();
  const env = { TARGET: alone.url, VUS: '4', GROUP: '4', RATE: '2', DURATION: '6s', RAMP: '500ms', SEND_DEADLINE: '3s', GRACE: '1s' };
  const run = start('steady_chat', env);
  await until('clients are there', async () => (await connections(alone)) >= 4);
  await alone.program.kill();
  const { code, output, metrics } = await run.result;
  assert.notEqual(code, 0, output);
  assert.ok(crossed(metrics).includes('failed_sends'), output);
});
