// A real Prometheus scrapes a running stack: its targets are up, its rules can be evaluated, no alert fires while all is
// well, and the dashboards' queries ask for what is there.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { dashboards, filledIn, panelsOf, rules } from '../checks/observed.js';
import { selectors } from '../checks/promql.js';
import { Prometheus } from '../harness/prometheus.js';
import { Stack } from '../harness/stack.js';
import { until } from '../harness/wait.js';

/** What appears with the first event, and of what nothing happens here. */
const ON_EVENTS = new Set([
  'parlance_task_panics_total',
  'parlance_insecure_dialects',
  'parlance_limited_total',
  'parlance_worker_calls_ended_total',
  'parlance_presence_expelled_total',
  'ALERTS',
]);

let stack;
let prometheus;
let alice;

before(async () => {
  stack = await Stack.start({ name: 'observability', gateways: 2 });
  prometheus = await Prometheus.start(stack.folder, {
    'parlance-gateway': stack.gateways.map(({ adminPort }) => adminPort),
    'parlance-worker': stack.workers.map(({ adminPort }) => adminPort),
  });
  await someTraffic();
});
after(async () => {
  await prometheus?.program.stop();
  await stack?.stop();
});

/** A bit of everything: what users do, what is refused, what a backend asks for. */
async function someTraffic() {
  let bob;
  [alice, bob] = await stack.joined('team', 'alice', 'bob');
  await alice.say('team', 'hello');
  await bob.told('message:created');
  await bob.must('receipt:read', { conversationId: 'team', seq: 1 });
  assert.equal((await alice.command('message:send', { conversationId: 'nowhere', content: 'hello' })).ok, false);
  assert.equal((await alice.command('no:such:event', {})).ok, false);
  await assert.rejects(stack.member('mallory', { claims: { exp: 1 } }));
  await stack.rest('alice').expect(200, 'GET', '/v1/conversations/team/messages');
  bob.close();
  await until('everything is written', async () => (await stack.database.messages('team')).length === 1);
}

/** Every expression with where it stands: those of the rules, and those of the dashboards' panels. */
function expressions() {
  const ofRules = rules().map(({ alert, record, expr }) => ({ where: alert ?? record, expr }));
  const ofPanels = dashboards().flatMap(({ file, dashboard }) =>
    panelsOf(dashboard).flatMap(({ title, targets }) => targets.map(({ expr }) => ({ where: `${file}: ${title}`, expr: filledIn(expr) }))),
  );
  return [...ofRules, ...ofPanels];
}

test('every target is up', async () => {
  const targets = await until('every target has been scraped', async () => {
    const { activeTargets } = await prometheus.ask('targets');
    // Two gateways, a worker, and Prometheus itself.
    return activeTargets.length === 4 && activeTargets.every(({ health }) => health !== 'unknown') && activeTargets;
  }, 30_000);
  for (const { scrapeUrl, health, lastError } of targets) assert.equal(health, 'up', `${scrapeUrl}: ${lastError}`);
});

test('every rule can be evaluated, and while all is well no alert fires', async () => {
  const evaluated = await until('every rule has been evaluated', async () => {
    const all = await prometheus.rules();
    return all.length === rules().length && all.every(({ health }) => health !== 'unknown') && all;
  }, 30_000);
  for (const { name, health, lastError } of evaluated) assert.equal(health, 'ok', `${name}: ${lastError}`);
  // What happens between two scrapes is a rate.
  await until('messages are a rate', async () => {
    await alice.say('team', 'hello again');
    return (await prometheus.query('parlance:commands:rate5m{command="message.send", result="ok"} > 0')).length > 0;
  }, 30_000);
  const alerts = (await prometheus.rules()).filter(({ type, state }) => type === 'alerting' && state === 'firing');
  assert.deepEqual(alerts.map(({ name }) => name), []);
});

test('every query of a rule and of a dashboard can be answered', async () => {
  for (const { where, expr } of expressions()) await assert.doesNotReject(prometheus.ask('query', { query: expr }), where);
});

test('every metric that is asked for is there, or comes with an event that has not happened', async () => {
  const asked = new Set(expressions().flatMap(({ expr }) => selectors(expr)).map(({ name }) => name));
  assert.ok(asked.size > 50, `only ${asked.size} metrics are asked for`);
  const missing = await until('what can be there is there', async () => {
    const there = new Set(await prometheus.ask('label/__name__/values'));
    const names = [...asked].filter((name) => !there.has(name) && !ON_EVENTS.has(name));
    return names.length === 0 ? names : assert.fail(`missing: ${names.join(', ')}`);
  }, 20_000);
  assert.deepEqual(missing, []);
});

test('the panels show figures of what happened', async () => {
  const figures = {
    connections: 'sum(parlance_connections)',
    'accepted messages': 'sum(parlance_commands_total{command="message.send", result="ok"})',
    'refused messages': 'sum(parlance_commands_total{command="message.send", result!="ok"})',
    'refused connects': 'sum(parlance_connects_total{result=~"token_.*"})',
    deliveries: 'sum(parlance_deliveries_total)',
    'entries written': 'sum(parlance_worker_persisted_total{stream="ingest"})',
    'acknowledged in time': 'sum(parlance_append_seconds_bucket{le="+Inf"})',
    'handed to sockets': 'sum(parlance_fanout_seconds_count)',
    requests: 'sum(parlance_http_requests_total{status="2xx"})',
    'commands to Redis': 'sum(parlance_redis_command_seconds_count{job="parlance-gateway"})',
    'transactions of the worker': 'sum(parlance_postgres_query_seconds_count{job="parlance-worker"})',
  };
  for (const [what, expression] of Object.entries(figures)) {
    await until(`${what}: ${expression}`, async () => (await prometheus.query(`${expression} > 0`)).length === 1);
  }
});

test('an alert notices that no worker is left', async () => {
  const state = async () => (await prometheus.rules()).find(({ name }) => name === 'ParlanceWorkersAbsent').state;
  assert.equal(await state(), 'inactive');
  assert.equal((await stack.workers[0].program.stop()).code, 0);
  await until('it is noticed', async () => (await state()) === 'pending', 30_000);
});
