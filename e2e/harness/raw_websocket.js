// A WebSocket made by hand on a TCP connection, for what no well-behaved client does: to stop reading, to send frames
// that are too large, packets that are none. Speaks Engine.IO 4 and Socket.IO 5, the default namespace only.
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';

import { until, within } from './wait.js';

const TEXT = 0x81;

export class RawWebSocket {
  /** The texts that arrived. */
  texts = [];
  /** The code of the server's close frame, if one came. */
  closeCode;
  #buffer = Buffer.alloc(0);
  #acknowledgements = 0;

  /** Connects and opens a Socket.IO session. */
  static async connect(port, token) {
    const socket = new RawWebSocket(port);
    await socket.#upgrade();
    await socket.text((text) => text.startsWith('0{'));
    socket.send(`40${JSON.stringify({ token })}`);
    await socket.text((text) => text.startsWith('40{'));
    return socket;
  }

  constructor(port) {
    this.port = port;
    this.tcp = connect({ port, host: '127.0.0.1', noDelay: true });
    this.ended = new Promise((resolve) => this.tcp.once('close', resolve));
    this.tcp.on('error', () => {});
  }

  async #upgrade() {
    const key = randomBytes(16).toString('base64');
    this.tcp.write(
      `GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1:${this.port}\r\nConnection: Upgrade\r\n` +
        `Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`,
    );
    const answered = new Promise((resolve, reject) => {
      const onData = (data) => {
        this.#buffer = Buffer.concat([this.#buffer, data]);
        const end = this.#buffer.indexOf('\r\n\r\n');
        if (end < 0) return;
        const status = this.#buffer.subarray(0, end).toString().split('\r\n')[0];
        this.#buffer = this.#buffer.subarray(end + 4);
        this.tcp.off('data', onData);
        if (status.includes(' 101 ')) resolve();
        else reject(new Error(status));
      };
      this.tcp.on('data', onData);
    });
    await within(5000, 'the upgrade is answered', answered);
    this.tcp.on('data', (data) => this.#take(data));
    this.#take(Buffer.alloc(0));
  }

  get localPort() {
    return this.tcp.localPort;
  }

  get open() {
    return !this.tcp.destroyed && !this.tcp.readableEnded;
  }

  /** From now on nothing is read: the kernel's buffers fill, then the server's. */
  stopReading() {
    this.tcp.pause();
  }

  send(text) {
    this.tcp.write(frame(TEXT, Buffer.from(text)));
  }

  /** Announces a frame of this many bytes and sends them, as far as the server takes them. */
  sendFrameOf(bytes) {
    this.tcp.write(frame(TEXT, Buffer.alloc(bytes, 'a')));
  }

  /** Sends a command and returns its acknowledgement. */
  async command(event, payload) {
    const id = this.#acknowledgements++;
    this.send(`42${id}${JSON.stringify([event, payload])}`);
    const text = await this.text((candidate) => candidate.startsWith(`43${id}[`));
    return JSON.parse(text.slice(`43${id}`.length))[0];
  }

  /** Waits for a text that fits, also one that has arrived already. */
  async text(fits) {
    return until('a text arrives', () => this.texts.find(fits));
  }

  close() {
    this.tcp.destroy();
  }

  #take(data) {
    this.#buffer = Buffer.concat([this.#buffer, data]);
    for (;;) {
      const parsed = parseFrame(this.#buffer);
      if (!parsed) return;
      this.#buffer = this.#buffer.subarray(parsed.length);
      if (parsed.opcode === 8) this.closeCode = parsed.payload.length >= 2 ? parsed.payload.readUInt16BE() : 1005;
      else if (parsed.payload.toString() === '2') this.send('3');
      else this.texts.push(parsed.payload.toString());
    }
  }
}

// Client frames are masked; a mask of zeroes leaves the payload as it is.
function frame(head, payload) {
  const mask = Buffer.alloc(4);
  if (payload.length < 126) return Buffer.concat([Buffer.from([head, 0x80 | payload.length]), mask, payload]);
  if (payload.length < 65_536) {
    const header = Buffer.from([head, 0x80 | 126, 0, 0]);
    header.writeUInt16BE(payload.length, 2);
    return Buffer.concat([header, mask, payload]);
  }
  const header = Buffer.alloc(10);
  header[0] = head;
  header[1] = 0x80 | 127;
  header.writeBigUInt64BE(BigInt(payload.length), 2);
  return Buffer.concat([header, mask, payload]);
}

// Server frames are whole and not masked.
function parseFrame(buffer) {
  if (buffer.length < 2) return undefined;
  let size = buffer[1] & 0x7f;
  let start = 2;
  if (size === 126) {
    if (buffer.length < 4) return undefined;
    size = buffer.readUInt16BE(2);
    start = 4;
  } else if (size === 127) {
    if (buffer.length < 10) return undefined;
    size = Number(buffer.readBigUInt64BE(2));
    start = 10;
  }
  if (buffer.length < start + size) return undefined;
  return { opcode: buffer[0] & 0x0f, payload: buffer.subarray(start, start + size), length: start + size };
}
