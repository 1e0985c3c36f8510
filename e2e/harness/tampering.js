// A network that does to a gateway's WebSocket frames what must never happen: to prove that a client notices.
import { connect, createServer } from 'node:net';

import { freePort } from './ports.js';

const TEXT = 0x81;

export class Tampering {
  /** How many events have been tampered with. */
  done = 0;
  #sockets = new Set();

  /**
   * Listens in front of a URL. `change(text, held)` is given what a frame of the server says and a list of the connection
   * to hold texts back in, and returns the texts that are sent now.
   */
  static async start(url, change) {
    const proxy = new Tampering();
    const port = await freePort();
    proxy.url = `http://127.0.0.1:${port}`;
    proxy.server = createServer((client) => proxy.#carry(client, new URL(url), change));
    await new Promise((resolve) => proxy.server.listen(port, '127.0.0.1', resolve));
    return proxy;
  }

  close() {
    this.server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #carry(client, { hostname, port }, change) {
    const server = connect({ host: hostname, port: Number(port) });
    for (const [socket, other] of [[client, server], [server, client]]) {
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
    client.pipe(server);
    const held = [];
    let buffer = Buffer.alloc(0);
    let upgraded;
    server.on('data', (chunk) => {
      if (upgraded === undefined) upgraded = chunk.toString('latin1').startsWith('HTTP/1.1 101');
      if (!upgraded) return client.write(chunk);
      buffer = Buffer.concat([buffer, chunk]);
      for (let part = nextPart(buffer); part; part = nextPart(buffer)) {
        buffer = buffer.subarray(part.end);
        if (part.text === undefined) client.write(part.bytes);
        else for (const text of this.#changed(part.text, change, held)) client.write(frame(text));
      }
      return undefined;
    });
  }

  #changed(text, change, held) {
    const texts = change(text, held);
    if (texts.length !== 1 || texts[0] !== text) this.done += 1;
    return texts;
  }
}

/** The answer to the upgrade or a whole frame at the start of the buffer, if it is there: `{end, bytes, text?}`. */
function nextPart(buffer) {
  if (buffer[0] === 'H'.charCodeAt(0)) {
    const end = buffer.indexOf('\r\n\r\n') + 4;
    return end < 4 ? undefined : { end, bytes: buffer.subarray(0, end) };
  }
  if (buffer.length < 2) return undefined;
  const short = buffer[1] & 0x7f;
  const start = { 126: 4, 127: 10 }[short] ?? 2;
  if (buffer.length < start) return undefined;
  const length = start === 4 ? buffer.readUInt16BE(2) : start === 10 ? Number(buffer.readBigUInt64BE(2)) : short;
  const end = start + length;
  if (buffer.length < end) return undefined;
  const bytes = buffer.subarray(0, end);
  return { end, bytes, text: buffer[0] === TEXT ? bytes.subarray(start).toString() : undefined };
}

function frame(text) {
  const payload = Buffer.from(text);
  const header = Buffer.alloc(10);
  header[0] = TEXT;
  header[1] = 127;
  header.writeBigUInt64BE(BigInt(payload.length), 2);
  return Buffer.concat([header, payload]);
}
