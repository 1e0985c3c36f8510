// That names and selectors lead somewhere.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import { repository } from '../../harness/paths.js';
import { fits, portOf } from './cluster.js';
import { called } from './render.js';
import { cluster, eachRendering, examples, provided } from './renderings.js';

const secrets = await readFile(join(repository, 'k8s/examples/secrets.yaml'), 'utf8');

describe('names lead somewhere', () => {
  eachRendering('every ConfigMap, Secret and ServiceAccount is there, or is an example to be filled in', (asked) => {
    const config = (name, of) => assert.ok(asked.find('ConfigMap', name), `${of} wants the ConfigMap ${name}`);
    for (const { object, pod, containers } of asked.workloads()) {
      const of = called(object);
      if (pod.serviceAccountName)
        assert.ok(asked.find('ServiceAccount', pod.serviceAccountName), `${of} wants the account ${pod.serviceAccountName}`);
      for (const { name, configMap, secret } of pod.volumes ?? []) {
        assert.equal(secret, undefined, `${of}: a Secret as a volume is not known here`);
        if (configMap) config(configMap.name, of);
        assert.ok(
          containers.some(({ volumeMounts = [] }) => volumeMounts.some((mount) => mount.name === name)),
          `${of} mounts ${name} nowhere`,
        );
      }
      for (const container of containers) {
        for (const { configMapRef } of container.envFrom ?? []) config(configMapRef.name, of);
        for (const { name, valueFrom } of container.env ?? []) {
          const { name: secret, key, optional } = valueFrom?.secretKeyRef ?? {};
          if (!secret) continue;
          const inside = asked.find('Secret', secret);
          const there = inside ? key in inside.data : key in (provided.get(secret) ?? {});
          // Whoever may leave it out has to find it: the example has it, be it as a comment.
          const known = there || (optional && secrets.includes(`  # ${key}: `));
          assert.ok(known, `${of}: ${name} wants ${key} of the Secret ${secret}`);
        }
        const volumes = [...(pod.volumes ?? []), ...(object.spec.volumeClaimTemplates ?? []).map(({ metadata }) => metadata)];
        for (const mount of container.volumeMounts ?? [])
          assert.ok(
            volumes.some(({ name }) => name === mount.name),
            `${of} has no volume ${mount.name}`,
          );
      }
    }
  });

  test('the examples with external secrets make the same Secrets as the plain ones', () => {
    const external = examples.get('external-secrets.yaml').map(({ metadata, spec }) => {
      assert.equal(spec.target.name, metadata.name);
      return [metadata.name, spec.data.map(({ secretKey }) => secretKey)];
    });
    assert.deepEqual(
      external,
      examples.get('secrets.yaml').map(({ metadata, stringData }) => [metadata.name, Object.keys(stringData)]),
    );
  });

  eachRendering('every selector finds pods, and each Service those of one workload', (asked) => {
    for (const { object, labels } of asked.workloads()) {
      if (object.kind === 'Job') continue;
      assert.ok(fits(object.spec.selector, labels), `${called(object)} does not select its own pods`);
      assert.equal(asked.selected(object.spec.selector).length, 1, `${called(object)} selects the pods of others too`);
    }
    for (const { object, pod, labels } of asked.workloads()) {
      for (const { labelSelector } of pod.topologySpreadConstraints ?? [])
        assert.ok(fits(labelSelector, labels), `${called(object)} spreads other pods`);
    }
    for (const service of asked.all('Service')) {
      const found = asked.selected({ matchLabels: service.spec.selector });
      assert.equal(found.length, 1, `${called(service)} finds ${found.length} workloads`);
      for (const { name, targetPort } of service.spec.ports)
        assert.ok(portOf(found[0], targetPort), `${called(service)}: the pods have no port ${targetPort} (${name})`);
    }
    for (const object of asked.all('PodDisruptionBudget', 'NetworkPolicy')) {
      const found = asked.selected(object.spec.selector ?? object.spec.podSelector);
      assert.ok(found.length > 0, `${called(object)} finds no pods`);
      const named = (object.spec.ingress ?? []).flatMap(({ ports = [] }) => ports).filter(({ port }) => typeof port === 'string');
      for (const { port } of named)
        for (const workload of found)
          assert.ok(portOf(workload, port), `${called(object)}: ${called(workload.object)} has no port ${port}`);
    }
    for (const monitor of asked.all('ServiceMonitor')) {
      const found = asked.all('Service').filter(({ metadata }) => fits(monitor.spec.selector, metadata.labels));
      assert.equal(found.length, 1, `${called(monitor)} finds ${found.length} Services`);
      for (const { port } of monitor.spec.endpoints)
        assert.ok(
          found[0].spec.ports.some(({ name }) => name === port),
          `${called(monitor)}: no port ${port}`,
        );
    }
    for (const set of asked.all('StatefulSet'))
      assert.ok(asked.find('Service', set.spec.serviceName), `${called(set)}: no Service ${set.spec.serviceName}`);
  });

  eachRendering('an entrance leads to the gateways, with a certificate', (asked, name) => {
    const service = (backend, port, of) => {
      const found = asked.find('Service', backend);
      assert.ok(
        found?.spec.ports.some((one) => one.name === port || one.port === port),
        `${of}: no port ${port} of the Service ${backend}`,
      );
      assert.ok(fits({ matchLabels: found.spec.selector }, asked.workload('parlance-gateway').labels), `${of} leads elsewhere`);
    };
    for (const ingress of asked.all('Ingress')) {
      const { rules, tls, ingressClassName } = ingress.spec;
      for (const { host, http } of rules) {
        assert.ok(
          tls.some(({ hosts }) => hosts.includes(host)),
          `${host} has no certificate`,
        );
        for (const { backend } of http.paths)
          service(backend.service.name, backend.service.port.name ?? backend.service.port.number, called(ingress));
      }
      for (const { secretName } of tls) assert.ok(provided.has(secretName), `no example for the Secret ${secretName}`);
      const issuer = ingress.metadata.annotations['cert-manager.io/issuer'];
      if (issuer) {
        const found = asked.find('Issuer', issuer);
        assert.ok(found, `there is no Issuer ${issuer}`);
        for (const { http01 } of found.spec.acme.solvers)
          assert.equal(http01.ingress.ingressClassName, ingressClassName, 'the solver is for another controller');
      } else {
        assert.deepEqual(asked.all('Issuer'), [], 'nothing asks the Issuer');
      }
    }
    for (const gateway of asked.all('Gateway')) {
      for (const { tls } of gateway.spec.listeners)
        for (const { name: secret } of tls?.certificateRefs ?? [])
          assert.ok(provided.has(secret), `no example for the Secret ${secret}`);
    }
    for (const route of asked.all('HTTPRoute')) {
      for (const { name: parent, sectionName } of route.spec.parentRefs) {
        const listener = asked.find('Gateway', parent)?.spec.listeners.find((one) => one.name === sectionName);
        assert.ok(listener, `${called(route)}: no listener ${sectionName}`);
        assert.ok(
          route.spec.hostnames.includes(listener.hostname),
          `${called(route)} and its listener have different host names`,
        );
      }
      for (const { backendRefs = [] } of route.spec.rules)
        for (const { name: backend, port } of backendRefs) service(backend, port, called(route));
    }
    assert.equal(asked.all('Ingress', 'Gateway').length, name === 'dev' ? 0 : 1, 'entrances');
  });

  test('the examples beside an entrance name what the entrance has', () => {
    const [policy] = examples.get('envoy-by-address.yaml');
    for (const { kind, name } of policy.spec.targetRefs) assert.ok(cluster('gateway-api').find(kind, name), `${kind} ${name}`);
    const [route] = examples.get('traefik-by-address.yaml');
    const traefik = cluster('ingress-traefik');
    for (const { services } of route.spec.routes)
      for (const { name, port } of services)
        assert.ok(
          traefik.find('Service', name).spec.ports.some((one) => one.name === port),
          `${name} ${port}`,
        );
    assert.equal(route.spec.tls.secretName, traefik.all('Ingress')[0].spec.tls[0].secretName);
  });
});
