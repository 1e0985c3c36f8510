// The promise that everybody sees the same: each message once, in one order.
import assert from 'node:assert/strict';

import { until } from './wait.js';

/** Waits until every member has been told of all messages that others sent, then compares all with all. */
export async function assertSameOrder(members, conversationId, messages, deadline = 30_000) {
  for (const member of members) {
    const expected = messages.filter(({ senderId }) => senderId !== member.user).map(({ seq, id }) => `${seq} ${id}`);
    await until(
      `${member.user} has ${expected.length} messages`,
      () => member.messages(conversationId).length >= expected.length,
      deadline,
    ).catch((error) => {
      const got = new Set(member.messages(conversationId).map(({ seq, id }) => `${seq} ${id}`));
      const missing = expected.filter((message) => !got.has(message));
      throw new Error(`${member.user} misses ${missing.length} messages, the first is ${missing[0]}`, { cause: error });
    });
    assert.deepEqual(
      member.messages(conversationId).map(({ seq, id }) => `${seq} ${id}`),
      expected,
      `the order that ${member.user} saw`,
    );
  }
}
