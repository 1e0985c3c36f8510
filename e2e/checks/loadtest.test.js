// The load tests without a stack: the manifest that runs them in a cluster, and what their script refuses.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { parseAllDocuments } from 'yaml';

import { repository } from '../harness/paths.js';
import { output, python } from './tools.js';

const scripts = (folder) => readdirSync(join(repository, 'loadtest/k6', folder)).filter((name) => name.endsWith('.js')).sort();

test('the Job finds every script where the scripts import it from', async () => {
  const rendered = await output(python('kubectl'), ['kustomize', 'loadtest/k6']);
  const documents = parseAllDocuments(rendered).map((document) => document.toJS());
  const maps = new Map(documents.filter(({ kind }) => kind === 'ConfigMap').map((map) => [map.metadata.name, map.data]));
  const job = documents.find(({ kind }) => kind === 'Job');
  const { containers, volumes } = job.spec.template.spec;
  const mounted = volumes[0].projected.sources.flatMap(({ configMap: { name, items } }) => {
    assert.ok(maps.has(name), `${name} is not made`);
    return items ?? Object.keys(maps.get(name)).map((key) => ({ key, path: key }));
  });
  const expected = [...scripts(''), ...scripts('lib').map((name) => `lib/${name}`)].sort();
  assert.deepEqual(mounted.map(({ path }) => path).sort(), expected);
  const [{ envFrom }] = containers;
  const settings = maps.get(envFrom[0].configMapRef.name);
  assert.ok(expected.includes(`${settings.SCENARIO}.js`));
});

test('the Job is what Kubernetes accepts', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'loadtest-'));
  try {
    const file = join(folder, 'rendered.yaml');
    writeFileSync(file, await output(python('kubectl'), ['kustomize', 'loadtest/k6']));
    const told = await output(python('kubernetes-validate'), ['--strict', file]);
    assert.match(told, /passed for resource job\/parlance-loadtest/);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

// A k6 that says what it was called with.
let folder;
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'loadtest-'));
  writeFileSync(join(folder, 'k6'), '#!/bin/sh\necho "$@"\necho "$TARGET $JWT_SECRET $SERVICE_KEY"\n', { mode: 0o755 });
});
after(() => rmSync(folder, { recursive: true, force: true }));

/** What the script does with an environment, when the local stack has written down `stack`. */
function script(env, stack = '') {
  writeFileSync(join(folder, 'env'), stack);
  const options = { env: { PATH: process.env.PATH, K6: join(folder, 'k6'), PARLANCE_STATE: folder, ...env } };
  return new Promise((resolve) => {
    execFile(join(repository, 'loadtest/k6.sh'), options, (error, stdout, stderr) => resolve({ code: error?.code ?? 0, stdout, stderr }));
  });
}

const LOCAL = 'PARLANCE_URL=http://127.0.0.1:8080\nJWT_SECRET=local-secret\nSERVICE_KEY=local-key\n';

test('without a target it is the local stack, with its secrets', async () => {
  const { code, stdout } = await script({}, LOCAL);
  assert.equal(code, 0);
  assert.match(stdout, /smoke\.js\nhttp:\/\/127\.0\.0\.1:8080 local-secret local-key/);
});

test('what is set goes before what the local stack has', async () => {
  const { stdout } = await script({ SCENARIO: 'soak', JWT_SECRET: 'mine', SUMMARY: 'figures.json' }, LOCAL);
  assert.match(stdout, /--summary-export figures\.json .*soak\.js\nhttp:\/\/127\.0\.0\.1:8080 mine local-key/);
});

test('a target elsewhere must be named', async () => {
  const { code, stderr } = await script({}, LOCAL.replace('127.0.0.1:8080', 'chat.example.org'));
  assert.equal(code, 64);
  assert.match(stderr, /not on this machine/);
});

test('the local stack\'s secrets are sent to nobody else', async () => {
  for (const TARGET of ['https://chat.example.org', 'http://127.0.0.1.example.org', 'http://localhost:80@example.org']) {
    const { code, stderr } = await script({ TARGET }, LOCAL);
    assert.equal(code, 64, TARGET);
    assert.match(stderr, /JWT_SECRET is not set/, TARGET);
  }
  const { stdout } = await script({ TARGET: 'https://chat.example.org', JWT_SECRET: 'theirs', SERVICE_KEY: 'key' }, LOCAL);
  assert.match(stdout, /https:\/\/chat\.example\.org theirs key/);
});

test('a scenario that is not there is refused', async () => {
  for (const SCENARIO of ['typo', '../k6/smoke', 'lib/jwt']) assert.equal((await script({ SCENARIO }, LOCAL)).code, 64, SCENARIO);
});
