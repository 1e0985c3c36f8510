// What queries ask for: the metrics in an expression of PromQL, and those that the documents declare. No parser of the
// language, but enough for what stands in this repository; promtool says whether it is PromQL at all.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { repository } from '../harness/paths.js';

/** Operators and modifiers that look like names. */
const WORDS = new Set(['and', 'or', 'unless', 'offset', 'bool', 'inf', 'nan', 'atan2']);
/** What Prometheus adds or makes itself. */
const FROM_PROMETHEUS = new Map([['up', []], ['ALERTS', ['alertname', 'alertstate', 'severity']]]);
const TARGET_LABELS = ['job', 'instance', 'namespace'];

/** The names of the metrics in an expression, each with the labels that its matchers name: `[{name, labels}]`. */
export function selectors(expression) {
  const plain = expression
    .replaceAll(/"(?:[^"\\]|\\.)*"/g, '""')
    .replaceAll(/\[[^\]]*\]/g, '')
    .replaceAll(/\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)/g, ' ');
  // A name, and what follows it: `(` of a function, `{…}` with matchers, or nothing of the kind.
  const found = plain.matchAll(/(?<![\w:.$])([A-Za-z_:][\w:]*)(\s*\(|\s*\{([^}]*)\})?/g);
  return [...found]
    .filter(([, name, after]) => !after?.trim().startsWith('(') && !WORDS.has(name.toLowerCase()))
    .map(([, name, , matchers]) => ({ name, labels: [...(matchers ?? '').matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)].map(([, label]) => label) }));
}

/** The metrics of both binaries as their documents have them: name → labels. */
export function declaredMetrics() {
  const rows = ['docs/metrics.md', 'docs/worker-metrics.md'].flatMap((file) =>
    readFileSync(join(repository, file), 'utf8').split('\n').filter((line) => /^\| `[a-z_]+` \|/.test(line)),
  );
  const metrics = new Map(FROM_PROMETHEUS);
  for (const row of rows) {
    const [, name, kind, , labels] = row.split('|').map((cell) => cell.trim().replaceAll('`', ''));
    const names = labels === '' ? [] : labels.split(', ');
    if (kind !== 'histogram') metrics.set(name, names);
    else for (const part of ['_bucket', '_sum', '_count']) metrics.set(name + part, part === '_bucket' ? [...names, 'le'] : names);
  }
  return metrics;
}

/** What is wrong with the names in an expression; `recorded` are the names that rules record. */
export function unknownNames(expression, declared, recorded) {
  return selectors(expression).flatMap(({ name, labels }) => {
    if (recorded.has(name)) return [];
    if (!declared.has(name)) return [`there is no metric ${name}`];
    const known = [...declared.get(name), ...TARGET_LABELS];
    return labels.filter((label) => !known.includes(label)).map((label) => `${name} has no label ${label}`);
  });
}

/** The anchors of the headings of a Markdown file, as GitHub makes them. */
export function anchors(file) {
  const headings = readFileSync(join(repository, file), 'utf8').matchAll(/^#+ (.*)$/gm);
  return new Set([...headings].map(([, text]) => text.toLowerCase().replaceAll(/[^\w\- ]/g, '').replaceAll(' ', '-')));
}
