// The rules of deploy/prometheus: that Prometheus takes them, that each alert is tested both ways, asks for metrics that
// exist, and leads to a section that says what to do.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';

import { repository } from '../harness/paths.js';
import { PROMETHEUS, RULES, dashboards, panelsOf, ruleTests, rules, scraping } from './observed.js';
import { anchors, declaredMetrics, selectors, unknownNames } from './promql.js';
import { output } from './tools.js';

const RUNBOOK = 'docs/operations.md';

const alerts = rules().filter(({ alert }) => alert);
const recorded = new Set(rules().map(({ record }) => record).filter(Boolean));

describe('promtool', () => {
  test('takes the rules', () => output('promtool', ['check', 'rules', '--lint-fatal', RULES]));
  test('takes the configuration', () => output('promtool', ['check', 'config', '--lint-fatal', join(PROMETHEUS, 'prometheus.yml')]));
  test('runs their tests', async () => {
    await Promise.all(ruleTests().files.map((file) => output('promtool', ['test', 'rules', file], { cwd: dirname(file) })));
  });
});

describe('alerts', () => {
  test('have names of their own, a severity, and texts', () => {
    assert.equal(new Set(alerts.map(({ alert }) => alert)).size, alerts.length);
    for (const { alert, labels, annotations } of alerts) {
      assert.match(alert, /^Parlance[A-Z]\w+$/);
      assert.ok(['critical', 'warning', 'info'].includes(labels?.severity), `${alert} has the severity ${labels?.severity}`);
      assert.deepEqual(Object.keys(annotations), ['summary', 'description', 'runbook_url'], alert);
    }
  });

  test('are tested both ways: a case in which they fire, and one in which they do not', () => {
    const cases = ruleTests().groups.flatMap((group) => group.alert_rule_test ?? []);
    for (const { alert } of alerts) {
      const own = cases.filter(({ alertname }) => alertname === alert);
      assert.ok(own.some(({ exp_alerts: expected }) => expected.length > 0), `${alert} is never expected to fire`);
      assert.ok(own.some(({ exp_alerts: expected }) => expected.length === 0), `${alert} is never expected not to fire`);
    }
    const names = new Set(alerts.map(({ alert }) => alert));
    assert.deepEqual(cases.map(({ alertname }) => alertname).filter((name) => !names.has(name)), []);
  });

  test('lead to a section of their own, and each such section has its alert', () => {
    const sections = anchors(RUNBOOK);
    for (const { alert, annotations } of alerts) {
      assert.equal(annotations.runbook_url, `${RUNBOOK}#${alert.toLowerCase()}`);
      assert.ok(sections.has(alert.toLowerCase()), `${RUNBOOK} has no section ${alert}`);
    }
    const names = new Set(alerts.map(({ alert }) => alert.toLowerCase()));
    assert.deepEqual([...sections].filter((name) => /^parlance[a-z]+$/.test(name) && !names.has(name)), [], 'without an alert');
  });
});

test('links within the runbook lead to sections that are there', () => {
  const text = readFileSync(join(repository, RUNBOOK), 'utf8');
  const sections = anchors(RUNBOOK);
  assert.deepEqual([...text.matchAll(/\]\(#([^)]*)\)/g)].map(([, name]) => name).filter((name) => !sections.has(name)), []);
});

describe('expressions', () => {
  test('ask only for metrics and labels that the binaries have, or that a rule records', () => {
    const declared = declaredMetrics();
    for (const { alert, record, expr } of rules()) assert.deepEqual(unknownNames(expr, declared, recorded), [], alert ?? record);
  });

  test('name jobs that are scraped', () => {
    const jobs = scraping().scrape_configs.map(({ job_name: job }) => job);
    for (const { alert, expr } of alerts) {
      for (const [, pattern] of expr.matchAll(/job=~?"([^"]*)"/g)) {
        assert.ok(jobs.some((job) => new RegExp(`^(?:${pattern})$`).test(job)), `${alert}: no job fits ${pattern}`);
      }
    }
  });

  test('use everything that is recorded, here or in a dashboard', () => {
    const queries = dashboards().flatMap(({ dashboard }) => panelsOf(dashboard)).flatMap(({ targets }) => targets.map(({ expr }) => expr));
    const used = new Set([...rules().map(({ expr }) => expr), ...queries].flatMap(selectors).map(({ name }) => name));
    assert.deepEqual([...recorded].filter((name) => !used.has(name)), []);
  });
});
