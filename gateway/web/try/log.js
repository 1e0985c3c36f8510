// What went in and out, with its time, newest last.

/** Older ones are removed. */
const MOST_ENTRIES = 500;

/** What is said of each direction: to the eye, and to who listens. */
const DIRECTIONS = { sent: '↑', received: '↓', note: '·' };

export class Log {
  #list;

  /** `list` is the element that gets an item for each entry. */
  constructor(list) {
    this.#list = list;
  }

  /** Adds an entry: `direction` is `sent`, `received` or `note`; `values` are shown as JSON. */
  add(direction, name, values = []) {
    const isAtEnd = this.#list.scrollHeight - this.#list.scrollTop - this.#list.clientHeight < 40;
    const now = new Date();
    const time = element('time', clock(now));
    time.dateTime = now.toISOString();
    const arrow = element('span', DIRECTIONS[direction], 'arrow');
    arrow.setAttribute('role', 'img');
    arrow.setAttribute('aria-label', direction);
    const entry = element('li', '', direction);
    entry.append(time, arrow, element('span', name, 'name'));
    for (const value of values) entry.append(element('code', JSON.stringify(value)));
    this.#list.append(entry);
    while (this.#list.childElementCount > MOST_ENTRIES) this.#list.firstElementChild.remove();
    // Who reads further up is left there.
    if (isAtEnd) this.#list.scrollTop = this.#list.scrollHeight;
  }

  clear() {
    this.#list.replaceChildren();
  }
}

function element(tag, text, className = '') {
  const made = document.createElement(tag);
  made.textContent = text;
  made.className = className;
  return made;
}

function clock(time) {
  const digits = (number, length) => `${number}`.padStart(length, '0');
  const parts = [time.getHours(), time.getMinutes(), time.getSeconds()].map((part) => digits(part, 2));
  return `${parts.join(':')}.${digits(time.getMilliseconds(), 3)}`;
}
