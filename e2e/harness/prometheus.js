// A Prometheus of a suite's own, with the configuration and the rules of deploy/prometheus, pointed at a suite's stack.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';

import { RULES, scraping } from '../checks/observed.js';
import { freePort } from './ports.js';
import { Program } from './program.js';

export class Prometheus {
  /** `targets`: the job of the configuration → the admin ports that are scraped for it. */
  static async start(folder, targets) {
    const prometheus = new Prometheus();
    const port = await freePort();
    prometheus.url = `http://127.0.0.1:${port}`;
    const state = join(folder, 'prometheus');
    mkdirSync(state);
    const file = join(state, 'prometheus.yml');
    writeFileSync(file, stringify(configuration({ ...targets, prometheus: [port] })));
    prometheus.program = await Program.start({
      name: 'prometheus',
      log: join(folder, 'prometheus.log'),
      command: [
        'prometheus', `--config.file=${file}`, `--storage.tsdb.path=${join(state, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`, '--log.level=warn',
      ],
      ready: async () => (await fetch(`${prometheus.url}/-/ready`)).ok,
    });
    return prometheus;
  }

  /** The `data` of an answer of the API; throws what Prometheus says is wrong. */
  async ask(path, parameters = {}) {
    const body = new URLSearchParams(parameters);
    const response = await fetch(`${this.url}/api/v1/${path}?${body}`);
    const answer = await response.json();
    if (answer.status !== 'success') throw new Error(`${path} ${body}: ${answer.error}`);
    return answer.data;
  }

  /** What an expression answers now: a list of `{metric, value}`. */
  async query(expression) {
    const { resultType, result } = await this.ask('query', { query: expression });
    if (resultType !== 'vector') throw new Error(`${expression} answers a ${resultType}`);
    return result.map(({ metric, value: [, text] }) => ({ metric, value: Number(text) }));
  }

  /** All rules, `{name, type, health, lastError, state, …}`. */
  async rules() {
    return (await this.ask('rules')).groups.flatMap(({ rules }) => rules);
  }
}

/** As it is deployed, but every second, and each job with the targets that are here. */
function configuration(targets) {
  const deployed = scraping();
  const jobs = deployed.scrape_configs.map(({ job_name: job, static_configs, dns_sd_configs, ...rest }) => {
    if (!targets[job]) throw new Error(`nothing is known of the job ${job}`);
    return { job_name: job, ...rest, static_configs: [{ targets: targets[job].map((port) => `127.0.0.1:${port}`) }] };
  });
  const global = { ...deployed.global, scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' };
  return { ...deployed, global, rule_files: [RULES], scrape_configs: jobs };
}
