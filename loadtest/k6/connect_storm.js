// Connect storm: all users come in the same moment, as after an outage or when a campaign goes out, and stay. It proves
// that all of them get in, those who are turned away by themselves with a backoff, and that all works then.
//
// VUS, DURATION (how long they stay), RATE (messages a second of one user), RAMP (0: all at once), CONNECT_P95;
// see loadtest/README.md.
import { sound, within } from './lib/metrics.js';
import * as population from './lib/population.js';
import { count, duration, number } from './lib/settings.js';
import { talk } from './lib/talk.js';

const vus = count('VUS', 200);
const length = duration('DURATION', '30s');
const rate = number('RATE', 0.05);
const ramp = duration('RAMP', '0s');

export const options = population.options(vus, ramp + length, {
  ...sound(population.users(vus)),
  ...within({ connect: '30s', ack: '5s', delivery: '5s' }),
});

export const setup = () => population.prepare(vus);
export const teardown = (data) => population.tidy(data, vus);

export default function (data) {
  return population.play(data, vus, ramp, async ({ member, user, conversation }) => {
    await member.send(conversation, `${user} is here`);
    await talk(rate, data.startAt + ramp + length, (number) => member.send(conversation, `message ${number} of ${user}`));
  });
}
