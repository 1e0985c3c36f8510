// How many pods there are, and by what.
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { parse, stringify } from 'yaml';

import { repository } from '../../harness/paths.js';
import { declaredMetrics } from '../promql.js';
import { output } from '../tools.js';
import { called, kindOf } from './render.js';
import { cluster, eachRendering, environment, ours, settings } from './renderings.js';

describe('autoscaling', () => {
  eachRendering('an autoscaler or the overlay says how many there are, never both', (asked) => {
    for (const { object } of asked.workloads().filter((workload) => workload.object.kind === 'Deployment')) {
      const scalers = asked
        .all('HorizontalPodAutoscaler')
        .filter(({ spec }) => spec.scaleTargetRef.name === object.metadata.name);
      assert.equal(scalers.length + (object.spec.replicas === undefined ? 0 : 1), 1, called(object));
    }
    for (const { metadata, spec } of asked.all('HorizontalPodAutoscaler')) {
      const { apiVersion, kind, name } = spec.scaleTargetRef;
      const target = asked.workload(name);
      assert.ok(target && kindOf(target.object) === `${apiVersion} ${kind}`, `${metadata.name} scales nothing`);
      for (const { resource } of spec.metrics)
        if (resource)
          for (const { resources } of target.containers)
            assert.ok(resources.requests[resource.name], `${metadata.name}: no request of ${resource.name}`);
    }
  });

  test('what the autoscalers ask for comes from metrics that are measured', async () => {
    const { rules } = parse(
      await readFile(join(repository, 'k8s/components/autoscaling/prometheus-adapter-values.yaml'), 'utf8'),
    );
    const metrics = declaredMetrics();
    const served = (list) =>
      list.map(({ seriesQuery, name, metricsQuery }) => {
        const series = /^(\w+)\{/.exec(seriesQuery)[1];
        assert.ok(metrics.has(series), `nothing measures ${series}`);
        assert.equal(name.matches, `^${series}$`);
        assert.ok(metricsQuery.includes('<<.Series>>{<<.LabelMatchers>>}'), metricsQuery);
        return name.as;
      });
    const scalers = cluster('production')
      .all('HorizontalPodAutoscaler')
      .flatMap(({ spec }) => spec.metrics);
    const asked = (type) =>
      scalers
        .filter((metric) => metric.type === type)
        .map((metric) => metric[type.toLowerCase()].metric.name)
        .sort();
    assert.deepEqual(asked('Pods'), served(rules.custom).sort());
    assert.deepEqual(asked('External'), served(rules.external).sort());
  });

  test('the adapter counts the sockets of a pod, and the backlog once however many workers tell of it', async () => {
    const { rules } = parse(
      await readFile(join(repository, 'k8s/components/autoscaling/prometheus-adapter-values.yaml'), 'utf8'),
    );
    const asked = ({ seriesQuery, name, metricsQuery }, groupBy) => ({
      record: name.as.replace('parlance_', 'asked_'),
      expr: metricsQuery
        .replaceAll('<<.Series>>', /^\w+/.exec(seriesQuery)[0])
        .replaceAll('<<.LabelMatchers>>', 'namespace="parlance"')
        .replaceAll('<<.GroupBy>>', groupBy),
    });
    const folder = await mkdtemp(join(tmpdir(), 'parlance-adapter-'));
    try {
      const recorded = [...rules.custom.map((rule) => asked(rule, 'pod')), ...rules.external.map((rule) => asked(rule, ''))];
      await writeFile(join(folder, 'rules.yml'), stringify({ groups: [{ name: 'adapter', rules: recorded }] }));
      const series = (name, labels, values) => ({ series: `${name}{namespace="parlance",${labels}}`, values });
      const expected = (name, ...samples) => ({
        expr: `asked_${name}`,
        eval_time: '4m',
        exp_samples: samples.map(([labels, value]) => ({ labels: `asked_${name}${labels}`, value })),
      });
      const told = {
        interval: '15s',
        input_series: [
          series('parlance_connections', 'pod="a",dialect="native"', '300x20'),
          series('parlance_connections', 'pod="a",dialect="clinic"', '40x20'),
          series('parlance_connections', 'pod="b",dialect="native"', '5x20'),
          series('parlance_ingest_entries', 'pod="v",stream="events"', '1000x20'),
          series('parlance_ingest_entries', 'pod="w",stream="events"', '1200x20'),
          series('parlance_ingest_entries', 'pod="v",stream="receipts"', '30x20'),
          series('parlance_ingest_entries', 'pod="w",stream="receipts"', '20x20'),
          // 21 s of transactions in 15 s.
          series('parlance_worker_commit_seconds_sum', 'pod="v"', '0+21x20'),
        ],
        promql_expr_test: [
          expected('connections', ['{pod="a"}', 340], ['{pod="b"}', 5]),
          expected('ingest_entries', ['{}', 1230]),
          expected('worker_busy_writers', ['{pod="v"}', 1.4]),
        ],
      };
      await writeFile(
        join(folder, 'test.yml'),
        stringify({ rule_files: ['rules.yml'], evaluation_interval: '15s', tests: [told] }),
      );
      await output('promtool', ['test', 'rules', join(folder, 'test.yml')]);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  test('gateways have room for the clients of one that ends', () => {
    const asked = cluster('production');
    const { container } = ours(asked).find(({ binary }) => binary === 'gateway');
    const most = Number(
      environment(asked, container).PARLANCE__LIMITS__CONNECTIONS ?? settings.gateway.get('PARLANCE__LIMITS__CONNECTIONS'),
    );
    const { minReplicas, metrics: wanted } = asked.find('HorizontalPodAutoscaler', 'parlance-gateway').spec;
    const target = Number(wanted.find(({ pods }) => pods?.metric.name === 'parlance_connections').pods.target.averageValue);
    assert.ok(
      (target * minReplicas) / (minReplicas - 1) <= most,
      `${target} sockets a pod, of ${minReplicas} pods, against ${most}`,
    );
  });
});
