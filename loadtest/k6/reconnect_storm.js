// Reconnect storm: the first user of each conversation goes on writing, and all others lose their connection in the
// same moment and come back together, several times. It proves that they miss nothing, and shows how long it takes.
//
// VUS, DURATION, ROUNDS (breaks in that time), AWAY (how long they are gone), RATE (messages a second of each writer),
// RAMP, RECOVERY_P95, RECOVERED_MIN; see loadtest/README.md.
import { sleep } from './lib/clock.js';
import { recovering, sound, within } from './lib/metrics.js';
import * as population from './lib/population.js';
import { count, duration, number } from './lib/settings.js';
import { talk } from './lib/talk.js';

const vus = count('VUS', 50);
const length = duration('DURATION', '1m');
const rounds = count('ROUNDS', 3);
const away = duration('AWAY', '3s');
const rate = number('RATE', 2);
const ramp = population.rampUp(vus);
if (population.followers(vus) === 0) throw new Error('nobody would be cut: VUS times SOCKETS and GROUP must be 2 or more');

export const options = population.options(vus, ramp + length, {
  ...sound(population.users(vus)),
  ...recovering(rounds * population.followers(vus)),
  caught_up: ['count>=1'],
  ...within({ recovery: '10s', ack: '5s' }),
});

export const setup = () => population.prepare(vus);
export const teardown = (data) => population.tidy(data, vus);

export default function (data) {
  const begin = data.startAt + ramp;
  return population.play(data, vus, ramp, async ({ member, user, conversation, place }) => {
    if (place === 0) {
      await talk(rate, begin + length, (number) => member.send(conversation, `message ${number} of ${user}`));
    } else {
      for (let round = 0; round < rounds; round += 1) {
        await sleep(begin + ((round + 0.25) * length) / rounds - Date.now());
        member.drop(away);
      }
      await sleep(begin + length - Date.now());
    }
  });
}
