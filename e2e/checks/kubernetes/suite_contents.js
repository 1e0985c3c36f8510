// That everything in k8s/ is looked at, and that Kubernetes knows what it says.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import { repository } from '../../harness/paths.js';
import { CUSTOM_KINDS, called, faults, kindOf, namesIn } from './render.js';
import { ENTRANCES, OVERLAYS, eachRendering, examples, renderings } from './renderings.js';

describe('what is there', () => {
  test('every overlay and every component is looked at here', async () => {
    assert.deepEqual(await namesIn('k8s/overlays'), OVERLAYS);
    const text = await readFile(join(repository, 'k8s/overlays/production/kustomization.yaml'), 'utf8');
    const used = [...text.matchAll(/^ {2}- \.\.\/\.\.\/components\/(.*)$/gm)].map(([, name]) => name);
    assert.deepEqual([...used, ...ENTRANCES].sort(), await namesIn('k8s/components'));
  });

  test('the README tells of every component, overlay and example', async () => {
    const readme = await readFile(join(repository, 'k8s/README.md'), 'utf8');
    for (const folder of ['components', 'overlays', 'examples']) {
      for (const name of await namesIn(`k8s/${folder}`)) assert.ok(readme.includes(`${folder}/${name}`), `${folder}/${name}`);
    }
  });

  test('every kind without a schema is one that is listed, and each of those occurs', () => {
    const all = [...renderings.values()].flatMap(({ objects }) => objects).concat(...examples.values());
    const custom = new Set(
      all.map(kindOf).filter((kind) => /\.(io|com)\//.test(kind) && !/\.k8s\.io\/v\d+ (NetworkPolicy|Ingress)$/.test(kind)),
    );
    assert.deepEqual([...custom].sort(), CUSTOM_KINDS);
  });

  eachRendering('Kubernetes knows every field', async (asked) => {
    assert.deepEqual(await faults(asked.objects), []);
  });

  test('Kubernetes knows every field of the examples', async () => {
    assert.deepEqual(await faults([...examples.values()].flat()), []);
  });

  eachRendering('everything is in the namespace of the overlay, which takes restricted pods only', (asked) => {
    const [namespace, ...others] = asked.all('Namespace');
    assert.deepEqual(others, []);
    assert.equal(namespace.metadata.labels['pod-security.kubernetes.io/enforce'], 'restricted');
    for (const object of asked.objects) {
      if (object !== namespace) assert.equal(object.metadata.namespace, namespace.metadata.name, called(object));
      assert.ok(
        object.metadata.labels?.['app.kubernetes.io/part-of'] ||
          object.kind === 'ConfigMap' ||
          object.kind === 'Secret' ||
          /redis|postgres/.test(object.metadata.name),
        `${called(object)} has no label part-of`,
      );
    }
  });
});
