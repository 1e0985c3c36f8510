// Engine.IO 4 (https://socket.io/docs/v4/engine-io-protocol/) over one transport from beginning to end: each takes packets in
// text form and tells of those that come, until it is closed. What stands in the packets is not looked at here.
//
// `told` has `packet(text)`, called for each packet that came, and `closed(reason)`, called once when the transport ends by
// itself.

/** Between the packets of one body. */
const SEPARATOR = '\x1e';

/** The URL of a session with these parameters; `path` is that of Socket.IO. */
function address(path, parameters, transport) {
  const url = new URL(`${path}/`, window.location.href);
  for (const [name, value] of Object.entries({ ...parameters, EIO: '4', transport })) url.searchParams.set(name, value);
  return url;
}

export class WebSocketTransport {
  #socket;
  #told;

  constructor({ path, query }, told) {
    const url = address(path, query, 'websocket');
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    this.#told = told;
    this.#socket = new WebSocket(url);
    let opened = false;
    this.#socket.onopen = () => (opened = true);
    this.#socket.onmessage = ({ data }) => this.#told?.packet(data);
    this.#socket.onclose = ({ code }) => this.#end(opened ? `the WebSocket was closed (${code})` : 'no WebSocket could be opened');
  }

  /** To be called after the first packet has come. */
  send(packets) {
    for (const packet of packets) this.#socket.send(packet);
  }

  /** Ends it, after what was sent before. */
  close() {
    this.#told = undefined;
    this.#socket.close();
  }

  #end(reason) {
    this.#told?.closed(reason);
    this.#told = undefined;
  }
}

export class PollingTransport {
  #url;
  #told;
  #waiting = [];
  #posting;
  #polling = new AbortController();
  #maxPayload = Infinity;

  constructor({ path, query }, told) {
    this.#url = address(path, query, 'polling');
    this.#told = told;
    this.#poll();
  }

  send(packets) {
    this.#waiting.push(...packets);
    this.#posting ??= this.#post().finally(() => (this.#posting = undefined));
  }

  /** Ends it, after what was sent before. */
  close() {
    this.#told = undefined;
    this.#settle();
  }

  // The poll waits for what comes next, which is the answer to what is being posted.
  async #settle() {
    await this.#posting;
    this.#polling.abort();
  }

  async #poll() {
    while (this.#told) {
      const body = await this.#request({ signal: this.#polling.signal });
      for (const packet of body?.split(SEPARATOR) ?? []) {
        this.#open(packet);
        this.#told?.packet(packet);
      }
    }
  }

  /** The first packet of a session has its id and its bounds. */
  #open(packet) {
    if (this.#url.searchParams.has('sid') || packet[0] !== '0') return;
    const { sid, maxPayload } = JSON.parse(packet.slice(1));
    this.#url.searchParams.set('sid', sid);
    this.#maxPayload = maxPayload;
  }

  /** One request at a time, each with as many packets as it may have. */
  async #post() {
    while (this.#waiting.length > 0) {
      let body = this.#waiting.shift();
      while (this.#waiting.length > 0 && bytes(body + SEPARATOR + this.#waiting[0]) <= this.#maxPayload) {
        body += SEPARATOR + this.#waiting.shift();
      }
      const headers = { 'Content-Type': 'text/plain;charset=UTF-8' };
      if ((await this.#request({ method: 'POST', body, headers })) === undefined) return;
    }
  }

  /** The body of an answer; nothing when there is none, which is the end. */
  async #request(options) {
    try {
      const response = await fetch(this.#url, { cache: 'no-store', ...options });
      const body = await response.text();
      if (response.ok) return body;
      this.#end(`polling was answered ${response.status}${explanation(body)}`);
    } catch {
      this.#end('the gateway cannot be reached by polling');
    }
    return undefined;
  }

  #end(reason) {
    const told = this.#told;
    this.#told = undefined;
    this.#polling.abort();
    told?.closed(reason);
  }
}

function bytes(text) {
  return new TextEncoder().encode(text).length;
}

/** What a refused request says of itself. */
function explanation(body) {
  try {
    const { message } = JSON.parse(body);
    return message ? `: ${message}` : '';
  } catch {
    return '';
  }
}

/** By the names that Socket.IO has for them. */
export const TRANSPORTS = { websocket: WebSocketTransport, polling: PollingTransport };
