// The renderings that the suites ask, made once, and what they have in common.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';

import { repository } from '../../harness/paths.js';
import { settings as settingsOf } from '../tools.js';
import { Cluster } from './cluster.js';
import { copyTree, namesIn, productionWith, readObjects, render } from './render.js';

export const OVERLAYS = ['dev', 'production'];
/** The entrances other than that of the production overlay. */
export const ENTRANCES = ['ingress-nginx-by-address', 'ingress-traefik', 'gateway-api'];

/** The files of k8s/examples: name → objects. */
export const examples = new Map();
for (const file of await namesIn('k8s/examples')) examples.set(file, await readObjects(join(repository, 'k8s/examples', file)));

/** The Secrets that somebody has to make, as the examples have them: name → key → value. */
export const provided = new Map(
  [...examples.values()]
    .flat()
    .filter(({ kind }) => kind === 'Secret')
    .map((secret) => [secret.metadata.name, secret.stringData]),
);

/** What each binary reads: variable → default. */
export const settings = {};
for (const name of ['gateway', 'worker']) {
  const all = await settingsOf(name);
  settings[name] = new Map(all.flatMap((setting) => setting.variables.map((variable) => [variable, setting.default])));
}

/** The overlays, and the production overlay with each other entrance: name → Cluster. */
export const renderings = new Map();
for (const overlay of OVERLAYS) renderings.set(overlay, new Cluster(await render(join(repository, 'k8s/overlays', overlay))));
const copy = await copyTree();
try {
  for (const entrance of ENTRANCES) renderings.set(entrance, new Cluster(await productionWith(copy.root, entrance)));
} finally {
  await copy.remove();
}

export const cluster = (name) => renderings.get(name) ?? assert.fail(`there is no rendering ${name}`);

/** Runs a check of each rendering, under its name. */
export function eachRendering(promise, check) {
  test(promise, async (context) => {
    for (const [name, asked] of renderings) await context.test(name, () => check(asked, name));
  });
}

/** The containers with a binary of Parlance, with what they run. */
export function ours(asked) {
  return asked
    .workloads()
    .flatMap((workload) =>
      workload.containers
        .filter(({ image }) => /parlance[-/](gateway|worker):/.test(image))
        .map((container) => ({ workload, container, binary: /(gateway|worker):/.exec(container.image)[1] })),
    );
}

/** The variables of a container; Secrets that are not in the rendering have the values of the examples. */
export function environment(asked, container) {
  return asked.environment(container, (name, key) => {
    const inside = asked.find('Secret', name);
    return inside ? Buffer.from(inside.data[key] ?? '', 'base64').toString() || undefined : provided.get(name)?.[key];
  });
}
