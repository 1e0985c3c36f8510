// One Engine.IO 4 session over one WebSocket: open, ping and pong, messages, close. It does not come back by itself.
import { WebSocket } from './websocket.js';

const [OPEN, CLOSE, PING, PONG, MESSAGE] = ['0', '1', '2', '3', '4'];

/** How long a handshake may take, as in socket.io-client. */
const HANDSHAKE_TIMEOUT_MS = 20_000;

export class Transport {
  #socket;
  #handlers;
  #timer;
  #heardAt = Date.now();
  #ended = false;

  /** `handlers` are `open()`, `message(text)` and `close(reason)`; the last one is called once, and nothing after it. */
  constructor(url, headers, handlers) {
    this.#handlers = handlers;
    this.#socket = new WebSocket(url, null, { headers });
    this.#timer = setTimeout(() => this.#end('handshake timeout'), HANDSHAKE_TIMEOUT_MS);
    this.#socket.onmessage = ({ data }) => this.#receive(data);
    this.#socket.onerror = ({ error }) => this.#end(`${error}`);
    this.#socket.onclose = () => this.#end('transport close');
  }

  send(text) {
    if (!this.#ended) this.#socket.send(MESSAGE + text);
  }

  /** Ends the session without a word to the other side of Socket.IO, as a network that goes away does. */
  close(reason) {
    this.#end(reason);
  }

  #receive(data) {
    if (this.#ended) return;
    this.#heardAt = Date.now();
    if (typeof data !== 'string') return this.#end('binary packet');
    switch (data[0]) {
      case OPEN: return this.#opened(JSON.parse(data.slice(1)));
      case PING: return this.#socket.send(PONG + data.slice(1));
      case MESSAGE: return this.#handlers.message(data.slice(1));
      case CLOSE: return this.#end('server close');
      default: return undefined;
    }
  }

  /** From now on the server says something at least this often. */
  #opened({ pingInterval, pingTimeout }) {
    clearTimeout(this.#timer);
    this.#watch(pingInterval + pingTimeout);
    this.#handlers.open();
  }

  #watch(patience) {
    const silent = Date.now() - this.#heardAt;
    if (silent >= patience) return this.#end('ping timeout');
    this.#timer = setTimeout(() => this.#watch(patience), patience - silent);
    return undefined;
  }

  #end(reason) {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#socket.close();
    this.#handlers.close(reason);
  }
}
