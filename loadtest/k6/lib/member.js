// A user at one socket, as an application that must not lose anything: commands are repeated until they are answered,
// messages under the same client id, and after a break the session is resumed from what has come. It counts what happens.
import { sleep, until } from './clock.js';
import { Journal } from './journal.js';
import { mintToken } from './jwt.js';
import { metrics } from './metrics.js';
import * as settings from './settings.js';
import { Socket, SocketError } from './socketio.js';

/** A resumed conversation whose error is one of these is tried again. */
const PASSING = ['unavailable', 'overloaded', 'rate_limited', 'internal'];
const PAUSE_MS = 500;
const PAUSE_MAX_MS = 8000;

/** A page of the history, and how many of them are compared with one's own acknowledged messages. */
const PAGE = 200;
const PAGES_COMPARED = 5;

/** How many client ids of others are remembered, to notice a message that was sent again and taken for another one. */
const REMEMBERED = 1000;

/** Everybody who was refused in the same moment comes again in another one, and ever later. */
const backoff = (attempts) => Math.min(PAUSE_MS * 2 ** (attempts - 1), PAUSE_MAX_MS) * (0.5 + Math.random());

export class Member {
  #socket;
  #journals = new Map();
  #sent = []; // The newest of one's own acknowledged messages, to look for in the history.
  #clientIds = new Set(); // The newest of others.
  #sends = 0;
  #connects = 0;
  #catchingUp = false;
  #openedAt;
  #lastFailure;
  #leaving = false;
  #onEvent;

  /** `onEvent(name, payload)` is told everything that the server says. */
  constructor(user, { onEvent = () => {} } = {}) {
    this.user = user;
    this.#onEvent = onEvent;
    const options = { auth: () => ({ token: this.token() }), headers: { Cookie: `${settings.routeCookie}=${user}` } };
    this.#socket = new Socket(settings.target, settings.socketPath, options, {
      connect: () => this.#connected(),
      event: (name, payload) => this.#told(name, payload),
      disconnect: () => !this.#leaving && metrics.disconnects.add(1),
      failed: (reason) => this.#failed(reason),
      refused: ({ message }) => this.#failed(`connect_error ${message}`),
    });
  }

  token() {
    return mintToken(settings.jwtSecret, this.user, { ttl: Math.ceil(settings.tokenTtl / 1000), claims: settings.claims });
  }

  /** Connects and joins, or throws. */
  async enter(conversationId) {
    if (!(await this.connect()) || !(await this.join(conversationId))) throw new SocketError('ended', 'did not get in');
  }

  /** Says whether it came to a connection within the deadline. */
  async connect() {
    this.#openedAt = Date.now();
    this.#socket.open();
    try {
      await this.#socket.whenConnected(settings.connectDeadline);
      metrics.connected.add(true);
      return true;
    } catch (error) {
      metrics.connected.add(false);
      console.error(`${this.user}: ${error.message}; the last attempt: ${this.#lastFailure}`);
      this.close();
      return false;
    }
  }

  /**
   * Sends a command until it is answered, and resolves to the answer, whatever it says, or to undefined when there was
   * none in time. What is lost with a connection is sent again: only commands that may be carried out twice are for this.
   */
  async command(name, payload, deadline = settings.sendDeadline) {
    const { reply, error } = await this.#answered(name, () => payload, Date.now() + deadline);
    if (reply?.ok) {
      metrics.answered.add(1, { command: name });
    } else if (!this.#leaving) {
      metrics.failedCommands.add(1, { command: name });
      console.error(`${this.user}: ${name}: ${reply ? JSON.stringify(reply.error) : error.message}`);
    }
    return reply;
  }

  /** Sends a message until it is acknowledged; resolves to it, or to undefined when it has failed. */
  async send(conversationId, content, { tags = {} } = {}) {
    const clientId = `${this.user}-${(this.#sends += 1)}-${Date.now().toString(36)}`;
    const payload = () => ({ conversationId, content, clientId, metadata: { sentAt: Date.now() } });
    const { reply, error, ms, attempts } = await this.#answered('message:send', payload, Date.now() + settings.sendDeadline);
    if (attempts > 1) metrics.resends.add(attempts - 1);
    if (!reply?.ok) {
      metrics.failedSends.add(1);
      console.error(`${this.user}: ${clientId}: ${reply ? JSON.stringify(reply.error) : error.message}`);
      return undefined;
    }
    metrics.acknowledged.add(1);
    metrics.answered.add(1, { command: 'message:send' });
    metrics.ack.add(ms, tags);
    const { message } = reply;
    this.#journals.get(conversationId)?.mark(message.seq);
    this.#sent.push(message);
    if (this.#sent.length > PAGE) this.#sent.shift();
    return message;
  }

  /** Joins; from here on the journal knows what must come. Says whether it worked. */
  async join(conversationId) {
    const journal = new Journal();
    this.#journals.set(conversationId, journal);
    const reply = await this.command('conversation:join', { conversationId });
    if (!reply?.ok) return false;
    journal.begin(reply);
    return true;
  }

  async leave(conversationId) {
    this.#journals.delete(conversationId);
    return this.command('conversation:leave', { conversationId });
  }

  /** Cuts the connection, comes back after so many milliseconds, or with `comeBack()`, and catches up. */
  drop(away) {
    this.#socket.drop(away);
  }

  comeBack() {
    this.#socket.open();
  }

  /** Waits until all that was said in a conversation up to now is here, and counts what is not. Says how many. */
  async settle(conversationId) {
    const newest = await this.command('message:history', { conversationId, limit: 1, order: 'newest' });
    if (!newest?.ok) return undefined;
    const last = newest.messages.length === 0 ? 0 : newest.messages[0].seq;
    const journal = this.#journals.get(conversationId);
    await until(() => journal.missing(last) === 0, settings.grace);
    const lost = journal.missing(last) + (await this.#forgotten(conversationId));
    metrics.lost.add(lost);
    if (lost > 0) console.error(`${this.user}: ${lost} lost in ${conversationId}, complete up to ${journal.complete} of ${last}`);
    return lost;
  }

  close() {
    this.#leaving = true;
    this.#socket.close();
  }

  /** The last answer, or the error when there is none; `payload()` makes what each attempt says. */
  async #answered(name, payload, end) {
    let attempts = 0;
    let error;
    while (Date.now() < end) {
      try {
        await this.#socket.whenConnected(end - Date.now());
        attempts += 1;
        const start = Date.now();
        const reply = await this.#socket.emit(name, payload(), settings.ackTimeout);
        if (reply.ok || !reply.error.retryable || Date.now() + PAUSE_MS > end) return { reply, ms: Date.now() - start, attempts };
        if (reply.error.code === 'rate_limited') metrics.rateLimited.add(1, { command: name });
        else metrics.unavailable.add(1, { command: name });
        await sleep(reply.error.retryAfterMs ?? backoff(attempts));
      } catch (caught) {
        error = caught;
        if (error.code === 'ended') break;
        if (error.code === undefined) throw error;
      }
    }
    return { error: error ?? new Error('not in time'), attempts };
  }

  #failed(reason) {
    metrics.failedAttempts.add(1);
    this.#lastFailure = reason;
  }

  #connected() {
    this.#connects += 1;
    if (this.#connects === 1) metrics.connect.add(Date.now() - this.#openedAt);
    else this.#resume(this.#connects).catch((error) => this.#unexpected('session:resume', error));
  }

  /** Catches up after a break, unless there is another one: the next connection does it then. */
  async #resume(connection) {
    const start = Date.now();
    let attempts = 0;
    let places = [...this.#journals].filter(([, { complete }]) => complete !== undefined);
    this.#catchingUp = true;
    while (places.length > 0 && connection === this.#connects && this.#socket.connected) {
      const conversations = Object.fromEntries(places.map(([id, { epoch, offset }]) => [id, { epoch, offset }]));
      const reply = await this.#socket.emit('session:resume', { conversations }, settings.ackTimeout).catch(() => undefined);
      if (connection !== this.#connects) return;
      if (!reply) continue;
      const again = reply.ok ? this.#resumed(reply.conversations) : this.#refusedToResume(reply.error, places);
      if (places.length > again.length) metrics.recovery.add(Date.now() - start);
      places = places.filter(([id]) => again.includes(id));
      if (places.length > 0) await sleep(backoff((attempts += 1)));
    }
    if (connection === this.#connects) this.#catchingUp = false;
  }

  /** Takes the answers of conversations down; says which of them have to be tried again. */
  #resumed(conversations) {
    metrics.answered.add(1, { command: 'session:resume' });
    const again = [];
    for (const { conversationId, recovered, error, ...place } of conversations) {
      if (PASSING.includes(error)) {
        again.push(conversationId);
      } else if (error) {
        this.#unexpected('session:resume', new Error(`${conversationId}: ${error}`));
      } else {
        metrics.resumes.add(1);
        metrics.recovered.add(recovered);
        this.#journals.get(conversationId)?.skip(place);
        if (!recovered) this.#readAgain(conversationId);
      }
    }
    return again;
  }

  #refusedToResume(error, places) {
    if (error.retryable) return places.map(([id]) => id);
    this.#unexpected('session:resume', new Error(JSON.stringify(error)));
    return [];
  }

  /** What could not be resumed is in the history. */
  async #readAgain(conversationId) {
    const journal = this.#journals.get(conversationId);
    for (let after = journal.complete; ;) {
      const page = await this.command('message:history', { conversationId, after, limit: PAGE });
      if (!page?.ok) return;
      for (const { seq } of page.messages) {
        if (!journal.has(seq)) metrics.reread.add(1);
        journal.mark(seq);
        after = seq;
      }
      if (!page.hasMore) return;
    }
  }

  #told(name, payload) {
    switch (name) {
      case 'session:expiring':
        this.command('session:authenticate', { token: this.token() });
        break;
      case 'error':
      case 'conversation:left':
        this.#unexpected(name, new Error(JSON.stringify(payload)));
        break;
      case 'resync':
        this.#journals.get(payload.conversationId)?.skip(payload);
        this.#readAgain(payload.conversationId);
        break;
      default:
        this.#durable(name, payload);
    }
    this.#onEvent(name, payload);
  }

  /** Events with a place in their conversation come once and in order. */
  #durable(name, payload) {
    if (payload?.offset === undefined) return;
    const conversationId = payload.conversationId ?? payload.id;
    const journal = this.#journals.get(conversationId);
    if (!journal) return;
    const isMessage = name === 'message:created';
    const verdict = journal.event(payload, isMessage ? payload.seq : undefined);
    if (verdict === 'duplicate') metrics.duplicates.add(1);
    if (verdict === 'out of order') metrics.outOfOrder.add(1);
    if (verdict === 'duplicate' || verdict === 'out of order') console.error(`${this.user}: ${verdict}: ${JSON.stringify(payload)}`);
    if (isMessage && verdict === 'new' && payload.senderId !== this.user) this.#delivered(payload);
  }

  #delivered({ seq, clientId, metadata }) {
    metrics.delivered.add(1);
    if (this.#clientIds.has(clientId)) {
      metrics.duplicates.add(1);
      console.error(`${this.user}: ${clientId} is there twice, again as ${seq}`);
    }
    this.#clientIds.add(clientId);
    if (this.#clientIds.size > REMEMBERED) this.#clientIds.delete(this.#clientIds.values().next().value);
    if (this.#catchingUp) metrics.caughtUp.add(1);
    else if (metadata?.sentAt) metrics.delivery.add(Date.now() - metadata.sentAt);
  }

  /** How many of one's own newest acknowledged messages are not in the history. */
  async #forgotten(conversationId) {
    const sent = new Map(this.#sent.filter((message) => message.conversationId === conversationId).map(({ id, seq }) => [id, seq]));
    let after = Math.min(...sent.values()) - 1;
    for (let page = 0; page < PAGES_COMPARED && sent.size > 0; page += 1) {
      const { ok, messages, hasMore } = (await this.command('message:history', { conversationId, after, limit: PAGE })) ?? {};
      if (!ok) return 0; // Counted as a failed command.
      for (const { id } of messages) sent.delete(id);
      if (!hasMore) return sent.size;
      after = messages[messages.length - 1].seq;
    }
    return [...sent.values()].filter((seq) => seq <= after).length;
  }

  #unexpected(command, error) {
    metrics.failedCommands.add(1, { command });
    console.error(`${this.user}: ${command}: ${error.message}`);
  }
}
