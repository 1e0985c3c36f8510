// A client of an application that knows nothing of Parlance: a real Socket.IO client with that application's connect
// options and words. It keeps everything that it is told, with every argument as it came.
import { Agent } from 'node:http';

import { io } from 'socket.io-client';

import { until, within } from './wait.js';

const open = new Set();

/** The ways in which the applications' clients connect. */
export const TRANSPORTS = {
  'websocket': { transports: ['websocket'] },
  'polling': { transports: ['polling'] },
  'polling, then upgrade': { transports: ['polling', 'websocket'] },
};

export class AppClient {
  /** Everything the server sent, in its order: `{event, args}`. */
  received = [];
  /** The texts of refused handshakes. */
  refusals = [];
  /** Why connections ended, and how often one was made. */
  disconnects = [];
  connects = 0;

  /**
   * `url` may have a namespace. `from` is the loopback address that the client comes from: nginx sends each to a gateway
   * by it, since these clients keep no cookie. The other options go to `io()`.
   */
  constructor(url, { from, ...options } = {}) {
    this.socket = io(url, {
      forceNew: true,
      reconnectionDelay: 100,
      reconnectionDelayMax: 500,
      ...(from === undefined ? {} : { agent: new Agent({ localAddress: from }) }),
      ...options,
    });
    this.socket.onAny((event, ...args) => this.received.push({ event, args }));
    this.socket.on('connect', () => (this.connects += 1));
    this.socket.on('disconnect', (reason) => this.disconnects.push(reason));
    this.socket.on('connect_error', (error) => this.refusals.push(error.message));
    open.add(this);
  }

  async connected() {
    await until('the socket is connected', () => this.socket.connected);
    return this;
  }

  /** The first text with which it is refused. */
  async refused() {
    return until('the handshake is refused', () => this.refusals[0]);
  }

  /** Sends an event as these clients do: without an acknowledgement, and buffered while not connected. */
  emit(event, ...args) {
    this.socket.emit(event, ...args);
    return this;
  }

  /** Sends an event with an acknowledgement and returns what it says. */
  async ack(event, ...args) {
    return within(10_000, `the acknowledgement of ${event}`, this.socket.emitWithAck(event, ...args));
  }

  /** The first arguments of an event so far. */
  events(name) {
    return this.received.filter(({ event }) => event === name).map(({ args }) => args[0]);
  }

  /** Waits for an event whose first argument fits, and returns that. */
  async told(event, fits = () => true, deadline = 10_000) {
    const found = () => this.received.find(({ event: name, args }) => name === event && fits(args[0]));
    const told = until(`the client is told ${event}`, found, deadline);
    const { args } = await told.catch((cause) => {
      throw new Error(`only told ${JSON.stringify(this.received.slice(-10))}`, { cause });
    });
    return args[0];
  }

  /**
   * Fails if it was told an event that fits. To be asked once something has arrived that was sent after it, on the same
   * way: `after` is such a wait.
   */
  async notTold(event, after, fits = () => true) {
    await after;
    const told = this.events(event).filter(fits);
    if (told.length > 0) throw new Error(`told ${event}, which it must not be: ${JSON.stringify(told)}`);
  }

  close() {
    this.socket.disconnect();
    open.delete(this);
  }
}

/** Ends every client that is still open, so that a process with a failed test ends too. */
export function closeAppClients() {
  for (const client of open) client.close();
}
