// The files of deploy/prometheus and deploy/grafana, parsed.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

import { repository } from '../harness/paths.js';

export const PROMETHEUS = join(repository, 'deploy/prometheus');
export const RULES = join(PROMETHEUS, 'rules/parlance.yml');
const TESTS = join(PROMETHEUS, 'rules/tests');
const DASHBOARDS = join(repository, 'deploy/grafana/dashboards');

const readYaml = (file) => parse(readFileSync(file, 'utf8'));

/** The configuration of Prometheus. */
export function scraping() {
  return readYaml(join(PROMETHEUS, 'prometheus.yml'));
}

/** The rules, `{alert or record, expr, …}`. */
export function rules() {
  return readYaml(RULES).groups.flatMap((group) => group.rules);
}

/** The files of the rules' tests, and the groups of tests in them. */
export function ruleTests() {
  const files = readdirSync(TESTS).filter((name) => name.endsWith('.yml')).map((name) => join(TESTS, name));
  return { files, groups: files.flatMap((file) => readYaml(file).tests) };
}

/** The dashboards: `{file, dashboard}`. */
export function dashboards() {
  const files = readdirSync(DASHBOARDS).filter((name) => name.endsWith('.json'));
  return files.map((file) => ({ file, dashboard: JSON.parse(readFileSync(join(DASHBOARDS, file), 'utf8')) }));
}

/** All panels of a dashboard but its rows, those of collapsed rows too. */
export function panelsOf(dashboard) {
  return dashboard.panels.flatMap((panel) => [panel, ...(panel.panels ?? [])]).filter(({ type }) => type !== 'row');
}

/** A query as it reaches Prometheus: with Grafana's variables filled in, "All" for those that offer it. */
export function filledIn(expression) {
  return expression.replaceAll('$__rate_interval', '1m').replaceAll(/\$(namespace|instance|dialect)\b/g, '.*');
}
