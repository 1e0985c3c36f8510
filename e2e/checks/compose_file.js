// docker-compose.yml as Docker sees it: anchors merged, variables replaced. It knows what this file uses of the format:
// mounts and ports in the short syntax, `${NAME:-default}` and `${NAME:?message}`.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { parse } from 'yaml';

import { repository } from '../harness/paths.js';

const VARIABLE = /\$\{([A-Za-z_][A-Za-z0-9_]*)(?:(:-|:\?)([^}]*))?\}/g;

const text = readFileSync(join(repository, 'docker-compose.yml'), 'utf8');
const document = parse(text, { merge: true });

/** Every use of a variable: `{name, operator, operand}`. */
export function variables() {
  const uses = text.split('\n').filter((line) => !line.trimStart().startsWith('#')).join('\n');
  return [...uses.matchAll(VARIABLE)].map(([, name, operator, operand]) => ({ name, operator, operand }));
}

/** The assignments of an environment file, by name. */
export function readEnv(content) {
  const lines = content.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
}

/** The file with the variables replaced, or an error for one that is required and empty. */
export function compose(env) {
  return replaced(document, env);
}

function replaced(value, env) {
  if (Array.isArray(value)) return value.map((item) => replaced(item, env));
  if (value !== null && typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, replaced(item, env)]));
  }
  if (typeof value !== 'string') return value;
  return value.replace(VARIABLE, (_, name, operator, operand) => {
    if (env[name]) return env[name];
    if (operator !== ':-') throw new Error(`${name} ${operand ?? 'has no default'}`);
    return operand;
  });
}

/** A service's mounts as `{source, target, bind}`. */
export function mounts(service) {
  return (service.volumes ?? []).map((volume) => {
    const [source, target, mode] = volume.split(':');
    return { source, target, bind: /^[./]/.test(source), readOnly: mode === 'ro' };
  });
}

/** A path inside a container as the path on the host that is mounted there, or undefined. */
export function onHost(service, path) {
  const under = ({ bind, target }) => bind && (path === target || path.startsWith(`${target}/`));
  // The innermost mount counts.
  const [mount] = mounts(service).filter(under).sort((a, b) => b.target.length - a.target.length);
  return mount && join(repository, mount.source, path.slice(mount.target.length));
}
