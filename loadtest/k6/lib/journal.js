// What a user has of one conversation, and what is wrong with it: lost, twice, out of order. Its size is that of what
// has not arrived, not that of what has.

export class Journal {
  /** The place of the newest event that came, for `session:resume`. */
  epoch = 0;
  offset = 0;
  #floor; // Every message up to this `seq` is here; undefined until the join is answered.
  #above = new Set(); // Messages beyond a hole.

  /** Where the conversation stood when it was joined: what came before is no business of ours. */
  begin({ epoch, offset, seq }) {
    this.#advance(epoch, offset);
    this.#floor = seq;
    for (const one of this.#above) if (one <= seq) this.#above.delete(one);
    this.#close();
  }

  /** A durable event of any kind; for one without a message `seq` is undefined. Says whether it is new. */
  event({ epoch, offset }, seq) {
    if (this.#advance(epoch, offset)) {
      if (seq !== undefined) this.#mark(seq);
      return 'new';
    }
    if (seq === undefined) return 'old';
    if (this.has(seq)) return 'duplicate';
    this.#mark(seq);
    return 'out of order';
  }

  /** Where `session:resume` or `resync` says that events go on. */
  skip({ epoch, offset }) {
    this.#advance(epoch, offset);
  }

  /** A message that came by another way than an event: as one's own acknowledgement, or with the history. */
  mark(seq) {
    this.#mark(seq);
  }

  has(seq) {
    return this.#above.has(seq) || (this.#floor !== undefined && seq <= this.#floor);
  }

  /** Up to which `seq` nothing is missing. */
  get complete() {
    return this.#floor;
  }

  /** How many messages up to `seq` are missing. */
  missing(seq) {
    let missing = 0;
    for (let one = this.#floor + 1; one <= seq; one += 1) if (!this.#above.has(one)) missing += 1;
    return missing;
  }

  #mark(seq) {
    if (this.#floor !== undefined && seq <= this.#floor) return;
    this.#above.add(seq);
    if (this.#floor !== undefined) this.#close();
  }

  #close() {
    while (this.#above.delete(this.#floor + 1)) this.#floor += 1;
  }

  #advance(epoch, offset) {
    if (epoch < this.epoch || (epoch === this.epoch && offset <= this.offset)) return false;
    this.epoch = epoch;
    this.offset = offset;
    return true;
  }
}
