// What is measured, and when a run has failed. loadtest/README.md says how to read each of them.
import { Counter, Rate, Trend } from 'k6/metrics';

import { duration, number } from './settings.js';

export const metrics = {
  /** Times, in milliseconds. */
  ack: new Trend('ack_time', true), // from `message:send` to its acknowledgement
  delivery: new Trend('delivery_time', true), // from the attempt to send to the event at somebody else's
  connect: new Trend('connect_time', true), // from the first attempt to connect to the answer to CONNECT
  recovery: new Trend('recovery_time', true), // from the answer to CONNECT to that of `session:resume`, the missed between

  /** What must not be. */
  lost: new Counter('lost'),
  duplicates: new Counter('duplicates'),
  outOfOrder: new Counter('out_of_order'),
  failedSends: new Counter('failed_sends'),
  failedCommands: new Counter('failed_commands'),

  /** What must be: without these, a run in which nothing happened would have passed. */
  connected: new Rate('connected'),
  recovered: new Rate('recovered'),
  finished: new Counter('finished'),
  acknowledged: new Counter('acknowledged'),
  delivered: new Counter('delivered'),
  resumes: new Counter('resumes'),
  answered: new Counter('answered'), // commands, by `command`

  /** What may be, and is worth a look. */
  resends: new Counter('resends'),
  rateLimited: new Counter('rate_limited'),
  unavailable: new Counter('unavailable'), // answers that a retry may help, other than those
  failedAttempts: new Counter('failed_attempts'),
  disconnects: new Counter('disconnects'),
  caughtUp: new Counter('caught_up'),
  reread: new Counter('reread'),
};

const none = ['count==0'];
const atLeast = (count) => [`count>=${count}`];

/** What holds for every scenario: all users got in and came to their end, and nothing is amiss. */
export const sound = (users) => ({
  connected: ['rate==1'],
  finished: [`count==${users}`],
  acknowledged: atLeast(1),
  delivered: atLeast(1),
  lost: none,
  duplicates: none,
  out_of_order: none,
  failed_sends: none,
  failed_commands: none,
});

/** Everybody who was away is up to date again by `session:resume`, so many times at least. */
export const recovering = (resumes) => ({
  resumes: atLeast(resumes),
  recovered: [`rate>=${number('RECOVERED_MIN', 0.99)}`],
});

/** Each command has been answered with success. */
export const answering = (commands) =>
  Object.fromEntries(commands.map((command) => [`answered{command:${command}}`, atLeast(1)]));

/** The slowest one of twenty may take so long; for a name like `ack` the variable is `ACK_P95`. */
export const within = (limits) => Object.fromEntries(Object.entries(limits).map(([name, otherwise]) => {
  const limit = duration(`${name.toUpperCase()}_P95`, otherwise);
  return [`${name}_time`, [`p(95)<${limit}`]];
}));
