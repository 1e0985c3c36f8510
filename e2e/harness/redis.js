// A Redis of a suite's own, which can be killed and started again on the same port and folder.
import { execFile } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { repository } from './paths.js';
import { freePort } from './ports.js';
import { Program } from './program.js';

const run = promisify(execFile);

export class Redis {
  static async start(folder) {
    const redis = new Redis();
    redis.folder = folder;
    redis.port = await freePort();
    redis.url = `redis://127.0.0.1:${redis.port}`;
    mkdirSync(join(folder, 'redis'));
    await redis.start();
    return redis;
  }

  /** With `appendfsync always`: what Redis answered is on the disk, so that a killed one may have lost nothing. */
  async start() {
    this.program = await Program.start({
      name: 'redis',
      log: join(this.folder, 'redis.log'),
      command: [
        process.env.REDIS_SERVER ?? 'redis-server', join(repository, 'deploy/redis/redis.conf'),
        '--port', `${this.port}`, '--bind', '127.0.0.1', '--dir', join(this.folder, 'redis'),
        '--appendfsync', 'always', '--daemonize', 'no',
      ],
      ready: async () => (await this.ask('PING')) === 'PONG',
    });
  }

  /** One command, answered as redis-cli prints it. */
  async ask(...command) {
    const { stdout } = await run('redis-cli', ['-h', '127.0.0.1', '-p', `${this.port}`, ...command]);
    return stdout.trim();
  }

  /** Entries that some worker has read and none has acknowledged, over all partitions. */
  async pendingEntries() {
    return this.#overIngest(async (stream) => Number((await this.ask('XPENDING', stream, 'persist')).split('\n')[0]));
  }

  /** Entries that no worker has acknowledged yet, whether read or not. */
  async unpersistedEntries() {
    return this.#overIngest(async (stream) => Number(await this.ask('XLEN', stream)));
  }

  async #overIngest(count) {
    const streams = (await this.ask('--scan', '--pattern', '*:ingest')).split('\n').filter(Boolean);
    const counts = await Promise.all(streams.map(count));
    return counts.reduce((sum, value) => sum + value, 0);
  }
}
