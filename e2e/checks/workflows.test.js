// .github/workflows: that they are what GitHub reads, call what there is, and may do no more than they need.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { parse } from 'yaml';

import { repository } from '../harness/paths.js';
import { compose, readEnv } from './compose_file.js';
import { stages } from './dockerfile.js';
import { output, python } from './tools.js';

const folder = join(repository, '.github/workflows');
const workflows = readdirSync(folder).map((name) => {
  return { name, path: join(folder, name), ...parse(readFileSync(join(folder, name), 'utf8')) };
});
const makefile = readFileSync(join(repository, 'Makefile'), 'utf8');
const secrets = { JWT_SECRET: 'x', SERVICE_KEY: 'x', POSTGRES_PASSWORD: 'x', GRAFANA_PASSWORD: 'x' };
const { services } = compose({ ...readEnv(readFileSync(join(repository, '.env.example'), 'utf8')), ...secrets });

const steps = workflows.flatMap(({ jobs }) => Object.values(jobs).flatMap((job) => job.steps));
const builds = steps.filter(({ uses }) => uses?.startsWith('docker/build-push-action@'));

test('they are workflows as GitHub reads them, and no job runs without end', async () => {
  for (const { path } of workflows) {
    for (const schema of ['vendor.github-workflows', 'custom.github-workflows-require-timeout']) {
      await output(python('check-jsonschema'), ['--builtin-schema', schema, path]);
    }
  }
});

test('every make that they run is a target, and make test is among them', () => {
  const called = steps.flatMap(({ run = '' }) => [...run.matchAll(/\bmake ([a-z0-9-]+)/g)].map(([, target]) => target));
  for (const target of called) assert.match(makefile, new RegExp(`^${target}:`, 'm'));
  assert.ok(called.includes('test'));
});

test('every action has a version', () => {
  const uses = steps.map((step) => step.uses).filter(Boolean);
  assert.ok(uses.length > 0);
  for (const action of uses) assert.match(action, /^[\w-]+\/[\w-]+@v\d+(\.\d+)*$/);
});

test('they may read the repository and nothing else, and leave no credentials on the machine', () => {
  for (const { name, permissions, jobs } of workflows) {
    assert.deepEqual(permissions, { contents: 'read' }, name);
    for (const job of Object.values(jobs)) assert.equal(job.permissions, undefined, name);
  }
  const checkouts = steps.filter(({ uses }) => uses?.startsWith('actions/checkout@'));
  for (const step of checkouts) assert.equal(step.with['persist-credentials'], false);
});

test('a newer push to a pull request ends the run of the older one', () => {
  for (const { name, concurrency } of workflows) {
    assert.match(concurrency.group, /github\.ref/, name);
    assert.match(`${concurrency['cancel-in-progress']}`, /pull_request/, name);
  }
});

test('nothing from outside is put into a script', () => {
  for (const { run = '' } of steps) assert.doesNotMatch(run, /\$\{\{/);
});

test('the images of docker-compose.yml are built, under its names, and not pushed', () => {
  const built = builds.map((step) => [step.with.tags, step.with.target, step.with.file]);
  const wanted = Object.values(services).filter(({ build }) => build);
  for (const { image, build } of wanted) {
    assert.ok(built.some((one) => one.join() === [image, build.target, build.dockerfile].join()), image);
  }
  for (const step of builds) {
    assert.ok(stages().some(({ name }) => name === step.with.target));
    assert.ok(existsSync(join(repository, step.with.file)));
    assert.equal(step.with.push, false);
    const given = step.with['build-args'].trim().split('\n').map((line) => line.split('=')[0]);
    const known = stages().flatMap(({ instructions }) => instructions.filter(({ word }) => word === 'ARG').map(({ rest }) => rest.split('=')[0]));
    assert.deepEqual(given.filter((name) => !known.includes(name)), []);
  }
});

test('the scripts and services that they name exist', () => {
  for (const { run = '' } of steps) {
    for (const [, script] of run.matchAll(/^\s*(deploy\/\S+\.sh)/gm)) assert.ok(existsSync(join(repository, script)), script);
    for (const [, service] of run.matchAll(/docker compose exec -T (\S+)/g)) assert.ok(service in services, service);
  }
});
