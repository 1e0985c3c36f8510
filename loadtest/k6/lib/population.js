// Who takes part in a run and where: users in conversations of `GROUP`, `SOCKETS` of them played by one VU; when they
// begin, and what the run leaves behind.
import exec from 'k6/execution';

import { sleep } from './clock.js';
import { Member } from './member.js';
import { metrics } from './metrics.js';
import { createConversations, removeAll } from './rest.js';
import * as settings from './settings.js';

const range = (length) => Array.from({ length }, (_, index) => index);

const userId = (run, index) => `${run}-u${index}`;
const conversationId = (run, index) => `${run}-c${Math.floor(index / settings.group)}`;

/** How many users there are. */
export const users = (vus) => vus * settings.sockets;

/** How many of them are not the first of their conversation. */
export const followers = (vus) => users(vus) - Math.ceil(users(vus) / settings.group);

/** Time to connect `users` users in, so that an address stays below the default limit of 50 new sessions a second. */
export const rampUp = (vus) => settings.duration('RAMP', `${Math.ceil((users(vus) / 40) * 1000)}ms`);

/** One iteration for each VU, which has to be through after `length` milliseconds of intended work. */
export function options(vus, length, thresholds) {
  const slack = settings.connectDeadline + 2 * settings.sendDeadline + settings.grace;
  return {
    scenarios: {
      users: { executor: 'per-vu-iterations', vus, iterations: 1, maxDuration: `${Math.ceil(length + slack)}ms`, gracefulStop: '5s' },
    },
    thresholds,
    setupTimeout: '15m',
    teardownTimeout: '15m',
    summaryTrendStats: ['min', 'med', 'avg', 'p(95)', 'p(99)', 'max', 'count'],
    insecureSkipTLSVerify: __ENV.INSECURE_SKIP_TLS_VERIFY === 'yes',
  };
}

/** The conversations, with those who take part. */
function cast(run, vus) {
  const conversations = new Map();
  for (const index of range(users(vus))) {
    const id = conversationId(run, index);
    if (!conversations.has(id)) conversations.set(id, { id, participants: [] });
    conversations.get(id).participants.push(userId(run, index));
  }
  return [...conversations.values()];
}

/** Makes the conversations; what it returns is the `data` of the others. Each VU gets a copy, so it is small. */
export function prepare(vus) {
  const { run } = settings;
  createConversations(cast(run, vus));
  return { run, startAt: Date.now() };
}

/** Removes what the run has made. */
export function tidy({ run }, vus) {
  if (!settings.keep) removeAll(cast(run, vus));
}

/**
 * Plays all users of this VU, who begin one after the other over `ramp` milliseconds: each connects, joins, lives with
 * `life({member, user, conversation, place})`, where `place` is that within the conversation, and waits for what is under
 * way. Who fails is told and is not counted as `finished`.
 */
export async function play({ run, startAt }, vus, ramp, life) {
  const first = (exec.vu.idInTest - 1) * settings.sockets;
  await Promise.all(range(settings.sockets).map(async (socket) => {
    const index = first + socket;
    await sleep(startAt + (ramp * index) / users(vus) - Date.now());
    await playOne(userId(run, index), conversationId(run, index), index % settings.group, life);
  }));
}

async function playOne(user, conversation, place, life) {
  const member = new Member(user);
  try {
    await member.enter(conversation);
    await life({ member, user, conversation, place });
    await member.settle(conversation);
    metrics.finished.add(1);
  } catch (error) {
    console.error(`${user}: ${error.code === undefined ? error.stack : error.message}`);
  } finally {
    member.close();
  }
}
