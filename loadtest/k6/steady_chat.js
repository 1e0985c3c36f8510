// Steady chat: everybody is connected and writes now and then. It proves that at this load everything that is
// acknowledged reaches everybody once and in order, and shows how long that takes.
//
// VUS, DURATION, RATE (messages a second of one user), RAMP, ACK_P95, DELIVERY_P95; see loadtest/README.md.
import { sound, within } from './lib/metrics.js';
import * as population from './lib/population.js';
import { count, duration, number } from './lib/settings.js';
import { talk } from './lib/talk.js';

const vus = count('VUS', 50);
const length = duration('DURATION', '1m');
const rate = number('RATE', 0.2);
const ramp = population.rampUp(vus);

export const options = population.options(vus, ramp + length, {
  ...sound(population.users(vus)),
  ...within({ connect: '10s', ack: '1s', delivery: '2s' }),
});

export const setup = () => population.prepare(vus);
export const teardown = (data) => population.tidy(data, vus);

export default function (data) {
  const end = data.startAt + ramp + length;
  return population.play(data, vus, ramp, async ({ member, user, conversation }) => {
    await talk(rate, end, async (number) => {
      await member.command('typing:start', { conversationId: conversation });
      await member.send(conversation, `message ${number} of ${user}`);
      await member.command('receipt:read', { conversationId: conversation });
    });
  });
}
