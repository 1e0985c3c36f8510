// That the processes can work with what the manifests tell them.
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import { binary as program, output, seconds } from '../tools.js';
import { portOf } from './cluster.js';
import { called } from './render.js';
import { cluster, eachRendering, environment, ours, settings } from './renderings.js';

describe('settings', () => {
  eachRendering('every variable is one that the binary reads', (asked) => {
    const found = ours(asked);
    assert.deepEqual(found.map(({ workload }) => called(workload.object)).sort(), [
      'Deployment/parlance-gateway',
      'Deployment/parlance-worker',
      'Job/parlance-migrate',
    ]);
    for (const { workload, container, binary } of found) {
      const names = (container.env ?? []).map(({ name }) => name);
      const given = (container.envFrom ?? []).flatMap(({ configMapRef }) =>
        Object.keys(asked.find('ConfigMap', configMapRef.name).data ?? {}),
      );
      for (const name of [...names, ...given])
        assert.ok(settings[binary].has(name), `${called(workload.object)}: the ${binary} reads no ${name}`);
      assert.equal(
        new Set([...names, ...given]).size,
        names.length + given.length,
        `${called(workload.object)}: a variable is given twice`,
      );
    }
  });

  eachRendering('the binaries accept the configuration, dialect files included', async (asked) => {
    for (const { workload, container, binary } of ours(asked)) {
      const folder = await mkdtemp(join(tmpdir(), 'parlance-configmap-'));
      try {
        const env = { ...environment(asked, container), PATH: process.env.PATH };
        for (const { name, mountPath } of container.volumeMounts ?? []) {
          const { configMap } = workload.pod.volumes.find((volume) => volume.name === name);
          await mount(folder, asked.find('ConfigMap', configMap.name).data ?? {});
          for (const [variable, value] of Object.entries(env)) if (value === mountPath) env[variable] = folder;
        }
        const said = await output(program(binary), ['check-config'], { env });
        if (binary === 'gateway') {
          const dialects = Object.keys(
            asked.objects.find(({ metadata }) => metadata.name.startsWith('parlance-dialects')).data ?? {},
          );
          for (const file of dialects) assert.ok(said.includes(file.replace('.toml', '')), `${file} was not read: ${said}`);
        }
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    }
  });

  eachRendering('ports are those that the processes listen on, and probes ask the admin port', (asked) => {
    for (const { workload, container, binary } of ours(asked)) {
      if (workload.object.kind === 'Job') continue;
      const of = called(workload.object);
      const env = environment(asked, container);
      const admin = Number(env.PARLANCE__ADMIN__PORT ?? settings[binary].get('PARLANCE__ADMIN__PORT'));
      assert.equal(portOf(workload, 'admin'), admin, `${of}: the port admin`);
      assert.equal(env.PARLANCE__ADMIN__HOST, '0.0.0.0', `${of}: probes come from outside the pod`);
      if (binary === 'gateway')
        assert.equal(
          portOf(workload, 'http'),
          Number(env.PARLANCE__SERVER__PORT ?? settings.gateway.get('PARLANCE__SERVER__PORT')),
          `${of}: the port http`,
        );
      for (const [probe, path] of [
        ['startupProbe', '/live'],
        ['livenessProbe', '/live'],
        ['readinessProbe', '/ready'],
      ]) {
        assert.equal(container[probe]?.httpGet.path, path, `${of}: ${probe}`);
        assert.equal(portOf(workload, container[probe].httpGet.port), admin, `${of}: ${probe}`);
      }
    }
  });

  eachRendering('a pod has the time to drain before it is killed', (asked) => {
    for (const { workload, container, binary } of ours(asked)) {
      if (workload.object.kind === 'Job') continue;
      const env = environment(asked, container);
      const drain = seconds(env.PARLANCE__SHUTDOWN__DRAIN_DEADLINE ?? settings[binary].get('PARLANCE__SHUTDOWN__DRAIN_DEADLINE'));
      const preStop = container.lifecycle?.preStop?.sleep.seconds ?? 0;
      if (binary === 'gateway') assert.ok(preStop > 0, 'a gateway must go on while load balancers hear that it ends');
      const needed = preStop + drain + 5;
      assert.ok(
        workload.pod.terminationGracePeriodSeconds >= needed,
        `${called(workload.object)} has ${workload.pod.terminationGracePeriodSeconds} s, and needs ${needed} s`,
      );
      assert.equal(workload.object.spec.strategy.rollingUpdate.maxUnavailable, 0, called(workload.object));
    }
  });

  eachRendering('a gateway behind a proxy believes it, and one without believes nobody', (asked) => {
    const { container } = ours(asked).find(({ binary }) => binary === 'gateway');
    const hops = Number(environment(asked, container).PARLANCE__SERVER__TRUSTED_HOPS);
    assert.equal(hops, asked.all('Ingress', 'Gateway').length);
  });

  test('cookie and address are never asked for together: ingress-nginx would ignore the address', () => {
    const affinity = ({ metadata }) =>
      ['nginx.ingress.kubernetes.io/affinity', 'nginx.ingress.kubernetes.io/upstream-hash-by'].filter(
        (name) => name in metadata.annotations,
      );
    assert.deepEqual(cluster('production').all('Ingress').map(affinity), [['nginx.ingress.kubernetes.io/affinity']]);
    assert.deepEqual(cluster('ingress-nginx-by-address').all('Ingress').map(affinity), [
      ['nginx.ingress.kubernetes.io/upstream-hash-by'],
    ]);
  });

  test('proxies wait longer than a silent client is waited for', () => {
    const silence = ['PARLANCE__SOCKET__PING_INTERVAL', 'PARLANCE__SOCKET__PING_TIMEOUT']
      .map((name) => seconds(settings.gateway.get(name)))
      .reduce((a, b) => a + b);
    for (const name of ['production', 'ingress-nginx-by-address']) {
      const [{ metadata }] = cluster(name).all('Ingress');
      for (const timeout of ['read', 'send'])
        assert.ok(
          Number(metadata.annotations[`nginx.ingress.kubernetes.io/proxy-${timeout}-timeout`]) > silence,
          `${name}: ${timeout}`,
        );
    }
    const route = cluster('gateway-api').find('HTTPRoute', 'parlance');
    for (const { timeouts } of route.spec.rules) assert.equal(timeouts.request, '0s');
  });
});

/** Lays files out as the kubelet does for a ConfigMap: the names are links, by way of a link to the current version. */
async function mount(folder, files) {
  await mkdir(join(folder, '..2026_01_01'));
  await symlink('..2026_01_01', join(folder, '..data'));
  for (const [name, text] of Object.entries(files)) {
    await writeFile(join(folder, '..2026_01_01', name), text);
    await symlink(join('..data', name), join(folder, name));
  }
}
