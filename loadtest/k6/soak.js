// Soak: a mixed load for hours, in which everybody's connection breaks now and then. It proves that nothing gets worse
// with time: compare the acknowledgements of the first, the middle and the last third, and the memory of the gateways.
//
// VUS, DURATION, RATE (actions a second of one user), RECONNECT_EVERY, RAMP, ACK_P95, DELIVERY_P95; see loadtest/README.md.
import { sleep } from './lib/clock.js';
import { recovering, sound, within } from './lib/metrics.js';
import * as population from './lib/population.js';
import { count, duration, number } from './lib/settings.js';
import { pause, talk } from './lib/talk.js';

const vus = count('VUS', 50);
const length = duration('DURATION', '1h');
const rate = number('RATE', 0.2);
const reconnectEvery = duration('RECONNECT_EVERY', '5m');
const ramp = population.rampUp(vus);

const limits = within({ connect: '10s', ack: '1s', delivery: '2s' });
const thirds = ['first', 'middle', 'last'];

export const options = population.options(vus, ramp + length, {
  ...sound(population.users(vus)),
  ...recovering(1),
  ...limits,
  ...Object.fromEntries(thirds.map((third) => [`ack_time{third:${third}}`, limits.ack_time])),
});

export const setup = () => population.prepare(vus);
export const teardown = (data) => population.tidy(data, vus);

export default function (data) {
  const begin = data.startAt + ramp;
  return population.play(data, vus, ramp, async ({ member, conversation }) => {
    const breaks = breakNowAndThen(member, begin + length);
    let last;
    await talk(rate, begin + length, async () => {
      last = (await act(member, conversation, last, thirdOf(begin))) ?? last;
    });
    await breaks;
  });
}

const thirdOf = (begin) => thirds[Math.min(Math.max(Math.floor(((Date.now() - begin) / length) * 3), 0), 2)];

async function breakNowAndThen(member, end) {
  for (;;) {
    const next = Date.now() + pause(reconnectEvery);
    await sleep(Math.min(next, end) - Date.now());
    if (next >= end) return;
    member.drop(Math.random() * 3000);
  }
}

/** One of the things that people do; most of it is writing. `last` is what the user wrote last. */
async function act(member, conversationId, last, third) {
  const dice = Math.random();
  if (dice < 0.6 || !last) return member.send(conversationId, `a message of ${member.user}`, { tags: { third } });
  if (dice < 0.75) await member.command('receipt:read', { conversationId });
  else if (dice < 0.85) await member.command('typing:start', { conversationId });
  else if (dice < 0.9) await member.command('message:history', { conversationId, limit: 50 });
  else if (dice < 0.95) await member.command('reaction:add', { messageId: last.id, emoji: '👍' });
  else await member.command('message:edit', { messageId: last.id, content: `an edited message of ${member.user}` });
  return undefined;
}
