// A user at a real Socket.IO client, who keeps everything that he is told.
import { io } from 'socket.io-client';

import { until, within } from './wait.js';

const open = new Set();

export class Member {
  /** Everything the server sent, in its order: `{event, payload}`. */
  received = [];
  /** Why connections ended, and how often one was made. */
  disconnects = [];
  connects = 0;

  /** Connects and waits for `session:ready`; `options` go to `io()`. */
  static async connect(url, user, token, options = {}) {
    const member = new Member(url, user, token, options);
    await member.ready();
    return member;
  }

  constructor(url, user, token, options = {}) {
    this.user = user;
    this.socket = io(url, {
      auth: token === undefined ? {} : { token },
      transports: ['websocket'],
      forceNew: true,
      reconnectionDelay: 100,
      reconnectionDelayMax: 500,
      ...options,
    });
    this.socket.onAny((event, payload) => this.received.push({ event, payload }));
    this.socket.on('connect', () => (this.connects += 1));
    this.socket.on('disconnect', (reason) => this.disconnects.push(reason));
    open.add(this);
  }

  async ready() {
    const refused = new Promise((_, reject) => this.socket.once('connect_error', reject));
    const told = until(`${this.user} is told session:ready`, () => this.events('session:ready').length > 0);
    await Promise.race([told, refused]);
  }

  /** The payloads of an event so far. */
  events(name) {
    return this.received.filter(({ event }) => event === name).map(({ payload }) => payload);
  }

  /** The messages of others in a conversation so far, in the order in which they came. */
  messages(conversationId) {
    return this.events('message:created').filter((message) => message.conversationId === conversationId);
  }

  /** Waits for an event that fits. */
  async told(event, fits = () => true, deadline = 10_000) {
    return until(`${this.user} is told ${event}`, () => this.events(event).find(fits), deadline);
  }

  /** Sends a command and returns its acknowledgement, whatever it says. */
  async command(event, ...args) {
    return within(10_000, `${event} of ${this.user} is answered`, this.socket.emitWithAck(event, ...args));
  }

  /** Sends a command that must succeed. */
  async must(event, ...args) {
    const reply = await this.command(event, ...args);
    if (reply?.ok !== true) throw new Error(`${event} of ${this.user}: ${JSON.stringify(reply)}`);
    return reply;
  }

  /** Joins; the reply tells where the conversation stands. */
  async join(conversationId) {
    return this.must('conversation:join', { conversationId });
  }

  /** Sends a message and returns it as acknowledged. */
  async say(conversationId, content, more = {}) {
    return (await this.must('message:send', { conversationId, content, ...more })).message;
  }

  /**
   * Sends a message as an application does that must not lose it: again, under the same client id, for as long as
   * the answer is that a retry can help, or that there is none.
   */
  async sayUntilAcknowledged(conversationId, content, clientId) {
    return until(`${clientId} is acknowledged`, async () => {
      const reply = await this.socket
        .timeout(3000)
        .emitWithAck('message:send', { conversationId, content, clientId })
        .catch(() => undefined);
      if (reply?.ok) return reply.message;
      if (reply && !reply.error.retryable) throw new Error(`${clientId}: ${JSON.stringify(reply.error)}`);
      return undefined;
    }, 60_000);
  }

  /** All messages after a place, page by page. */
  async historyAfter(conversationId, seq) {
    const messages = [];
    for (;;) {
      const after = messages.at(-1)?.seq ?? seq;
      const page = await this.must('message:history', { conversationId, after, limit: 200 });
      messages.push(...page.messages);
      if (!page.hasMore) return messages;
    }
  }

  close() {
    open.delete(this);
    this.socket.disconnect();
  }
}

/** Ends the connections of every member that is left. */
export function closeMembers() {
  for (const member of open) member.close();
}
