// The haproxy configuration of deploy/local, in front of a suite's gateways.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { repository } from './paths.js';
import { freePort } from './ports.js';
import { Program } from './program.js';

export class Haproxy {
  #gateways;

  static async start(folder, gateways) {
    const haproxy = new Haproxy();
    haproxy.#gateways = gateways;
    haproxy.port = await freePort();
    haproxy.url = `http://127.0.0.1:${haproxy.port}`;
    mkdirSync(join(folder, 'haproxy'));
    const file = join(folder, 'haproxy', 'haproxy.cfg');
    writeFileSync(file, haproxy.#render());
    haproxy.program = await Program.start({
      name: 'haproxy',
      log: join(folder, 'haproxy.log'),
      command: ['haproxy', '-db', '-f', file],
      env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` },
      ready: async () => (await fetch(`${haproxy.url}/health`)).ok,
    });
    return haproxy;
  }

  /** What it passed on so far: `{address, method, path, transport, status, upstream, cookie}` for each finished request. */
  requests() {
    const lines = this.program.logText().split('\n').filter((line) => line.includes(' transport='));
    return lines.map((line) => {
      const [, address, method, path, ...fields] = line.split(' ');
      const request = Object.fromEntries(fields.map((field) => field.split('=')));
      return { address, method, path, ...request, upstream: this.#addressOf(request.upstream) };
    });
  }

  /** haproxy logs the name that a gateway has here; nginx logs where it is. */
  #addressOf(name) {
    const gateway = this.#gateways[Number(name.replace('gateway-', '')) - 1];
    return gateway ? `127.0.0.1:${gateway.port}` : name;
  }

  #render() {
    const server = ({ port, adminPort }, index) =>
      `  server gateway-${index + 1} 127.0.0.1:${port} cookie gateway-${index + 1} port ${adminPort}`;
    const values = {
      CONNECTIONS: '2000',
      LISTEN: `127.0.0.1:${this.port}`,
      SERVERS: this.#gateways.map(server).join('\n'),
    };
    const template = readFileSync(join(repository, 'deploy/local/haproxy.cfg.template'), 'utf8');
    return Object.entries(values).reduce((text, [word, value]) => text.replaceAll(`@${word}@`, value), template);
  }
}
