// The programs that checks of deployment files run, and what the binaries say of their settings.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { binaries, repository } from '../harness/paths.js';

const run = promisify(execFile);

/** Runs a program and returns its `stdout`; what it wrote is in the error when it fails. nginx stands in /usr/sbin. */
export async function output(command, parameters, { env = process.env, ...options } = {}) {
  const path = `${env.PATH ?? process.env.PATH}:/usr/sbin:${process.env.HOME}/.cargo/bin`;
  try {
    const { stdout } = await run(command, parameters, { cwd: repository, maxBuffer: 64 << 20, ...options, env: { ...env, PATH: path } });
    return stdout;
  } catch (error) {
    throw new Error(`${command} ${parameters.join(' ')}: ${error.message}\n${error.stdout ?? ''}${error.stderr ?? ''}`, { cause: error });
  }
}

/** A program of e2e/requirements.txt. */
export function python(name) {
  return join(repository, 'e2e/.venv/bin', name);
}

/** One of the built binaries. */
export function binary(name) {
  return join(binaries, name);
}

/** The settings of a binary: `{key, variables, default}` for each. `variables` are the names in the environment. */
export async function settings(name) {
  const reference = await output(binary(name), ['print-config', '--reference']);
  return reference
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => {
      const [, key, variables, standard] = line.split('|').map((cell) => cell.replaceAll('`', '').trim());
      return { key, variables: variables.split('<br>'), default: standard };
    });
}

/** `45s`, `1m` or `1m30s` in seconds. */
export function seconds(text) {
  const units = { ms: 0.001, s: 1, m: 60, h: 3600 };
  const parts = [...`${text}`.matchAll(/(\d+)(ms|s|m|h)/g)];
  if (parts.map(([part]) => part).join('') !== `${text}` || parts.length === 0) throw new Error(`no duration: ${text}`);
  return parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * units[unit], 0);
}
