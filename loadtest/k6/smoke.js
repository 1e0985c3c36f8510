// Smoke: two users use every command of the native protocol once, and one of them comes back after a break. It proves
// that a deployment works from end to end, in seconds and without load. It judges no times.
import { check } from 'k6';

import { until } from './lib/clock.js';
import { COMMANDS } from './lib/commands.js';
import { Member } from './lib/member.js';
import { answering, metrics, recovering, sound } from './lib/metrics.js';
import { createConversations, notify, removeAll } from './lib/rest.js';
import * as settings from './lib/settings.js';

export const options = {
  scenarios: { smoke: { executor: 'per-vu-iterations', vus: 1, iterations: 1, maxDuration: '3m', gracefulStop: '5s' } },
  thresholds: { ...sound(2), ...recovering(1), ...answering(COMMANDS), checks: ['rate==1'], caught_up: ['count==3'] },
  insecureSkipTLSVerify: __ENV.INSECURE_SKIP_TLS_VERIFY === 'yes',
};

export function setup() {
  const { run } = settings;
  const cast = { alice: `${run}-alice`, bob: `${run}-bob`, conversation: `${run}-smoke` };
  createConversations([{ id: cast.conversation, participants: [cast.alice, cast.bob] }]);
  notify(cast.bob, { type: 'smoke', text: 'a notification of the smoke test' });
  return cast;
}

export function teardown({ alice, bob, conversation }) {
  if (!settings.keep) removeAll([{ id: conversation, participants: [alice, bob] }]);
}

export default async function (cast) {
  const { conversation } = cast;
  const both = [new Participant(cast.alice), new Participant(cast.bob)];
  try {
    for (const one of both) await one.enter(conversation);
    for (const part of [session, conversations, messages, reactions, receipts, presence, calls, notifications, comingBack]) {
      await part(...both, conversation);
    }
    for (const one of both) {
      await one.settle(conversation);
      await one.must('conversation:leave', { conversationId: conversation });
      metrics.finished.add(1);
    }
  } finally {
    for (const one of both) one.close();
  }
}

/** A user who keeps what he is told, to look whether it is what he should be. */
class Participant extends Member {
  #inbox;

  constructor(user) {
    const inbox = [];
    super(user, { onEvent: (name, payload) => inbox.push({ name, payload }) });
    this.#inbox = inbox;
  }

  /** The answer to a command that must succeed. */
  async must(name, payload) {
    const reply = await this.command(name, payload);
    if (!reply?.ok) throw new Error(`${name} of ${this.user} has failed`);
    return reply;
  }

  /** Checks that an event that fits comes, or has come. */
  async told(name, fits) {
    const event = await until(() => this.#inbox.find((one) => one.name === name && fits(one.payload)), settings.grace);
    check(event, { [`is told ${name}`]: (found) => found !== undefined });
  }
}

async function session(alice) {
  const { echo } = await alice.must('echo', { any: ['thing', 1] });
  const { time } = await alice.must('ping');
  const { expiresAt } = await alice.must('session:authenticate', { token: alice.token() });
  check({ echo, time, expiresAt }, {
    'echo answers with the same': () => JSON.stringify(echo) === '{"any":["thing",1]}',
    'ping answers with the time': () => time !== undefined,
    'a newer token is accepted': () => expiresAt !== undefined,
  });
  await alice.told('session:ready', ({ userId }) => userId === alice.user);
}

async function conversations(alice, bob, conversationId) {
  const got = await alice.must('conversation:get', { conversationId });
  const list = await alice.must('conversation:list', { limit: 10 });
  const participants = await bob.must('participant:list', { conversationId });
  const members = await bob.must('member:list', { conversationId });
  const { user } = await alice.must('user:get', { userId: bob.user });
  check(got, {
    'the conversation is there': ({ conversation }) => conversation.id === conversationId,
    'it is in the list': () => list.conversations.some(({ id }) => id === conversationId),
    'two take part': () => participants.participants.length === 2,
    'two are there': () => members.memberCount === 2,
    'the other is known': () => user.id === bob.user,
  });
  await alice.told('member:joined', ({ userId }) => userId === bob.user);
}

async function messages(alice, bob, conversationId) {
  const sent = await alice.send(conversationId, 'helo');
  const { id: messageId } = sent;
  await bob.told('message:created', ({ id }) => id === messageId);
  const edited = await alice.must('message:edit', { messageId, content: 'hello' });
  await bob.told('message:edited', ({ id, content }) => id === messageId && content === 'hello');
  const got = await bob.must('message:get', { messageId });
  const history = await bob.must('message:history', { conversationId, limit: 10 });
  const slip = await alice.send(conversationId, 'not for here');
  const deleted = await alice.must('message:delete', { messageId: slip.id });
  await bob.told('message:deleted', ({ id }) => id === slip.id);
  check(edited.message, {
    'an edited message says so': ({ content, editedAt }) => content === 'hello' && editedAt !== undefined,
    'a message can be read': () => got.message.content === 'hello',
    'it is in the history': () => history.messages.some(({ id }) => id === messageId),
    'a message taken back is empty': () => deleted.message.content === '' && deleted.message.deletedAt !== undefined,
  });
}

async function reactions(alice, bob, conversationId) {
  const { id: messageId } = await alice.send(conversationId, 'lunch?');
  const added = await bob.must('reaction:add', { messageId, emoji: '👍' });
  await alice.told('reaction:updated', (event) => event.messageId === messageId && event.active);
  const removed = await bob.must('reaction:remove', { messageId, emoji: '👍' });
  const toggled = await bob.must('reaction:toggle', { messageId, emoji: '❤️' });
  check(added, {
    'a reaction is added': ({ active }) => active === true,
    'a reaction is removed': () => removed.active === false && removed.reactions.length === 0,
    'a reaction is toggled': () => toggled.active === true && toggled.reactions[0].emoji === '❤️',
  });
}

async function receipts(alice, bob, conversationId) {
  const { seq } = await alice.send(conversationId, 'read this');
  await bob.must('receipt:delivered', { conversationId, seq });
  await alice.told('receipt:delivered', (event) => event.userId === bob.user && event.seq >= seq);
  await bob.must('receipt:read', { conversationId, seq });
  await alice.told('receipt:read', (event) => event.userId === bob.user && event.seq >= seq);
  await bob.must('typing:start', { conversationId });
  await alice.told('typing:started', ({ userId }) => userId === bob.user);
  await bob.must('typing:stop', { conversationId });
  await alice.told('typing:stopped', ({ userId }) => userId === bob.user);
}

async function presence(alice, bob) {
  const set = await bob.must('presence:set', { status: 'busy' });
  await alice.told('presence:changed', ({ userId, status }) => userId === bob.user && status === 'busy');
  // Others may be kept from asking for anybody's presence (`gateway.presence_readers`); nobody is from his own.
  const { presences } = await bob.must('presence:get', { userIds: [bob.user] });
  check(set, {
    'a status is set': (answer) => answer.presence.status === 'busy',
    'a presence can be read': () => presences.length === 1 && presences[0].status === 'busy',
  });
}

async function calls(alice, bob, conversationId) {
  const { call } = await alice.must('call:start', { conversationId, type: 'video' });
  const { id: callId } = call;
  await bob.told('call:started', ({ id }) => id === callId);
  const answered = await bob.must('call:answer', { callId });
  await alice.told('call:answered', ({ id }) => id === callId);
  await alice.must('call:signal', { callId, to: bob.user, payload: { sdp: 'an offer' } });
  await bob.told('call:signal', (event) => event.callId === callId && event.payload.sdp === 'an offer');
  const got = await bob.must('call:get', { callId });
  const ended = await alice.must('call:end', { callId });
  await bob.told('call:ended', ({ id }) => id === callId);
  check(call, {
    'a call rings': ({ status }) => status === 'ringing',
    'a call is answered': () => answered.call.status === 'ongoing',
    'a call can be read': () => got.call.id === callId,
    'a call ends': () => ended.call.status === 'ended',
  });
}

async function notifications(alice, bob) {
  const list = await bob.must('notification:list', { unread: true });
  const one = list.notifications.find(({ type }) => type === 'smoke');
  check(one, { 'the notification is in the list': (found) => found !== undefined });
  const { marked } = await bob.must('notification:read', { notificationIds: [one.id] });
  check(marked, { 'a notification is marked as read': (count) => count === 1 });
}

/** Bob loses his connection, and is told what was said meanwhile when he is back. */
async function comingBack(alice, bob, conversationId) {
  bob.drop();
  const missed = [];
  for (const content of ['one', 'two', 'three']) missed.push(await alice.send(conversationId, content));
  bob.comeBack();
  for (const { id } of missed) await bob.told('message:created', (event) => event.id === id);
}
