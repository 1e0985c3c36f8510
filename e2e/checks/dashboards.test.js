// The dashboards of deploy/grafana: that Grafana shows what is meant, and that every query asks for metrics that exist.
// e2e/test/observability.test.js runs the queries.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { stringify } from 'yaml';

import { dashboards, filledIn, panelsOf, rules } from './observed.js';
import { anchors, declaredMetrics, unknownNames } from './promql.js';
import { output } from './tools.js';

const all = dashboards();
const recorded = new Set(rules().map(({ record }) => record).filter(Boolean));
const queriesOf = (dashboard) => panelsOf(dashboard).flatMap(({ title, targets }) => targets.map(({ expr }) => ({ title, expr })));

test('there are dashboards, each under a uid of its own, and they lead to each other', () => {
  assert.deepEqual(all.map(({ dashboard }) => dashboard.uid).sort(), ['parlance-gateway', 'parlance-overview', 'parlance-worker']);
  for (const { file, dashboard } of all) {
    assert.deepEqual(dashboard.tags, ['parlance'], file);
    assert.ok(dashboard.links.some(({ type, tags }) => type === 'dashboards' && tags.includes('parlance')), file);
    assert.ok(dashboard.links.some(({ url }) => url === '${runbook}'), file);
  }
});

for (const { file, dashboard } of all) {
  describe(file, () => {
    test('every panel has an id of its own, and a place that no other has', () => {
      const ids = dashboard.panels.map(({ id }) => id);
      assert.equal(new Set(ids).size, ids.length);
      const taken = new Map();
      for (const { title, gridPos: { x, y, w, h } } of dashboard.panels) {
        assert.ok(x >= 0 && x + w <= 24, `${title} does not fit`);
        for (let column = x; column < x + w; column += 1) {
          for (let line = y; line < y + h; line += 1) {
            const place = `${column},${line}`;
            assert.ok(!taken.has(place), `${title} lies on ${taken.get(place)}`);
            taken.set(place, title);
          }
        }
      }
    });

    test('every panel says what it shows, in which unit, from the data source that was chosen', () => {
      for (const { title, description, datasource, targets, fieldConfig } of panelsOf(dashboard)) {
        assert.ok(description, `${title} has no description`);
        assert.ok(fieldConfig.defaults.unit, `${title} has no unit`);
        assert.ok(fieldConfig.defaults.thresholds.steps.length > 0, `${title} has no thresholds`);
        for (const { uid } of [datasource, ...targets.map((target) => target.datasource)]) assert.equal(uid, '${datasource}', title);
        assert.equal(new Set(targets.map(({ refId }) => refId)).size, targets.length, title);
      }
    });

    test('the variables that it uses are there, and every one that is there is used', () => {
      const given = dashboard.templating.list.map(({ name }) => name);
      const text = JSON.stringify({ ...dashboard, templating: dashboard.templating.list.map(({ query }) => query) });
      const used = new Set([...text.matchAll(/\$\{?([a-z]\w*)/g)].map(([, name]) => name));
      assert.deepEqual([...used, 'datasource'].filter((name) => !given.includes(name)), []);
      assert.deepEqual(given.filter((name) => !used.has(name) && name !== 'datasource'), []);
    });

    test('its queries ask only for metrics and labels that the binaries have, or that a rule records', () => {
      const declared = declaredMetrics();
      const lists = dashboard.templating.list
        .filter(({ type }) => type === 'query')
        .map(({ name, definition }) => ({ title: name, expr: definition.replace(/^label_values\((.*), \w+\)$/, '$1') }));
      for (const { title, expr } of [...queriesOf(dashboard), ...lists]) assert.deepEqual(unknownNames(expr, declared, recorded), [], title);
    });

    test('its queries are PromQL', async () => {
      const folder = await mkdtemp(join(tmpdir(), 'parlance-dashboard.'));
      try {
        const asRules = queriesOf(dashboard).map(({ expr }, index) => ({ record: `query:${index}`, expr: filledIn(expr) }));
        await writeFile(join(folder, 'rules.yml'), stringify({ groups: [{ name: file, rules: asRules }] }));
        await output('promtool', ['check', 'rules', join(folder, 'rules.yml')]);
      } finally {
        await rm(folder, { recursive: true });
      }
    });

    test('its links to the runbook lead to sections that are there', () => {
      const sections = anchors('docs/operations.md');
      const links = panelsOf(dashboard).flatMap(({ links: own = [] }) => own.map(({ url }) => url));
      assert.ok(links.length > 0);
      for (const url of links) assert.ok(url.startsWith('${runbook}#') && sections.has(url.split('#')[1]), url);
    });
  });
}
