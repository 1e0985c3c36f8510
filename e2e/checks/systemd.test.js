// The units of deploy/systemd: what they run, what they tell it, and whether they wait long enough for it.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';

import { binaries, repository } from '../harness/paths.js';

const run = promisify(execFile);
const folder = join(repository, 'deploy/systemd');
const units = { gateway: 'parlance-gateway@.service', worker: 'parlance-worker@.service' };
const text = (unit) => readFileSync(join(folder, unit), 'utf8');
/** All values of a key, in their order. */
const values = (unit, key) => [...text(unit).matchAll(new RegExp(`^${key}=(.*)$`, 'gm'))].map(([, value]) => value);

for (const [binary, unit] of Object.entries(units)) {
  test(`${unit}: what it sets is what the ${binary} reads`, async () => {
    const instance = { gateway: '3001', worker: '1' }[binary];
    const set = values(unit, 'Environment').flatMap((line) => line.split(' ')).map((pair) => pair.replaceAll('%i', instance).split('='));
    const given = {
      REDIS_URL: 'redis://127.0.0.1:6379',
      DATABASE_URL: 'postgres://parlance:parlance@127.0.0.1/parlance',
      ...(binary === 'gateway' && { JWT_SECRET: 'x'.repeat(64) }),
    };
    await run(join(binaries, binary), ['check-config'], { env: { ...given, ...Object.fromEntries(set) } });
  });

  test(`${unit}: it runs verbs that there are`, async () => {
    for (const command of [...values(unit, 'ExecStartPre'), ...values(unit, 'ExecStart')]) {
      const [program, verb] = command.split(' ');
      assert.equal(program, `/usr/local/bin/${binary}`);
      await run(join(binaries, binary), [verb, '--help']);
    }
  });

  test(`${unit}: it waits longer than the process takes to end`, async () => {
    const { stdout } = await run(join(binaries, binary), ['print-config', '--reference']);
    const [, deadline] = stdout.match(/`shutdown\.drain_deadline` \|[^|]*\| `(\d+)s`/);
    assert.ok(Number(values(unit, 'TimeoutStopSec')[0]) > Number(deadline) + 5);
  });

  test(`${unit}: systemd has nothing to say against it`, async (context) => {
    if (!(await run('systemd-analyze', ['--version']).catch(() => undefined))) return context.skip('systemd-analyze is not installed');
    const place = mkdtempSync(join(tmpdir(), 'parlance-units-'));
    try {
      const instance = join(place, unit.replace('@', '@1'));
      cpSync(join(folder, unit), join(place, unit));
      writeFileSync(instance, text(unit).replaceAll('/usr/local/bin', binaries));
      const { stderr } = await run('systemd-analyze', ['verify', instance]);
      assert.deepEqual(stderr.split('\n').filter((line) => line.includes('parlance')), []);
    } finally {
      rmSync(place, { recursive: true });
    }
  });
}
