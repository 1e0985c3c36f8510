// A Socket.IO 5 client for the namespace `/`: CONNECT with auth, events, acknowledgements with ids, reconnection with a
// backoff like that of socket.io-client. It knows nothing of what the events mean.
import { Transport } from './engineio.js';

const [CONNECT, DISCONNECT, EVENT, ACK, CONNECT_ERROR] = ['0', '1', '2', '3', '4'];

const DELAY_MS = 1000;
const DELAY_MAX_MS = 5000;
const JITTER = 0.5;

/** Why an emit has no answer, in `code`: `closed` (the transport went away), `timeout`, `ended` (it stays away). */
export class SocketError extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

export class Socket {
  #url;
  #options;
  #handlers;
  #transport;
  #connected = false;
  #ended;
  #attempts = 0;
  #retry;
  #lastId = 0;
  #acks = new Map();
  #waiting = new Set();

  /**
   * `options.auth()` makes what each CONNECT says, `options.headers` go with each handshake. The handlers, any of them:
   * `connect()`; `event(name, payload)`; `disconnect(reason)` of a socket that was connected; `failed(reason)`, an
   * attempt that came to nothing and will be repeated; `refused(error)`, a `connect_error` after which it is not.
   */
  constructor(target, path, options, handlers) {
    this.#url = `${target.replace(/^http/, 'ws')}${path}?EIO=4&transport=websocket`;
    this.#options = options;
    this.#handlers = handlers;
  }

  get connected() {
    return this.#connected;
  }

  /** Begins to connect, and goes on until it is or `close()` is called. */
  open() {
    this.#transport = new Transport(this.#url, this.#options.headers, {
      open: () => this.#transport.send(CONNECT + JSON.stringify(this.#options.auth())),
      message: (packet) => this.#receive(packet),
      close: (reason) => this.#closed(reason),
    });
  }

  /** Resolves when it is connected, at once if it is, and rejects with a `SocketError` after `timeout` milliseconds. */
  whenConnected(timeout) {
    if (this.#connected) return Promise.resolve();
    if (this.#ended) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      const waiter = {
        resolve: () => this.#leave(waiter) && resolve(),
        reject: (error) => this.#leave(waiter) && reject(error),
      };
      waiter.timer = setTimeout(() => waiter.reject(new SocketError('timeout', `not connected within ${timeout} ms`)), timeout);
      this.#waiting.add(waiter);
    });
  }

  /** Sends an event and resolves to the first argument of its acknowledgement, or rejects with a `SocketError`. */
  emit(event, payload, timeout) {
    if (!this.#connected) return Promise.reject(this.#ended ?? new SocketError('closed', `${event}: not connected`));
    const id = (this.#lastId += 1);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#acks.delete(id);
        reject(new SocketError('timeout', `${event}: no acknowledgement within ${timeout} ms`));
      }, timeout);
      this.#acks.set(id, { event, resolve, reject, timer });
      this.#transport.send(EVENT + id + JSON.stringify(payload === undefined ? [event] : [event, payload]));
    });
  }

  /** Cuts the connection as a network does, and comes back after so many milliseconds, or with `open()`. */
  drop(away) {
    clearTimeout(this.#retry);
    this.#transport.close('dropped');
    clearTimeout(this.#retry);
    if (!this.#ended && away !== undefined) this.#retry = setTimeout(() => this.open(), away);
  }

  /** Says goodbye and stays away. */
  close() {
    if (this.#connected) this.#transport.send(DISCONNECT);
    this.#end(new SocketError('ended', 'closed by this side'));
  }

  #receive(packet) {
    const rest = packet.slice(1);
    switch (packet[0]) {
      case CONNECT: return this.#welcomed();
      case EVENT: return this.#event(rest);
      case ACK: return this.#acknowledged(rest);
      case CONNECT_ERROR: return this.#refused(JSON.parse(rest));
      case DISCONNECT: return this.#end(new SocketError('ended', 'disconnected by the server'));
      default: return undefined;
    }
  }

  #welcomed() {
    this.#connected = true;
    this.#attempts = 0;
    this.#handlers.connect?.();
    for (const waiter of [...this.#waiting]) waiter.resolve();
  }

  #refused(error) {
    this.#handlers.refused?.(error);
    this.#end(new SocketError('ended', `connect_error ${error.message}`));
  }

  #event(text) {
    const [event, payload] = JSON.parse(text);
    this.#handlers.event?.(event, payload);
  }

  #acknowledged(text) {
    const start = text.indexOf('[');
    const ack = this.#acks.get(Number(text.slice(0, start)));
    if (!ack) return; // It came after its timeout.
    this.#acks.delete(Number(text.slice(0, start)));
    clearTimeout(ack.timer);
    ack.resolve(JSON.parse(text.slice(start))[0]);
  }

  #closed(reason) {
    const wasConnected = this.#connected;
    this.#connected = false;
    for (const { event, reject, timer } of this.#acks.values()) {
      clearTimeout(timer);
      reject(new SocketError('closed', `${event}: ${reason} before the acknowledgement`));
    }
    this.#acks.clear();
    if (!this.#ended) this.#retry = setTimeout(() => this.open(), this.#backoff());
    if (wasConnected) this.#handlers.disconnect?.(reason);
    else if (!this.#ended) this.#handlers.failed?.(reason);
  }

  #backoff() {
    const delay = Math.min(DELAY_MS * 2 ** this.#attempts, DELAY_MAX_MS);
    this.#attempts += 1;
    return delay * (1 + JITTER * (2 * Math.random() - 1));
  }

  #end(error) {
    if (this.#ended) return;
    this.#ended = error;
    clearTimeout(this.#retry);
    this.#transport?.close(error.message);
    for (const waiter of [...this.#waiting]) waiter.reject(error);
  }

  #leave(waiter) {
    clearTimeout(waiter.timer);
    return this.#waiting.delete(waiter);
  }
}
