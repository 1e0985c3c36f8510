// deploy/docker/Dockerfile and .dockerignore. There is no Docker here: images are built by the workflow. What can go
// wrong without one noticing before is checked on the files: that a build gets everything that it compiles in, that its
// base has what the binaries are linked to, and that the images say of themselves what is so.
import assert from 'node:assert/strict';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, normalize } from 'node:path';
import { test } from 'node:test';

import { repository } from '../harness/paths.js';
import { dockerfile, letIn, said, stages } from './dockerfile.js';
import { binary, output, python, settings } from './tools.js';

const files = letIn();
const read = (path) => readFileSync(join(repository, path), 'utf8');

/** Rust files that a build compiles, without the tests at their end. */
const sources = [...files]
  .filter((path) => path.endsWith('.rs') && !path.includes('/benches/') && basename(path) !== 'tests.rs')
  .map((path) => ({ path, text: read(path).split(/^#\[cfg\(test\)\]\nmod \w+ \{/m)[0] }));

test('hadolint finds nothing', async () => {
  await output(python('hadolint'), [dockerfile]);
});

test('a build gets what it needs and nothing beside', () => {
  const top = new Set([...files].map((path) => path.split('/')[0]));
  assert.deepEqual([...top].sort(), ['Cargo.lock', 'Cargo.toml', 'broker', 'chassis', 'domain', 'gateway', 'migrations', 'store', 'worker']);
  for (const path of ['.env', 'deploy/nginx/certificates/tls.key', 'target/debug/gateway', '.git/config']) assert.ok(!files.has(path), path);
  const build = stages().find(({ name }) => name === 'build');
  assert.ok(build.instructions.some(({ word, rest }) => word === 'COPY' && rest === '. .'), 'all of it is copied');
});

test('Cargo finds every package and every target in what a build gets', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'parlance-context-'));
  try {
    for (const path of files) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      copyFileSync(join(repository, path), join(folder, path));
    }
    const parameters = ['metadata', '--locked', '--offline', '--no-deps', '--format-version=1'];
    const seen = async (cwd) => JSON.parse(await output('cargo', parameters, { cwd })).packages;
    const [here, there] = await Promise.all([seen(repository), seen(folder)]);
    assert.deepEqual(there.map(({ name }) => name).sort(), here.map(({ name }) => name).sort());
    for (const { targets } of there) for (const target of targets) assert.ok(existsSync(target.src_path), target.src_path);
    const built = [...command().matchAll(/-p (\S+)/g)].map(([, name]) => name);
    assert.deepEqual(built, ['parlance-gateway', 'parlance-worker']);
    for (const name of built) {
      const targets = there.find((candidate) => candidate.name === name).targets.filter(({ kind }) => kind.includes('bin'));
      assert.deepEqual(targets.map((target) => target.name), [name.replace('parlance-', '')]);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

function command() {
  return stages().find(({ name }) => name === 'build').instructions.find(({ word }) => word === 'RUN').rest;
}

test('a build gets every module', () => {
  let modules = 0;
  for (const { path, text } of sources) {
    const root = ['lib.rs', 'main.rs', 'build.rs'].includes(basename(path));
    const folder = root ? dirname(path) : path.replace(/\.rs$/, '');
    // Modules that only tests have are not compiled; `pub mod a { … }` has no file.
    for (const [, attribute, name] of text.matchAll(/(#\[cfg\(test\)\]\n)?^(?:pub(?:\([a-z]+\))? )?mod (\w+);/gm)) {
      if (attribute) continue;
      modules += 1;
      assert.ok(files.has(`${folder}/${name}.rs`) || files.has(`${folder}/${name}/mod.rs`), `${path}: mod ${name}`);
    }
  }
  assert.ok(modules > 100, `${modules} modules`);
});

test('a build gets every file that is compiled in', () => {
  const missing = [];
  let found = 0;
  const needs = (path, by) => {
    found += 1;
    if (!files.has(normalize(path))) missing.push(`${by}: ${path}`);
  };
  for (const { path, text } of sources) {
    const folder = dirname(path);
    for (const [, literal] of text.matchAll(/include(?:_str|_bytes)?!\(\s*"([^"]+)"\s*\)/g)) needs(join(folder, literal), path);
    // A macro's argument stands between: then it may be any file of that folder with that end.
    for (const [, start, end = ''] of text.matchAll(/include(?:_str|_bytes)?!\(\s*concat!\(\s*"([^"]+)",\s*\$\w+(?:,\s*"([^"]+)")?\s*\)/g)) {
      const from = normalize(join(folder, start));
      const candidates = readdirSync(join(repository, from)).filter((name) => name.endsWith(end) && name !== 'README.md');
      assert.ok(candidates.length > 0, `${path}: ${from}`);
      for (const name of candidates) needs(join(from, name), path);
    }
    for (const [, literal] of text.matchAll(/migrate!\(\s*"([^"]+)"\s*\)/g)) {
      const [crate] = [...files].filter((file) => basename(file) === 'Cargo.toml' && path.startsWith(`${dirname(file)}/`)).slice(-1);
      const from = join(dirname(crate), literal);
      for (const name of readdirSync(join(repository, from))) needs(join(from, name), path);
    }
  }
  assert.ok(found > 50, `${found} files`);
  assert.deepEqual(missing, []);
});

test('no include is written in a way that the test before does not see', () => {
  const known = /include(?:_str|_bytes)?!\(\s*(?:"|concat!\(\s*"[^"]+",\s*\$)/;
  for (const { path, text } of sources) {
    for (const [use] of text.matchAll(/^(?!\s*\/\/).*\b(?:include|include_str|include_bytes|include_dir)!\([^]{0,60}/gm)) {
      assert.match(use, known, path);
    }
    assert.doesNotMatch(text.replaceAll(/^\s*\/\/.*$/gm, ''), /CARGO_MANIFEST_DIR/, path);
  }
});

test('the toolchain is the one that Cargo.toml asks for', () => {
  const [, version] = /^rust-version = "(.+)"$/m.exec(read('Cargo.toml'));
  assert.equal(stages()[0].from, `rust:${version}-slim-bookworm`);
});

test('both stages have the same Debian, and the base has every library that the binaries are linked to', async () => {
  // bookworm is Debian 12.
  assert.equal(stages().find(({ name }) => name === 'base').from, 'gcr.io/distroless/cc-debian12:nonroot');
  for (const name of ['gateway', 'worker']) {
    const libraries = (await output('ldd', [binary(name)])).trim().split('\n').map((line) => basename(line.trim().split(' ')[0]));
    const foreign = libraries.filter((library) => !/^(linux-vdso|libc|libm|libgcc_s|ld-linux-[a-z0-9-]+)\.so\.\d+$/.test(library));
    assert.deepEqual(foreign, [], name);
  }
});

for (const name of ['gateway', 'worker']) {
  test(`the image of the ${name}: a user by number who is not root, exec forms, the ports of its defaults`, async () => {
    assert.match(said(name, 'USER'), /^[1-9]\d*:[1-9]\d*$/);
    assert.equal(said(name, 'STOPSIGNAL'), 'SIGTERM');
    assert.deepEqual(JSON.parse(said(name, 'ENTRYPOINT')), [`/usr/local/bin/${name}`]);
    assert.deepEqual(JSON.parse(said(name, 'CMD')), ['run']);
    const ports = (await settings(name)).filter(({ key }) => /^(server|admin)\.port$/.test(key)).map((setting) => setting.default);
    assert.equal(said(name, 'EXPOSE'), ports.join(' '));
    const copied = stages().find((stage) => stage.name === name).instructions.filter(({ word }) => word === 'COPY');
    assert.equal(copied[0].rest, `--from=build /out/${name} /usr/local/bin/${name}`);
    assert.match(command(), new RegExp(`install -D -t /out .*target/release/${name}\\b`));
  });

  test(`the image of the ${name} asks for its health by a verb of the binary`, async () => {
    const [program, ...verb] = JSON.parse(said(name, 'HEALTHCHECK').split(' CMD ')[1]);
    assert.equal(program, `/usr/local/bin/${name}`);
    // Nobody listens there.
    const env = { PARLANCE__ADMIN__PORT: '1', REDIS_URL: 'redis://redis', DATABASE_URL: 'postgres://parlance@postgres/parlance' };
    const asked = output(binary(name), verb, { env });
    await assert.rejects(asked, (error) => error.cause.code === 1 && /answer/.test(error.message));
  });
}

test('the images say what they are', () => {
  for (const name of ['gateway', 'worker']) {
    const stage = stages().find((candidate) => candidate.name === name);
    const inherited = stages().find((candidate) => candidate.name === 'base');
    const labels = [inherited, stage].flatMap(({ instructions }) => instructions.filter(({ word }) => word === 'LABEL'));
    const text = labels.map(({ rest }) => rest).join(' ');
    for (const label of ['title', 'description', 'version', 'revision', 'licenses']) {
      assert.match(text, new RegExp(`org\\.opencontainers\\.image\\.${label}=`), name);
    }
    const [, description] = /description="([^"]+)"/.exec(text);
    assert.match(read(`${name}/Cargo.toml`), new RegExp(`^description = "${description}"$`, 'm'));
    assert.match(text, new RegExp(`licenses=${/^license = "(.+)"$/m.exec(read('Cargo.toml'))[1]} `));
  }
});
