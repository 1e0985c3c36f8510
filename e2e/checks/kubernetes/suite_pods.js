// What pods may do, and which images they run.
import assert from 'node:assert/strict';
import { describe } from 'node:test';

import { fits } from './cluster.js';
import { called } from './render.js';
import { eachRendering } from './renderings.js';

describe('pods', () => {
  eachRendering('no pod is root, writes to its root, or may do more than it must', (asked) => {
    for (const { object, pod, containers } of asked.workloads()) {
      const of = called(object);
      assert.equal(pod.securityContext?.runAsNonRoot, true, `${of}: runAsNonRoot`);
      assert.ok(pod.securityContext.runAsUser > 0, `${of}: runAsUser`);
      assert.equal(pod.securityContext.seccompProfile?.type, 'RuntimeDefault', `${of}: seccompProfile`);
      assert.equal(pod.automountServiceAccountToken, false, `${of}: automountServiceAccountToken`);
      assert.equal(pod.enableServiceLinks, false, `${of}: enableServiceLinks`);
      for (const key of ['hostNetwork', 'hostPID', 'hostIPC']) assert.equal(pod[key], undefined, `${of}: ${key}`);
      for (const { securityContext, resources } of containers) {
        assert.equal(securityContext?.readOnlyRootFilesystem, true, `${of}: readOnlyRootFilesystem`);
        assert.equal(securityContext.allowPrivilegeEscalation, false, `${of}: allowPrivilegeEscalation`);
        assert.equal(securityContext.privileged, undefined, `${of}: privileged`);
        assert.deepEqual(securityContext.capabilities, { drop: ['ALL'] }, `${of}: capabilities`);
        assert.ok(resources.requests.cpu && resources.requests.memory && resources.limits.memory, `${of}: resources`);
      }
    }
    for (const account of asked.all('ServiceAccount')) assert.equal(account.automountServiceAccountToken, false, called(account));
  });

  eachRendering('every image has a version, and the schema is that of the worker', (asked) => {
    for (const { object, containers } of asked.workloads()) {
      for (const { image } of containers) {
        assert.match(image, /(:[^:/]+|@sha256:[0-9a-f]{64})$/, `${called(object)}: ${image}`);
        assert.doesNotMatch(image, /:latest$/, `${called(object)}: ${image}`);
      }
    }
    const image = (name) => asked.workload(name).containers[0].image;
    assert.equal(image('parlance-migrate'), image('parlance-worker'));
    assert.equal(image('parlance-worker').split(':').at(-1), image('parlance-gateway').split(':').at(-1));
  });

  eachRendering('one pod at a time is taken away from gateways and workers', (asked) => {
    for (const name of ['parlance-gateway', 'parlance-worker']) {
      const budgets = asked.all('PodDisruptionBudget').filter(({ spec }) => fits(spec.selector, asked.workload(name).labels));
      assert.deepEqual(
        budgets.map(({ spec }) => spec.maxUnavailable),
        [1],
        name,
      );
    }
  });
});
