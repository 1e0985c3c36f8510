// docker-compose.yml: that its parts fit each other, the files that they are given, and what the binaries read. Nothing
// is started by Docker here; the binaries and nginx run as they are on this machine.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { parse } from 'yaml';

import { repository } from '../harness/paths.js';
import { compose, mounts, onHost, readEnv, variables } from './compose_file.js';
import { said } from './dockerfile.js';
import { binary, output, python, seconds, settings } from './tools.js';

const SECRETS = ['JWT_SECRET', 'SERVICE_KEY', 'POSTGRES_PASSWORD', 'GRAFANA_PASSWORD'];
const example = readEnv(readFileSync(join(repository, '.env.example'), 'utf8'));

let folder;
let env;
let services;
let file;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'parlance-compose-'));
  await output('sh', ['deploy/docker/make-env.sh', join(folder, '.env')]);
  env = readEnv(readFileSync(join(folder, '.env'), 'utf8'));
  file = compose(env);
  services = file.services;
});
after(() => rmSync(folder, { recursive: true }));

const ours = (name) => Object.entries(services).filter(([, { image }]) => image.startsWith(`parlance-${name}:`));

test('the file is one of the Compose specification', async () => {
  await output(python('check-jsonschema'), ['--builtin-schema', 'vendor.compose-spec', 'docker-compose.yml']);
});

test('.env.example has every variable that is used, and none that is not', () => {
  assert.deepEqual(Object.keys(example).sort(), [...new Set(variables().map(({ name }) => name))].sort());
});

test('.env.example says what counts without it', () => {
  for (const { name, operator, operand } of variables()) {
    if (operator === ':-') assert.equal(example[name], operand, name);
  }
});

test('nothing starts before each secret has a value', () => {
  assert.deepEqual(SECRETS.filter((name) => example[name] !== ''), []);
  for (const { name, operator } of variables()) assert.equal(operator, SECRETS.includes(name) ? ':?' : ':-', name);
  for (const name of SECRETS) assert.throws(() => compose({ ...env, [name]: '' }), new RegExp(`${name} is empty`));
});

test('make-env.sh makes long secrets, all different, for their owner alone, and never replaces them', async () => {
  const made = SECRETS.map((name) => env[name]);
  for (const secret of made) assert.match(secret, /^[0-9a-f]{64}$/);
  assert.equal(new Set(made).size, SECRETS.length);
  assert.deepEqual({ ...env, ...Object.fromEntries(SECRETS.map((name) => [name, ''])) }, example);
  assert.equal(statSync(join(folder, '.env')).mode & 0o777, 0o600);
  await assert.rejects(output('sh', ['deploy/docker/make-env.sh', join(folder, '.env')]), /is there already/);
  assert.deepEqual(readEnv(readFileSync(join(folder, '.env'), 'utf8')), env);
});

for (const name of ['gateway', 'worker']) {
  test(`every variable that a ${name} is given is one that it reads`, async () => {
    const read = (await settings(name)).flatMap(({ variables: names }) => names);
    const given = ours(name).flatMap(([, { environment }]) => Object.keys(environment));
    assert.ok(given.length > 0);
    assert.deepEqual(given.filter((variable) => !read.includes(variable)), []);
  });

  test(`every ${name} has a configuration that it accepts`, async () => {
    for (const [service, { environment, hostname }] of ours(name)) {
      const given = Object.entries(environment).map(([variable, value]) => {
        return [variable, onHost(services[service], `${value}`) ?? `${value}`];
      });
      await output(binary(name), ['check-config'], { env: { ...Object.fromEntries(given), HOSTNAME: hostname } });
    }
  });

  test(`no ${name} is killed before it has drained`, async () => {
    const drain = (await settings(name)).find(({ key }) => key === 'shutdown.drain_deadline');
    for (const [service, { environment, stop_grace_period: grace, command }] of ours(name)) {
      if (command?.[0] === 'migrate') continue;
      const deadline = drain.variables.map((variable) => environment[variable]).find(Boolean) ?? drain.default;
      assert.ok(seconds(grace) >= seconds(deadline) + 5, `${service}: ${grace} for a drain of ${deadline}`);
    }
  });
}

test('there are three gateways, each with a name of its own, and two workers', () => {
  assert.deepEqual(ours('gateway').map(([name, { hostname }]) => [name, hostname]), [
    ['gateway-1', 'gateway-1'],
    ['gateway-2', 'gateway-2'],
    ['gateway-3', 'gateway-3'],
  ]);
  assert.equal(services.worker.deploy.replicas, 2);
});

test('each image of ours is built once, and nobody asks a registry for it', () => {
  for (const name of ['gateway', 'worker']) {
    const building = ours(name).filter(([, { build }]) => build);
    assert.equal(building.length, 1, name);
    const [[, { build }]] = building;
    assert.deepEqual([build.target, existsSync(join(repository, build.context, build.dockerfile))], [name, true]);
    assert.equal(new Set(ours(name).map(([, { image }]) => image)).size, 1);
    for (const [service, { pull_policy: policy }] of ours(name)) assert.equal(policy, 'never', service);
  }
});

test('every file that is mounted or named exists, and every volume and network is declared', () => {
  for (const [name, service] of Object.entries(services)) {
    for (const { source, target, bind, readOnly } of mounts(service)) {
      if (bind) assert.ok(existsSync(join(repository, source)) && readOnly, `${name}: ${source}`);
      else assert.ok(source in file.volumes, `${name}: ${source}`);
      assert.ok(target.startsWith('/'), `${name}: ${target}`);
    }
    for (const network of service.networks) assert.ok(network in file.networks, `${name}: ${network}`);
    const words = [...(service.entrypoint ?? []), ...(service.command ?? [])];
    for (const path of words.map((word) => /\/etc\/.*/.exec(word)?.[0]).filter(Boolean)) {
      assert.ok(existsSync(onHost(service, path) ?? ''), `${name}: ${path}`);
    }
  }
});

test('what is mounted at another mount has a place there', () => {
  for (const [name, service] of Object.entries(services)) {
    for (const { target } of mounts(service)) {
      const outer = mounts(service).find((other) => other.bind && target.startsWith(`${other.target}/`));
      if (outer) assert.ok(existsSync(join(repository, outer.source, target.slice(outer.target.length))), `${name}: ${target}`);
    }
  }
});

test('who waits for another service waits for something that comes', () => {
  for (const [name, service] of Object.entries(services)) {
    for (const [other, { condition }] of Object.entries(service.depends_on ?? {})) {
      const awaited = services[other];
      assert.ok(awaited, `${name} waits for ${other}`);
      if (condition === 'service_healthy') {
        const inImage = said(/^parlance-(\w+):/.exec(awaited.image)?.[1], 'HEALTHCHECK');
        assert.ok(!awaited.healthcheck?.disable && (awaited.healthcheck?.test ?? inImage), `${other} tells no health`);
      } else {
        assert.equal(condition, 'service_completed_successfully');
        // One that is started again whenever it ends never counts as completed.
        assert.match(awaited.restart, /^(no|on-failure(:\d+)?)$/, other);
      }
    }
  }
  for (const [name, service] of [...ours('gateway'), ...ours('worker')]) {
    if (name !== 'migrate') assert.equal(service.depends_on.migrate.condition, 'service_completed_successfully', name);
  }
});

test('who speaks with another service is in a network with it, and nobody else reaches the databases', () => {
  const prometheus = parse(readFileSync(join(repository, 'deploy/prometheus/prometheus.yml'), 'utf8'));
  const scraped = prometheus.scrape_configs.flatMap(({ static_configs: fixed = [], dns_sd_configs: found = [] }) => [
    ...fixed.flatMap(({ targets }) => targets.map((target) => target.split(':')[0])),
    ...found.flatMap(({ names }) => names),
  ]);
  const backends = ['redis', 'postgres'];
  const pairs = [
    ...ours('gateway').flatMap(([name]) => [['nginx', name], ...backends.map((backend) => [name, backend])]),
    ...ours('worker').flatMap(([name]) => backends.map((backend) => [name, backend])),
    ...scraped.filter((name) => name !== 'localhost').map((name) => ['prometheus', name]),
    ['grafana', 'prometheus'],
  ];
  const shared = (one, other) => services[one].networks.filter((network) => services[other].networks.includes(network));
  for (const [one, other] of pairs) assert.notDeepEqual(shared(one, other), [], `${one} and ${other}`);
  for (const outsider of ['nginx', 'prometheus', 'grafana']) {
    for (const backend of backends) assert.deepEqual(shared(outsider, backend), [], `${outsider} and ${backend}`);
  }
  assert.equal(file.networks.data.internal, true);
});

test('Prometheus scrapes each gateway and all workers, where these listen', async () => {
  const { scrape_configs: jobs } = parse(readFileSync(join(repository, 'deploy/prometheus/prometheus.yml'), 'utf8'));
  const port = async (name) => (await settings(name)).find(({ key }) => key === 'admin.port').default;
  const targets = jobs.find((job) => job.job_name === 'parlance-gateway').static_configs[0].targets;
  const gatewayPort = await port('gateway');
  assert.deepEqual(targets, ours('gateway').map(([name]) => `${name}:${gatewayPort}`));
  const [workers] = jobs.find((job) => job.job_name === 'parlance-worker').dns_sd_configs;
  assert.deepEqual([workers.names, workers.port], [['worker'], Number(await port('worker'))]);
  for (const [name, { environment }] of [...ours('gateway'), ...ours('worker')]) {
    assert.equal(environment.PARLANCE__ADMIN__HOST, '0.0.0.0', name);
  }
});

test('Grafana finds its dashboards, and Prometheus by the name that these use', () => {
  const provisioning = onHost(services.grafana, '/etc/grafana/provisioning');
  const read = (path) => parse(readFileSync(join(provisioning, path), 'utf8'));
  const [provider] = read('dashboards/parlance.yaml').providers;
  assert.equal(onHost(services.grafana, provider.options.path), join(repository, 'deploy/grafana/dashboards'));
  const [source] = read('datasources/prometheus.yaml').datasources;
  assert.deepEqual([source.uid, source.type, source.url], ['prometheus', 'prometheus', 'http://prometheus:9090']);
});

test('every service can write to its volumes only, gains no rights, and keeps its log small', () => {
  for (const [name, service] of Object.entries(services)) {
    assert.equal(service.read_only, true, name);
    assert.deepEqual(service.cap_drop, ['ALL'], name);
    assert.equal(service.cap_add, undefined, name);
    assert.equal(service.privileged, undefined, name);
    assert.deepEqual(service.security_opt, ['no-new-privileges:true'], name);
    assert.ok(service.restart, name);
    assert.ok(service.logging.options['max-size'], name);
  }
});

test('uploads are in one folder of all gateways, which their user may write to', () => {
  for (const [name, service] of ours('gateway')) {
    const path = service.environment.PARLANCE__UPLOADS__STORE.replace('file://', '');
    assert.ok(mounts(service).some(({ source, target }) => source === 'uploads' && target === path), name);
    // A volume begins as a copy of what the image has there.
    assert.match(said('gateway', 'COPY'), new RegExp(`--chown=${said('gateway', 'USER')} \\S+ ${path}$`));
  }
});

test('what is published is reached from this machine only, unless .env says otherwise', () => {
  const published = Object.values(services).flatMap(({ ports = [] }) => ports);
  assert.equal(published.length, 4);
  for (const port of published) assert.match(port, /^127\.0\.0\.1:\d+:\d+$/);
  const opened = compose({ ...env, PARLANCE_ADDRESS: '0.0.0.0' }).services;
  assert.ok(opened.nginx.ports.every((port) => port.startsWith('0.0.0.0:')));
  assert.ok(opened.prometheus.ports.every((port) => port.startsWith('127.0.0.1:')));
});

test('Redis neither evicts nor forgets, and takes what stands on its command line', async () => {
  const configuration = readFileSync(onHost(services.redis, services.redis.command[1]), 'utf8');
  assert.match(configuration, /^maxmemory-policy noeviction$/m);
  assert.match(configuration, /^appendonly yes$/m);
  assert.equal(services.redis.command[services.redis.command.indexOf('--dir') + 1], '/data');
  assert.ok(mounts(services.redis).some(({ source, target }) => source === 'redis' && target === '/data'));
});
