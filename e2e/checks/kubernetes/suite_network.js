// What the NetworkPolicies let through.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { allowed, fits } from './cluster.js';
import { called } from './render.js';
import { cluster } from './renderings.js';

describe('network policies', () => {
  const reach = (name, workload, direction, port, protocol) =>
    allowed(cluster(name), cluster(name).workload(workload).labels, direction, port, protocol);

  test('everything is closed that no policy opens', () => {
    const asked = cluster('production');
    const denying = asked.all('NetworkPolicy').filter(({ spec }) => !spec.ingress && !spec.egress);
    assert.deepEqual(
      denying.map(({ spec }) => [...spec.policyTypes].sort()),
      [['Egress', 'Ingress']],
    );
    for (const { object, labels } of asked.workloads())
      assert.ok(fits(denying[0].spec.podSelector, labels), `${called(object)} is open`);
    for (const port of ['http', 'admin', 9464])
      assert.equal(reach('production', 'parlance-migrate', 'Ingress', port), false, `migrate at ${port}`);
    assert.equal(reach('production', 'parlance-worker', 'Egress', 443), false);
    assert.equal(reach('production', 'parlance-gateway', 'Egress', 22), false);
  });

  test('each pod reaches what it needs, and is reached where it serves', () => {
    for (const [workload, port, protocol] of [
      ...['parlance-gateway', 'parlance-worker', 'parlance-migrate'].flatMap((name) => [
        [name, 53, 'UDP'],
        [name, 53, 'TCP'],
        [name, 5432],
        [name, 6379],
      ]),
      ['parlance-gateway', 443],
      ['parlance-gateway', 4317],
      ['parlance-worker', 4317],
    ]) {
      assert.ok(reach('production', workload, 'Egress', port, protocol), `${workload} does not reach ${port}`);
    }
    assert.ok(reach('production', 'parlance-gateway', 'Ingress', 'http'));
    for (const workload of ['parlance-gateway', 'parlance-worker'])
      assert.ok(reach('production', workload, 'Ingress', 'admin'), workload);
  });

  test('the admin port is open to the monitoring alone', () => {
    const rules = cluster('production')
      .all('NetworkPolicy')
      .flatMap(({ spec }) => spec.ingress ?? []);
    for (const { from, ports } of rules.filter((rule) => rule.ports.some(({ port }) => port === 'admin'))) {
      assert.deepEqual(from, [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } } }]);
      assert.equal(ports.length, 1);
    }
  });
});
