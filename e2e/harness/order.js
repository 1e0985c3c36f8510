// The promise that everybody sees the same: each message once, in one order.
import assert from 'node:assert/strict';

import { until } from './wait.js';

const place = ({ seq, id }) => `${seq} ${id}`;

/** Waits until every member has been told of all messages that others sent, then compares all with all. */
export async function assertSameOrder(members, conversationId, messages, deadline = 30_000) {
  const expected = (member) => messages.filter(({ senderId }) => senderId !== member.user).map(place);
  const missing = (member) => {
    const got = new Set(member.messages(conversationId).map(place));
    return expected(member).filter((message) => !got.has(message));
  };
  await until('everybody has everything', () => members.every((member) => missing(member).length === 0), deadline).catch(() => {
    const losses = members.map((member) => [member.user, missing(member)]).filter(([, lost]) => lost.length > 0);
    const told = losses.map(([user, lost]) => `${user} misses ${lost.length}: ${lost.slice(0, 5).join(', ')}`);
    assert.fail(`not within ${deadline} ms: ${told.join('; ')}`);
  });
  for (const member of members) {
    assert.deepEqual(member.messages(conversationId).map(place), expected(member), `the order that ${member.user} saw`);
  }
}
