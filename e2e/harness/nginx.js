// The stack's own nginx configuration, in front of a suite's gateways.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { repository } from './paths.js';
import { freePort } from './ports.js';
import { Program } from './program.js';

export class Nginx {
  static async start(folder, gatewayPorts) {
    const nginx = new Nginx();
    nginx.folder = join(folder, 'nginx');
    nginx.port = await freePort();
    nginx.url = `http://127.0.0.1:${nginx.port}`;
    mkdirSync(nginx.folder);
    const file = join(nginx.folder, 'nginx.conf');
    writeFileSync(file, render(nginx, gatewayPorts));
    nginx.program = await Program.start({
      name: 'nginx',
      log: join(folder, 'nginx.log'),
      command: ['nginx', '-e', 'stderr', '-p', nginx.folder, '-c', file],
      env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` },
      ready: async () => (await fetch(`${nginx.url}/health`)).ok,
    });
    return nginx;
  }

  /** What it passed on so far: `{address, method, path, transport, status, upstream, cookie}` for each finished request. */
  requests() {
    const lines = readFileSync(join(this.folder, 'access.log'), 'utf8').trimEnd().split('\n');
    return lines.map((line) => {
      const [, address, method, path, ...fields] = line.split(' ');
      return { address, method, path, ...Object.fromEntries(fields.map((field) => field.split('='))) };
    });
  }
}

function render(nginx, gatewayPorts) {
  const values = {
    USER: process.getuid() === 0 ? 'user root;' : '',
    STATE: nginx.folder,
    SHARED: join(repository, 'deploy/nginx'),
    CONNECTIONS: '960',
    LISTEN: `127.0.0.1:${nginx.port}`,
    SERVERS: gatewayPorts.map((port) => `    server 127.0.0.1:${port} max_fails=0;`).join('\n'),
  };
  const template = readFileSync(join(repository, 'deploy/local/nginx.conf.template'), 'utf8');
  return Object.entries(values).reduce((text, [word, value]) => text.replaceAll(`@${word}@`, value), template);
}
