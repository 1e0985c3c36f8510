// One client of the two: what is filled in, its buttons, its connection, its log.

import { Log } from './log.js';
import { Socket } from './socket_io.js';

/** What a handshake can be refused for, in words for whoever fills in the form. */
const MEANINGS = {
  token_missing: 'there is no token',
  token_malformed: 'what stands in the field is no token',
  token_invalid: 'the token is not valid',
  token_expired: 'the token has expired',
  token_revoked: 'the token has been revoked',
  handshake_incomplete: 'the dialect wants a user and a conversation',
  not_found: 'there is no such conversation',
  not_a_participant: 'the user takes no part in the conversation',
  forbidden: 'the token is not that user’s',
};

export class Pane {
  #root;
  #catalog;
  #log;
  #socket;
  #connected = false;
  #lastMessage;

  constructor(root, { name, catalog, token }) {
    this.#root = root;
    this.#catalog = catalog;
    this.#log = new Log(this.#find('.log'));
    this.#label(name);
    this.#field('token').value = token;
    this.#field('dialect').append(...catalog.dialects.map(({ name }) => new Option(name, name)));
    this.#listen();
    this.#show();
  }

  #find(selector) {
    return this.#root.querySelector(selector);
  }

  #field(name) {
    return this.#find(`[name="${name}"]`);
  }

  get #dialect() {
    return this.#catalog.dialects.find(({ name }) => name === this.#field('dialect').value);
  }

  /** Ids within the page are the pane's own. */
  #label(name) {
    this.#root.id = `pane-${name}`;
    const heading = this.#find('h2');
    heading.textContent = `Client ${name}`;
    heading.id = `heading-${name}`;
    this.#root.setAttribute('aria-labelledby', heading.id);
    this.#find('.log').setAttribute('aria-label', `Events of client ${name}`);
    this.#find('.reasons').id = `reasons-${name}`;
  }

  #listen() {
    const on = (target, event, action) =>
      target.addEventListener(event, (happened) => {
        happened.preventDefault();
        action();
      });
    on(this.#find('form.connection'), 'submit', () => this.#connect());
    on(this.#find('form.commands'), 'submit', () => this.#command('message.send'));
    on(this.#find('form.free'), 'submit', () => this.#free());
    on(this.#field('disconnect'), 'click', () => this.#disconnect());
    on(this.#field('clear'), 'click', () => this.#log.clear());
    this.#field('dialect').addEventListener('change', () => this.#show());
    for (const button of this.#root.querySelectorAll('button[data-command][type="button"]')) {
      on(button, 'click', () => this.#command(button.dataset.command));
    }
    window.addEventListener('pagehide', () => this.#socket?.disconnect());
  }

  #connect() {
    const { name, namespace } = this.#dialect;
    const transport = this.#field('transport').value;
    this.#lastMessage = undefined;
    this.#fail('');
    this.#log.add('note', `connecting to ${namespace} in the dialect ${name} by ${transport}`);
    const { auth, query } = this.#handshake();
    this.#socket = new Socket({ path: this.#catalog.path, namespace, auth, query, transport }, {
      connected: (id) => {
        this.#connected = true;
        this.#log.add('note', `connected as ${id}`);
        this.#show();
      },
      refused: (text) => this.#ended(`connect_error: ${text}`, this.#refusal(text)),
      disconnected: (reason) => this.#ended(`disconnected: ${reason}`, `The connection ended: ${reason}.`),
      event: (event, args) => {
        this.#log.add('received', event, args);
        this.#remember(this.#dialect.messages.events.find(([name]) => name === event)?.[1], args[0]);
      },
    });
    this.#show();
  }

  /** What the dialect wants to be told in the handshake, where it wants to be told it. */
  #handshake() {
    const token = this.#field('token').value.trim();
    const said = { auth: token ? { token } : {}, query: {} };
    for (const [field, place] of Object.entries(this.#dialect.handshake)) {
      const value = this.#field(field).value.trim();
      if (!place || !value) continue;
      const [where, ...path] = place.split('.');
      if (where === 'query') said.query[path.join('.')] = value;
      else put(said.auth, path, value);
    }
    return said;
  }

  #disconnect() {
    this.#socket?.disconnect();
    this.#ended('disconnected', '');
  }

  #ended(note, failure) {
    this.#socket = undefined;
    this.#connected = false;
    this.#log.add('note', note);
    this.#fail(failure);
    this.#show();
    this.#field('connect').focus();
  }

  /** A dialect may have one text for several reasons: those are named that can be meant. */
  #refusal(text) {
    const token = this.#field('token').value.trim();
    const looksRight = token.split('.').length === 3;
    const possible = ([code, said]) => {
      if (said !== text) return false;
      if (code === 'token_missing') return !token;
      if (code === 'token_malformed') return token && !looksRight;
      if (code.startsWith('token_')) return looksRight;
      return true;
    };
    const reasons = Object.entries(this.#dialect.refusals).filter(possible).map(([code]) => code);
    const ofTokens = reasons.filter((code) => code.startsWith('token_'));
    const meant = (ofTokens.length > 0 ? ofTokens : reasons).map((code) => MEANINGS[code]);
    return `Connection refused: ${text}${meant.length > 0 ? ` (${meant.join(', or ')})` : ''}`;
  }

  /** Sends the dialect's own event for a command, with what is filled in. */
  #command(command) {
    const { event, arguments: template } = this.#dialect.commands[command];
    if (!event || !this.#connected) return;
    const answered = (args) => {
      if (command === 'message.send') this.#remember(this.#dialect.messages.sent, args[0]);
    };
    this.#emit(event, filled(template, this.#values()), answered);
  }

  #values() {
    const text = this.#field('content').value;
    const conversation = this.#field('conversation').value.trim();
    const isNumber = this.#dialect.numbersConversations && /^(0|[1-9]\d{0,14})$/.test(conversation);
    return {
      '{conversation}': isNumber ? Number(conversation) : conversation,
      '{content}': text,
      '{payload}': text,
      '{emoji}': this.#field('emoji').value,
      '{message}': this.#lastMessage ?? '',
    };
  }

  #free() {
    if (!this.#connected) return;
    const field = this.#field('arguments');
    const args = list(field.value);
    field.setCustomValidity(args ? '' : 'Write a JSON list, such as [{"conversationId": "lobby"}].');
    if (field.reportValidity()) this.#emit(this.#field('event').value, args);
    field.addEventListener('input', () => field.setCustomValidity(''), { once: true });
  }

  #emit(event, args, answered) {
    this.#log.add('sent', event, args);
    if (!this.#field('ack').checked) return void this.#socket.emit(event, args);
    this.#socket.emit(event, args, (values) => {
      this.#log.add('received', `acknowledgement of ${event}`, values);
      answered?.(values);
    });
  }

  /** Keeps the id of a message that was seen, for reactions. */
  #remember(way, value) {
    const id = way?.reduce((object, name) => object?.[name], value);
    if (id === undefined || id === null) return;
    this.#lastMessage = id;
    this.#show();
  }

  #fail(text) {
    const failure = this.#find('.failure');
    failure.textContent = text;
    failure.hidden = text === '';
  }

  #show() {
    const state = this.#connected ? 'connected' : this.#socket ? 'connecting' : 'not connected';
    const status = this.#find('.status');
    if (status.textContent !== state) status.textContent = state;
    status.dataset.state = state;
    const isBusy = this.#socket !== undefined;
    const { handshake } = this.#dialect;
    for (const name of ['token', 'dialect', 'transport', 'user', 'connect']) this.#field(name).disabled = isBusy;
    this.#field('disconnect').disabled = !isBusy;
    this.#field('emit').disabled = !this.#connected;
    this.#field('user').closest('label').hidden = !handshake.user;
    // It is said once, with the connection.
    this.#field('conversation').disabled = isBusy && handshake.conversation !== null;
    this.#showButtons();
  }

  /** A button that cannot be used says why. */
  #showButtons() {
    const reasons = [];
    for (const button of this.#root.querySelectorAll('button[data-command]')) {
      const { command } = button.dataset;
      const missing = this.#dialect.commands[command].reason;
      const reason = missing ?? (command === 'reaction.toggle' && !this.#lastMessage ? 'no message to react to yet' : undefined);
      button.disabled = !this.#connected || reason !== undefined;
      button.title = reason ?? this.#dialect.commands[command].event;
      if (reason) reasons.push(`${button.textContent}: ${reason}.`);
      if (reason) button.setAttribute('aria-describedby', this.#find('.reasons').id);
      else button.removeAttribute('aria-describedby');
    }
    if (this.#dialect.handshake.conversation) reasons.push('The conversation is named when connecting.');
    const list = this.#find('.reasons');
    list.replaceChildren(...reasons.map((text) => Object.assign(document.createElement('li'), { textContent: text })));
    list.hidden = reasons.length === 0;
  }
}

/** A copy of a template with what its names in braces stand for. */
function filled(template, values) {
  if (typeof template === 'string') return values[template] ?? template;
  if (Array.isArray(template)) return template.map((item) => filled(item, values));
  if (template === null || typeof template !== 'object') return template;
  return Object.fromEntries(Object.entries(template).map(([name, value]) => [name, filled(value, values)]));
}

function put(object, [name, ...rest], value) {
  if (rest.length === 0) object[name] = value;
  else put((object[name] ??= {}), rest, value);
}

function list(text) {
  try {
    const value = JSON.parse(text);
    return Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
