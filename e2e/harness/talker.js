// A member who talks all the time and wants to lose nothing, the way docs/protocol.md tells applications to.
import { setTimeout as sleep } from 'node:timers/promises';

import { Member } from './member.js';

export class Talker extends Member {
  /** What was acknowledged. */
  sent = [];
  /** Sends that were refused. */
  failed = [];
  /** Every end of a connection: `{at, reason, transport}`, `at` in milliseconds. */
  ends = [];
  #conversation;
  #place;
  #number = 0;

  /** Connects, joins, and from then on goes on where it was whenever it comes back. */
  static async connect(url, user, token, conversation, options) {
    const talker = new Talker(url, user, token, { reconnectionDelay: 1000, reconnectionDelayMax: 5000, ...options });
    talker.#conversation = conversation;
    talker.socket.on('message:created', ({ epoch, offset }) => (talker.#place = { epoch, offset }));
    talker.socket.on('disconnect', (reason) => {
      talker.ends.push({ at: Date.now(), reason, transport: talker.transport });
    });
    await talker.ready();
    const { epoch, offset } = await talker.join(conversation);
    talker.#place ??= { epoch, offset };
    talker.socket.on('connect', () => talker.#resume());
    return talker;
  }

  get transport() {
    return this.socket.io.engine.transport.name;
  }

  async #resume() {
    const connection = this.connects;
    let resumed;
    do {
      const conversations = { [this.#conversation]: this.#place };
      const reply = await this.socket.timeout(60_000).emitWithAck('session:resume', { conversations }).catch(() => undefined);
      // Without an answer the connection has ended again, and the next one resumes.
      if (!reply || connection !== this.connects) return;
      resumed = reply.conversations?.[0] ?? reply;
    } while (resumed.error === 'unavailable');
    if (!resumed.recovered) this.failed.push({ event: 'session:resume', resumed });
  }

  /** Says something about twice a second until it is told to stop, then until what it said last is acknowledged. */
  async talk(stop) {
    while (!stop.aborted) {
      await this.#say();
      await sleep(300 + 400 * Math.random());
    }
  }

  /** The same again under the same client id for as long as there is no answer, or `unavailable`. */
  async #say() {
    const clientId = `${this.user} ${(this.#number += 1)}`;
    const message = { conversationId: this.#conversation, content: clientId, clientId };
    for (let tries = 0; tries < 20; tries += 1) {
      const reply = await this.socket.timeout(3000).emitWithAck('message:send', message).catch(() => undefined);
      if (reply?.ok) return this.sent.push(reply.message);
      if (reply && reply.error.code !== 'unavailable') return this.failed.push({ event: 'message:send', clientId, reply });
    }
    return this.failed.push({ event: 'message:send', clientId, reply: 'none' });
  }

  /** What others said: on another connection, what one said oneself comes as well. */
  messages(conversationId) {
    return super.messages(conversationId).filter(({ senderId }) => senderId !== this.user);
  }
}
