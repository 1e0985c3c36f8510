// Waiting for conditions, each with a deadline. No test waits for a fixed time.
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Asks until the answer is truthy, and returns it. What the condition throws counts as "not yet" and is told with the
 * failure when the deadline (milliseconds) has passed.
 */
export async function until(what, condition, deadline = 10_000) {
  const end = Date.now() + deadline;
  let last;
  for (;;) {
    try {
      const answer = await condition();
      if (answer) return answer;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (Date.now() > end) throw new Error(`not within ${deadline} ms: ${what}`, { cause: last });
    await sleep(20);
  }
}

/** Settles as the promise does, or fails when the deadline (milliseconds) has passed. */
export async function within(deadline, what, promise) {
  const timer = new AbortController();
  const late = sleep(deadline, undefined, { signal: timer.signal }).then(() => {
    throw new Error(`not within ${deadline} ms: ${what}`);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    timer.abort();
    late.catch(() => {});
  }
}
