// What the kustomizations of k8s/ come to, as `kubectl kustomize` prints it, and what the published schemas of
// Kubernetes say to it. kubectl and kubernetes-validate are those of e2e/requirements.txt.
import assert from 'node:assert/strict';
import { cp, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';

import { repository } from '../../harness/paths.js';
import { output, python } from '../tools.js';

/** The version of Kubernetes whose schemas are asked; kubernetes-validate has the same version. */
const VERSION = '1.37';

/** Kinds that are no part of Kubernetes: no schema is there to ask. Every other kind must have one. */
export const CUSTOM_KINDS = [
  'cert-manager.io/v1 Issuer',
  'external-secrets.io/v1 ExternalSecret',
  'gateway.envoyproxy.io/v1alpha1 BackendTrafficPolicy',
  'gateway.networking.k8s.io/v1 Gateway',
  'gateway.networking.k8s.io/v1 HTTPRoute',
  'monitoring.coreos.com/v1 PrometheusRule',
  'monitoring.coreos.com/v1 ServiceMonitor',
  'traefik.io/v1alpha1 IngressRoute',
];

/** `apps/v1 Deployment`, as in CUSTOM_KINDS. */
export const kindOf = (object) => `${object.apiVersion} ${object.kind}`;
export const isCustom = (object) => CUSTOM_KINDS.includes(kindOf(object));
/** `Deployment/parlance-gateway`, for messages. */
export const called = (object) => `${object.kind}/${object.metadata.name}`;

/** The objects of a YAML file. */
export async function readObjects(path) {
  return parse(await readFile(path, 'utf8'), path);
}

function parse(text, from) {
  return parseAllDocuments(text)
    .map((document) => {
      assert.deepEqual(document.errors, [], from);
      return document.toJS();
    })
    .filter((object) => object !== null);
}

/** The objects of a kustomization, a folder. */
export async function render(folder) {
  return parse(await output(python('kubectl'), ['kustomize', folder]), folder);
}

/** What the schemas find wrong with these objects, as lines; those of custom kinds are not looked at. */
export async function faults(objects) {
  const folder = await mkdtemp(join(tmpdir(), 'parlance-kubernetes-'));
  try {
    const file = join(folder, 'objects.yaml');
    const known = objects.filter((object) => !isCustom(object));
    if (known.length === 0) return [];
    await writeFile(file, known.map((object) => `---\n${JSON.stringify(object)}\n`).join(''));
    // It writes to both, and a kind that it does not know is only a warning to it.
    const said = await output('sh', [
      '-c',
      '"$0" --strict -k "$1" "$2" 2>&1 || true',
      python('kubernetes-validate'),
      VERSION,
      file,
    ]);
    const lines = said.split('\n').filter((line) => line.trim() !== '');
    const passed = lines.filter((line) => line.includes(' passed for resource '));
    const others = lines.filter((line) => !line.includes(' passed for resource '));
    if (others.length === 0 && passed.length !== known.length)
      others.push(`${passed.length} of ${known.length} objects were looked at`);
    return others;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A copy of what kustomizations refer to, in which one can be changed. Ends with `remove`. */
export async function copyTree() {
  const root = await mkdtemp(join(tmpdir(), 'parlance-kubernetes-'));
  for (const folder of ['k8s', 'deploy/redis', 'deploy/grafana/dashboards', 'deploy/prometheus/rules']) {
    await cp(join(repository, folder), join(root, folder), { recursive: true });
  }
  return { root, remove: () => rm(root, { recursive: true, force: true }) };
}

/** The production overlay with this entrance instead of its own; other than for ingress-nginx without cert-manager. */
export async function productionWith(root, entrance) {
  const file = join(root, 'k8s/overlays/production/kustomization.yaml');
  const before = await readFile(file, 'utf8');
  let text = before.replace('- ../../components/ingress-nginx\n', `- ../../components/${entrance}\n`);
  if (!entrance.startsWith('ingress-nginx')) text = text.replace('  - ../../components/cert-manager\n', '');
  assert.notEqual(text, before, `${entrance} was not put in`);
  await writeFile(file, text);
  try {
    return await render(join(root, 'k8s/overlays/production'));
  } finally {
    await writeFile(file, before);
  }
}

/** The names in a folder, sorted. */
export const namesIn = async (folder) => (await readdir(join(repository, folder))).sort();
