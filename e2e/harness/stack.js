// A whole Parlance of a suite's own: Redis, a database, gateways, workers and, if wanted, nginx or haproxy, all from the built
// binaries, on free ports, each with a log below e2e/.logs/.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { Haproxy } from './haproxy.js';
import { Member, closeMembers } from './member.js';
import { Nginx } from './nginx.js';
import { binaries, logs } from './paths.js';
import { freePort } from './ports.js';
import { Database } from './postgres.js';
import { Program } from './program.js';
import { Redis } from './redis.js';
import { Rest } from './rest.js';
import { mintToken } from './token.js';

const run = promisify(execFile);

const JWT_SECRET = 'a-secret-of-the-end-to-end-tests-0123456789';
const SERVICE_KEY = 'a-service-key-of-the-end-to-end-tests-0123456789';

/** Limits that no test reaches unless it means to. */
export const UNLIMITED = {
  PARLANCE__LIMITS__EVENTS_PER_SECOND: '100000',
  PARLANCE__LIMITS__EVENTS_BURST: '100000',
  PARLANCE__LIMITS__SENDS_PER_SECOND: '100000',
  PARLANCE__LIMITS__SENDS_BURST: '100000',
  PARLANCE__LIMITS__CONNECTS_PER_SECOND: '100000',
  PARLANCE__LIMITS__CONNECTS_BURST: '100000',
  PARLANCE__LIMITS__REQUESTS_PER_SECOND: '100000',
  PARLANCE__LIMITS__REQUESTS_BURST: '100000',
  PARLANCE__LIMITS__STATUSES_PER_SECOND: '100000',
  PARLANCE__LIMITS__STATUSES_BURST: '100000',
  PARLANCE__LIMITS__TYPING_PER_SECOND: '100000',
  PARLANCE__LIMITS__TYPING_BURST: '100000',
  PARLANCE__LIMITS__JOINS_PER_SECOND: '100000',
  PARLANCE__LIMITS__JOINS_BURST: '100000',
};

export class Stack {
  gateways = [];
  workers = [];

  /** `name` is the folder of the logs; the environments are added to those of the gateways and of the workers. */
  static async start({ name, gateways = 2, nginx = false, haproxy = false, gatewayEnv = {}, workerEnv = {} }) {
    const stack = new Stack();
    stack.folder = join(logs, name);
    rmSync(stack.folder, { recursive: true, force: true });
    mkdirSync(stack.folder, { recursive: true });
    try {
      stack.redis = await Redis.start(stack.folder);
      stack.database = await Database.create();
      const shared = {
        ...process.env,
        RUST_LOG: process.env.RUST_LOG ?? 'info',
        HOST: '127.0.0.1',
        PARLANCE__ADMIN__HOST: '127.0.0.1',
        REDIS_URL: stack.redis.url,
        DATABASE_URL: stack.database.url,
      };
      // Only suites about the drain wait for one.
      const own = { JWT_SECRET, PARLANCE__AUTH__SERVICE_KEYS: SERVICE_KEY, PARLANCE__DRAIN__SPREAD: '0s' };
      stack.gatewayEnv = { ...shared, ...own, ...gatewayEnv };
      stack.workerEnv = { ...shared, ...workerEnv };
      await run(join(binaries, 'worker'), ['migrate'], { env: stack.workerEnv });
      for (let index = 0; index < gateways; index += 1) await stack.startGateway();
      await stack.startWorker();
      if (nginx) stack.nginx = await Nginx.start(stack.folder, stack.gateways.map(({ port }) => port));
      if (haproxy) stack.haproxy = await Haproxy.start(stack.folder, stack.gateways);
    } catch (error) {
      await stack.abandon();
      throw error;
    }
    return stack;
  }

  async startGateway() {
    const gateway = { port: await freePort(), adminPort: await freePort() };
    gateway.url = `http://127.0.0.1:${gateway.port}`;
    await this.#run(gateway, this.gateways.length + 1);
    this.gateways.push(gateway);
    return gateway;
  }

  /** Ends a gateway as a deploy does, and starts another one in its place. */
  async replaceGateway(gateway) {
    const { code, signal } = await gateway.program.stop('SIGTERM', 60_000);
    assert.equal(code, 0, `${gateway.program.name} ended with ${code ?? signal}`);
    await this.#run(gateway, this.gateways.indexOf(gateway) + 1);
  }

  async #run(gateway, number) {
    gateway.program = await this.#startService('gateway', number, {
      ...this.gatewayEnv,
      PORT: `${gateway.port}`,
      PARLANCE__ADMIN__PORT: `${gateway.adminPort}`,
    });
  }

  async startWorker() {
    const worker = { adminPort: await freePort() };
    worker.program = await this.#startService('worker', this.workers.length + 1, {
      ...this.workerEnv,
      PARLANCE__ADMIN__PORT: `${worker.adminPort}`,
    });
    this.workers.push(worker);
    return worker;
  }

  #startService(kind, number, env) {
    return Program.start({
      name: `${kind}-${number}`,
      log: join(this.folder, `${kind}-${number}.log`),
      command: [join(binaries, kind), 'run'],
      env,
      ready: async () => (await fetch(`http://127.0.0.1:${env.PARLANCE__ADMIN__PORT}/ready`)).ok,
    });
  }

  /** The URL of a gateway, counted from 0; they repeat, so that any number of clients is spread over them. */
  gatewayUrl(index) {
    return this.gateways[index % this.gateways.length].url;
  }

  token(user, claims) {
    return mintToken(JWT_SECRET, user, claims);
  }

  /** A connected user, at the first gateway unless the options say where: `{url, claims, …}`, the rest goes to `io()`. */
  async member(user, { url = this.gateways[0].url, claims, ...options } = {}) {
    return Member.connect(url, user, this.token(user, claims), options);
  }

  rest(actAs, url = this.gateways[0].url) {
    return new Rest(url, SERVICE_KEY, actAs);
  }

  /** A conversation of these users, created by the first. */
  async conversation(id, ...users) {
    await this.rest(users[0]).createConversation(id, users);
    return id;
  }

  /** A conversation of these users, who have joined it, each at another gateway than the one before. */
  async joined(conversation, ...users) {
    await this.conversation(conversation, ...users);
    const members = await Promise.all(users.map((user, index) => this.member(user, { url: this.gatewayUrl(index) })));
    for (const member of members) await member.join(conversation);
    return members;
  }

  /** Ends everything, and fails if something did not end as it should: a crash, a panic, a refused stop. */
  async stop() {
    closeMembers();
    await this.nginx?.program.stop();
    await this.haproxy?.program.stop('SIGUSR1');
    const services = [...this.gateways, ...this.workers].map(({ program }) => program);
    const running = services.filter((program) => !program.exited);
    const ends = await Promise.all(running.map(async (program) => [program.name, await program.stop()]));
    await this.abandon();
    assert.deepEqual(services.filter((program) => program.crashed).map(({ name }) => name), [], 'ended unasked');
    for (const [name, { code, signal }] of ends) assert.equal(code, 0, `${name} ended with ${code ?? signal}`);
    for (const program of services) {
      assert.doesNotMatch(program.logText(), /panicked at/, `${program.name} has panicked: see ${program.log}`);
    }
  }

  /** Ends what is left, in whatever state it is. */
  async abandon() {
    const programs = [this.nginx, this.haproxy, ...this.gateways, ...this.workers, this.redis].map((part) => part?.program);
    await Promise.all(programs.filter((program) => program && !program.exited).map((program) => program.kill()));
    await this.database?.drop();
  }
}
