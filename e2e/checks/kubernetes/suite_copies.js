// That what stands elsewhere too says the same there.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { parse } from 'yaml';

import { repository } from '../../harness/paths.js';
import { output } from '../tools.js';
import { called, namesIn } from './render.js';
import { cluster } from './renderings.js';

describe('what stands elsewhere too', () => {
  test('the PrometheusRule has the rules of deploy/prometheus/rules', async () => {
    const generator = join(repository, 'k8s/components/monitoring/generate.sh');
    const generated = await output('bash', [generator]);
    const written = await readFile(join(repository, 'k8s/components/monitoring/prometheus-rule.yaml'), 'utf8');
    assert.ok(
      written === generated,
      'write it anew: k8s/components/monitoring/generate.sh > k8s/components/monitoring/prometheus-rule.yaml',
    );
    const files = (await namesIn('deploy/prometheus/rules')).filter((name) => name.endsWith('.yml'));
    const expected = await Promise.all(
      files.map(async (name) => parse(await readFile(join(repository, 'deploy/prometheus/rules', name), 'utf8'))),
    );
    assert.deepEqual(
      cluster('production')
        .all('PrometheusRule')
        .map(({ spec }) => spec),
      expected,
    );
  });

  test('rules and dashboards find the targets by the jobs that the ServiceMonitors give them', async () => {
    const jobs = cluster('production')
      .all('ServiceMonitor')
      .flatMap(({ spec }) =>
        spec.endpoints.flatMap(({ relabelings }) =>
          relabelings.filter(({ targetLabel }) => targetLabel === 'job').map(({ replacement }) => replacement),
        ),
      );
    const local = parse(await readFile(join(repository, 'deploy/prometheus/prometheus.yml'), 'utf8'));
    const others = local.scrape_configs.map(({ job_name: name }) => name).filter((name) => name.startsWith('parlance-'));
    assert.deepEqual(jobs.sort(), others.sort());
  });

  test('every dashboard is in a ConfigMap that Grafana looks for and that kubectl can apply', async () => {
    const maps = cluster('production')
      .all('ConfigMap')
      .filter(({ metadata }) => metadata.labels?.grafana_dashboard === '1');
    const files = (await namesIn('deploy/grafana/dashboards')).filter((name) => name.endsWith('.json'));
    assert.ok(files.length > 0, 'there are no dashboards');
    const found = Object.assign({}, ...maps.map(({ data }) => data));
    assert.deepEqual(Object.keys(found).sort(), files);
    for (const file of files)
      assert.equal(found[file], await readFile(join(repository, 'deploy/grafana/dashboards', file), 'utf8'), file);
    // `kubectl apply` writes the whole object into an annotation, and all annotations may have 256 KiB.
    for (const map of maps) assert.ok(JSON.stringify(map).length < 250_000, `${called(map)} is too large`);
  });

  test('the Redis of dev has the settings of every other Redis', async () => {
    const { data } = cluster('dev')
      .all('ConfigMap')
      .find(({ metadata }) => metadata.name.startsWith('redis-conf-'));
    assert.deepEqual(data, { 'redis.conf': await readFile(join(repository, 'deploy/redis/redis.conf'), 'utf8') });
  });

  test('dev runs the databases of docker-compose.yml', async () => {
    const { services } = parse(await readFile(join(repository, 'docker-compose.yml'), 'utf8'), { merge: true });
    for (const name of ['redis', 'postgres'])
      assert.equal(cluster('dev').workload(name).containers[0].image, services[name].image);
  });
});
