// Waiting on k6's event loop. Every wait has an end.

/** Resolves after so many milliseconds, at once if there are none. */
export const sleep = (ms) => (ms > 0 ? new Promise((resolve) => setTimeout(resolve, ms)) : Promise.resolve());

/** Asks until the answer is truthy and resolves to it, or to the last one after `deadline` milliseconds. */
export async function until(condition, deadline) {
  const end = Date.now() + deadline;
  for (;;) {
    const answer = condition();
    if (answer || Date.now() >= end) return answer;
    await sleep(25);
  }
}
