// How people behave in a conversation: they write now and then, read what others wrote, and do so until a moment.
import { sleep } from './clock.js';

/** An average pause with half of it more or less, so that nobody keeps step with others. */
export const pause = (average) => average * (0.5 + Math.random());

/**
 * Sends `rate` messages a second until `end` (milliseconds since 1970), each with `say(number)`. The first one comes
 * within the first pause.
 */
export async function talk(rate, end, say) {
  if (rate === 0) return sleep(end - Date.now());
  const average = 1000 / rate;
  await sleep(Math.min(Math.random() * average, end - Date.now()));
  for (let number = 1; Date.now() < end; number += 1) {
    await say(number);
    await sleep(Math.min(pause(average), end - Date.now()));
  }
  return undefined;
}
