// A Socket.IO client (https://socket.io/docs/v4/socket-io-protocol/) of this page's own: one namespace a connection, one
// transport, texts only. It does not come back by itself: on this page one wants to see that a connection ended.

import { TRANSPORTS } from './transports.js';

/** Packets of Engine.IO. */
const ENGINE = { open: '0', close: '1', ping: '2', pong: '3', message: '4' };

/** Packets of Socket.IO, within messages of Engine.IO. */
const SOCKET = { connect: '0', disconnect: '1', event: '2', ack: '3', connectError: '4' };

/** Type, namespace unless it is `/`, number of the acknowledgement, JSON. */
const PACKET = /^(\d)(?:(\/[^,]*),?)?(\d*)(.*)$/s;

export class Socket {
  #transport;
  #told;
  #prefix;
  #auth;
  #timing;
  #silence;
  #answers = new Map();
  #asked = 0;

  /**
   * Connects. `options` are `{path, namespace, query, auth, transport}`, with `transport` a name of `TRANSPORTS`. `told` has
   *
   * - `connected(id)`: it is let in,
   * - `refused(text)`: it is not, with the server's text; that is the end,
   * - `event(name, arguments, answered)`: the server sent an event,
   * - `disconnected(reason)`: it has ended, by the server or on the way; never after `disconnect()`.
   */
  constructor({ path, namespace, query = {}, auth = {}, transport }, told) {
    this.#told = told;
    this.#auth = auth;
    this.#prefix = namespace === '/' ? '' : `${namespace},`;
    this.#transport = new TRANSPORTS[transport]({ path, query }, {
      packet: (packet) => this.#engine(packet),
      closed: (reason) => this.#end('disconnected', reason),
    });
  }

  /** Sends an event. With `answered`, a function, an acknowledgement is asked for, and it is called with its arguments. */
  emit(event, args, answered) {
    let id = '';
    if (answered) {
      id = this.#asked++;
      this.#answers.set(`${id}`, answered);
    }
    this.#transport.send([this.#message(SOCKET.event, id, [event, ...args])]);
  }

  /** Leaves. */
  disconnect() {
    if (!this.#told) return;
    this.#told = undefined;
    clearTimeout(this.#silence);
    if (this.#timing) this.#transport.send([this.#message(SOCKET.disconnect), ENGINE.close]);
    this.#transport.close();
  }

  #message(type, id = '', value = undefined) {
    const json = value === undefined ? '' : JSON.stringify(value);
    return `${ENGINE.message}${type}${this.#prefix}${id}${json}`;
  }

  #engine(packet) {
    const [type, rest] = [packet[0], packet.slice(1)];
    if (type === ENGINE.open) {
      this.#timing = JSON.parse(rest);
      this.#transport.send([this.#message(SOCKET.connect, '', this.#auth)]);
    } else if (type === ENGINE.ping) {
      this.#transport.send([ENGINE.pong]);
    } else if (type === ENGINE.close) {
      this.#end('disconnected', 'the gateway closed the transport');
    } else if (type === ENGINE.message) {
      this.#packet(rest);
    }
    if (this.#told) this.#listen();
  }

  /** The server pings; what says nothing for longer is gone. */
  #listen() {
    clearTimeout(this.#silence);
    if (!this.#timing) return;
    const { pingInterval, pingTimeout } = this.#timing;
    this.#silence = setTimeout(() => this.#end('disconnected', 'the gateway is silent'), pingInterval + pingTimeout);
  }

  #packet(text) {
    const [, type, , id, json] = PACKET.exec(text) ?? [];
    const value = json ? JSON.parse(json) : undefined;
    if (type === SOCKET.connect) {
      this.#told?.connected(value.sid);
    } else if (type === SOCKET.connectError) {
      this.#transport.send([ENGINE.close]);
      this.#end('refused', value.message);
    } else if (type === SOCKET.disconnect) {
      this.#end('disconnected', 'the gateway disconnected the socket');
    } else if (type === SOCKET.event) {
      const [event, ...args] = value;
      this.#told?.event(event, args);
    } else if (type === SOCKET.ack) {
      this.#answers.get(id)?.(value);
      this.#answers.delete(id);
    }
  }

  #end(how, why) {
    const told = this.#told;
    this.#told = undefined;
    clearTimeout(this.#silence);
    this.#transport.close();
    told?.[how](why);
  }
}
