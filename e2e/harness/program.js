// A program under test or beside it: started, watched, ended by its own pid. Its output goes to a log file.
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';

import { until, within } from './wait.js';

const programs = new Set();

export class Program {
  #child;
  #expected = false;

  /**
   * Starts it. `ready` is asked until it answers; a program that ends meanwhile fails at once, with the end of its log.
   * setpriv has the kernel end the program when this process dies, in whatever way it does.
   */
  static async start({ name, log, command, env = process.env, ready, deadline = 30_000 }) {
    const program = new Program();
    program.name = name;
    program.log = log;
    const out = openSync(log, 'a');
    program.#child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...command], { env, stdio: ['ignore', out, out] });
    closeSync(out);
    program.ended = new Promise((resolve, reject) => {
      program.#child.once('error', reject);
      program.#child.once('exit', (code, signal) => resolve({ code, signal }));
    });
    program.ended.catch(() => {});
    programs.add(program);
    await until(`${name} is ready`, async () => program.exited || ready(), deadline).catch((error) => {
      throw new Error(`${name} is not ready within ${deadline} ms; its log ends with\n${program.logEnd()}`, { cause: error });
    });
    if (program.exited) throw new Error(`${name} ended at once; its log ends with\n${program.logEnd()}`);
    return program;
  }

  get pid() {
    return this.#child.pid;
  }

  get exited() {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** Sends it a signal that does not end it. */
  signal(name) {
    this.#child.kill(name);
  }

  /** Ends it the way that it is meant to be ended, and returns how it ended. */
  async stop(signal = 'SIGTERM', deadline = 30_000) {
    this.#expected = true;
    if (!this.exited) this.#child.kill(signal);
    try {
      return await within(deadline, `${this.name} ends after ${signal}`, this.ended);
    } finally {
      if (!this.exited) this.#child.kill('SIGKILL');
    }
  }

  /** Ends it as a crash does. */
  async kill() {
    await this.stop('SIGKILL');
  }

  /** Whether it ended without having been told to. */
  get crashed() {
    return this.exited && !this.#expected;
  }

  logText() {
    return readFileSync(this.log, 'utf8');
  }

  logEnd(lines = 25) {
    return this.logText().trimEnd().split('\n').slice(-lines).join('\n');
  }
}

// A failed file shows what its programs said last; nothing that it started outlives it.
process.on('exit', (code) => {
  for (const program of programs) {
    if (code !== 0) console.error(`--- the end of ${basename(program.log)}\n${program.logEnd(15)}`);
    if (!program.exited) process.kill(program.pid, 'SIGKILL');
  }
});
