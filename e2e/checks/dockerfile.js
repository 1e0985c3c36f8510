// deploy/docker/Dockerfile, read: its stages, and what .dockerignore lets into a build.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

import { repository } from '../harness/paths.js';

export const dockerfile = join(repository, 'deploy/docker/Dockerfile');

/** The stages in order: `{name, from, instructions}`, each instruction `{word, rest}`, continued lines joined. */
export function stages() {
  const lines = readFileSync(dockerfile, 'utf8').split('\n').filter((line) => !line.startsWith('#'));
  const instructions = lines
    .join('\n')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => ({ word: line.slice(0, line.indexOf(' ')), rest: line.slice(line.indexOf(' ') + 1).trim() }));
  const found = [];
  for (const instruction of instructions) {
    if (instruction.word === 'FROM') {
      const [from, , name] = instruction.rest.split(' ');
      found.push({ name, from, instructions: [] });
    } else {
      found.at(-1).instructions.push(instruction);
    }
  }
  return found;
}

/** What a stage says with one word, inherited from the stages that it is made of; the last one counts. */
export function said(name, word) {
  const stage = stages().find((candidate) => candidate.name === name);
  if (!stage) return undefined;
  return stage.instructions.filter((instruction) => instruction.word === word).at(-1)?.rest ?? said(stage.from, word);
}

/** Every file that is sent to a build, relative to the repository. */
export function letIn() {
  const rules = readFileSync(join(repository, '.dockerignore'), 'utf8')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => ({ keeps: line.startsWith('!'), pattern: pattern(line.replace(/^!/, '')) }));
  const kept = (path) => rules.reduce((state, rule) => (rule.pattern.test(path) ? rule.keeps : state), true);
  const files = [];
  const walk = (folder) => {
    for (const entry of readdirSync(join(repository, folder), { withFileTypes: true })) {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      // No rule lets in a single file below a folder that is not sent as a whole.
      if (entry.isDirectory() && kept(path)) walk(path);
      else if (!entry.isDirectory() && kept(path)) files.push(path);
    }
  };
  walk('');
  return new Set(files);
}

// As Docker does it: `*` ends at a slash, `**` does not, and what is said of a folder is said of all in it.
function pattern(glob) {
  const source = glob
    .replace(/^\/|\/$/g, '')
    .replaceAll(/[.+^$()|[\]{}\\]/g, '\\$&')
    .replaceAll(/\*\*\/|\*\*|\*|\?/g, (wild) => ({ '**/': '(?:.*/)?', '**': '.*', '*': '[^/]*', '?': '[^/]' })[wild]);
  return new RegExp(`^${source}(?:/.*)?$`);
}
