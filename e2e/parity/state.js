// The states in which commands are compared, and the stack that they are made in.
import { Stack, UNLIMITED } from '../harness/stack.js';
import { until } from '../harness/wait.js';

export const CLAIMS = { mod: { role: 'moderator' } };

export let stack;
/** Those who are connected, by their names. */
export const people = {};

/** Starts everything, and answers the state that nothing changes. */
export async function start() {
  const gatewayEnv = { ...UNLIMITED, PARLANCE__GATEWAY__RECEIPTS_INTERVAL: '10ms' };
  stack = await Stack.start({ name: 'parity', gatewayEnv, workerEnv: { PARLANCE__CALLS__RING_TIMEOUT: '1h' } });
  for (const name of ['alice', 'bob', 'carol', 'mod', 'lisa', 'nina']) {
    people[name] = await stack.member(name, { claims: CLAIMS[name] });
  }
  return sharedState();
}

/** A conversation in which bob hears everything. */
export async function room(id) {
  await stack.conversation(id, 'alice', 'bob', 'mod');
  await people.bob.join(id);
  return { c: id };
}

export const said = (user, ...contents) => async (id) => {
  const state = { ...(await room(id)), messages: [] };
  for (const content of contents) state.messages.push(await people[user].say(id, content));
  return { ...state, m: state.messages[0]?.id };
};

/** After `prepare`, commands that make the state what it should be. */
export const then = (prepare, ...commands) => async (id) => {
  const state = await prepare(id);
  for (const [user, event, payload] of commands) await people[user].must(event, payload(state));
  return state;
};

export const rung = (user, ...commands) => async (id) => {
  const state = await room(id);
  state.call = (await people[user].must('call:start', { conversationId: id })).call.id;
  for (const [by, event] of commands) await people[by].must(event, { callId: state.call });
  return state;
};

/** A user with three notifications, of whom the second is read. */
export async function notified(id) {
  const notifications = [];
  for (const text of ['one', 'two', 'three']) {
    notifications.push((await stack.rest().expect(201, 'POST', `/v1/users/${id}/notifications`, { type: 'news', text })).id);
  }
  people[id] ??= await stack.member(id);
  await people[id].must('notification:read', { notificationIds: [notifications[1]] });
  return { as: id, notifications };
}

async function sharedState() {
  const c = await room('shared').then((state) => state.c);
  await stack.conversation('foreign', 'bob', 'carol');
  await stack.conversation('odd /?#%25&+ü', 'alice');
  await stack.rest('bob').expect(201, 'PUT', '/v1/users/zoe', { name: 'Zoe', email: 'zoe@example.org', role: 'guest' });
  for (const id of ['list-1', 'list-2', 'list-3']) {
    await stack.conversation(id, 'bob', 'lisa');
    await people.bob.say(id, `in ${id}`);
  }
  await people.lisa.must('receipt:read', { conversationId: 'list-2', seq: 1 });

  const { alice, bob } = people;
  const messages = [];
  for (let n = 1; n <= 8; n += 1) {
    const more = n === 2 ? { replyTo: messages[0].id, metadata: { n }, attachments: [{ url: 'u' }], clientId: 'second' } : {};
    messages.push(await (n % 2 ? alice : bob).say(c, `message ${n}`, more));
  }
  const [m, ofBob, gone, full] = messages.map(({ id }) => id);
  await alice.must('message:delete', { messageId: gone });
  await bob.must('message:edit', { messageId: ofBob, content: 'edited' });
  await alice.must('reaction:add', { messageId: m, emoji: '👍' });
  await bob.must('reaction:add', { messageId: m, emoji: '👍' });
  for (let n = 0; n < 50; n += 1) await bob.must('reaction:add', { messageId: full, emoji: `e${n}` });
  await bob.must('receipt:read', { conversationId: c, seq: 3 });
  await bob.must('receipt:delivered', { conversationId: c, seq: 5 });

  const ring = async (user, conversationId) => (await people[user].must('call:start', { conversationId })).call.id;
  const [ringing, ended, alone] = [await ring('bob', c), await ring('bob', c), await ring('alice', c)];
  await alice.must('call:answer', { callId: ended });
  await bob.must('call:end', { callId: ended });
  const foreign = { c: 'foreign', m: (await bob.say('foreign', 'not for alice')).id, call: await ring('bob', 'foreign') };
  const { notifications } = await notified('nina');
  await settled(c);
  const cursor = async (user, event, payload) => (await people[user].must(event, payload)).nextCursor;
  const cursors = {
    conversations: await cursor('lisa', 'conversation:list', { limit: 1 }),
    participants: await cursor('alice', 'participant:list', { conversationId: c, limit: 1 }),
    notifications: await cursor('nina', 'notification:list', { limit: 1 }),
    history: await cursor('alice', 'message:history', { conversationId: c, limit: 2 }),
  };
  return { c, messages, m, ofBob, gone, full, ringing, ended, alone, foreign, notifications, cursors };
}

/** Waits until Postgres has what was done, so that whoever reads now and later reads the same. */
async function settled(c) {
  await until('the shared state is persisted', async () => {
    const [{ messages, reactions, calls, known, read, listed }] = await stack.database.rows(`SELECT
      (SELECT count(*)::int FROM messages WHERE conversation_id = '${c}') AS messages,
      (SELECT count(*)::int FROM reactions) AS reactions,
      (SELECT count(*)::int FROM calls) AS calls,
      (SELECT count(*)::int FROM users WHERE id IN ('alice', 'bob', 'carol', 'mod', 'lisa', 'nina')) AS known,
      (SELECT min(read_seq)::int FROM participants WHERE (conversation_id, user_id) IN (('${c}', 'bob'), ('list-2', 'lisa'))) AS read,
      (SELECT count(*)::int FROM messages WHERE conversation_id LIKE 'list-%') AS listed`);
    return messages === 8 && reactions === 52 && calls === 4 && known === 6 && read === 1 && listed === 3;
  });
  await until('cursors are persisted', async () => {
    const { messages } = await people.alice.must('message:history', { conversationId: c });
    return messages[0].status === 'read' && messages[4].status === 'delivered';
  });
}
