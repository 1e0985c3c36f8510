// Gateways are replaced one after the other while people talk: every client moves by itself, and nothing is lost. The same
// through nginx and through haproxy.
import assert from 'node:assert/strict';
import { Agent } from 'node:http';
import { after, before, describe, test } from 'node:test';

import { connectionsTo } from '../harness/connections.js';
import { assertSameOrder } from '../harness/order.js';
import { Stack, UNLIMITED } from '../harness/stack.js';
import { Talker } from '../harness/talker.js';
import { until } from '../harness/wait.js';

const WINDOW = 500;
const SPREAD = 8000;

const fronts = {
  nginx: { PARLANCE__DRAIN__ANNOUNCE: '0s' },
  // Longer than the interval at which haproxy asks.
  haproxy: { PARLANCE__DRAIN__ANNOUNCE: '1500ms' },
};

const transports = [['websocket'], ['polling'], ['polling', 'websocket']];

/** As an unmodified client in a browser has it: it keeps cookies, and waits as long as it does by itself before it comes back. */
const likeABrowser = (from) => ({
  withCredentials: true,
  agent: new Agent({ localAddress: from, keepAlive: true }),
  reconnectionDelay: 1000,
  reconnectionDelayMax: 5000,
});

for (const [front, drain] of Object.entries(fronts)) {
  describe(`through ${front}`, () => {
    let stack;
    let url;

    before(async () => {
      const gatewayEnv = { ...UNLIMITED, ...drain, PARLANCE__DRAIN__SPREAD: `${SPREAD}ms` };
      stack = await Stack.start({ name: `rolling_restart_${front}`, [front]: true, gatewayEnv });
      url = stack[front].url;
    });
    after(() => stack?.stop());

    test('polling clients with a cookie stay at their gateway for 100 requests and move cleanly when it drains', async () => {
      const requestsOf = (from) => stack[front].requests().filter(({ address, path }) => address === from && path.includes('socket.io'));
      const clients = [];
      for (let number = 1; number <= 6; number += 1) {
        const from = `127.0.7.${number}`;
        const member = await stack.member(`polls ${number}`, { url, transports: ['polling'], ...likeABrowser(from) });
        while (requestsOf(from).length < 100) await member.must('echo', number);
        const requests = requestsOf(from);
        assert.deepEqual(new Set(requests.map(({ status }) => status)), new Set(['200']));
        assert.deepEqual(new Set(requests.slice(1).map(({ cookie }) => cookie)), new Set(['yes']));
        assert.equal(new Set(requests.map(({ upstream }) => upstream)).size, 1, 'all reach one gateway');
        clients.push({ member, from, upstream: requests[0].upstream, before: requests.length });
      }

      const drained = stack.gateways.find(({ port }) => clients[0].upstream.endsWith(`:${port}`));
      await stack.replaceGateway(drained);
      for (const { member, from, upstream, before } of clients) {
        await until(`${member.user} is connected`, () => member.socket.connected);
        assert.deepEqual((await member.must('echo', 'back')).echo, 'back');
        const moves = upstream.endsWith(`:${drained.port}`);
        assert.deepEqual(member.disconnects, moves ? ['transport close'] : []);
        assert.deepEqual(new Set(requestsOf(from).slice(before).map(({ status }) => status)), new Set(['200']), from);
        member.close();
      }
    });

    test('both gateways are replaced while 60 clients talk', async () => {
      const rooms = await Promise.all(Array.from({ length: 6 }, async (_, number) => {
        const users = Array.from({ length: 10 }, (__, place) => `talker ${number}-${place}`);
        return { id: await stack.conversation(`room ${number}`, ...users), users };
      }));
      const talkers = [];
      for (const { id, users } of rooms) {
        for (const user of users) {
          const number = talkers.length;
          const options = { transports: transports[number % 3], ...likeABrowser(`127.0.8.${number + 1}`) };
          talkers.push(await Talker.connect(url, user, stack.token(user), id, options));
        }
      }
      const upgraded = ({ socket, transport }) => transport === socket.io.opts.transports.at(-1);
      await until('everybody who wants to has upgraded', () => talkers.every(upgraded));
      const loads = await Promise.all(stack.gateways.map(({ port }) => connectionsTo(port)));
      assert.ok(loads.every((load) => load > 0), `both gateways have clients: ${loads}`);

      const stop = new AbortController();
      const talking = Promise.all(talkers.map((talker) => talker.talk(stop.signal)));
      const said = () => talkers.reduce((sum, { sent }) => sum + sent.length, 0);
      for (const gateway of stack.gateways) {
        const [before, ends] = [said(), talkers.map((talker) => talker.ends.length)];
        await until('everybody talks', () => said() > before + 60);
        await stack.replaceGateway(gateway);
        await until('everybody is connected', () => talkers.every(({ socket }) => socket.connected), 60_000);
        assertSpread(talkers.flatMap((talker, index) => talker.ends.slice(ends[index])));
      }
      stop.abort();
      await talking;

      assert.deepEqual(talkers.flatMap(({ failed }) => failed), [], 'no send failed');
      for (const { user, connects, ends } of talkers) {
        assert.ok(connects > 1, `${user} has moved`);
        assert.ok(ends.every(({ reason }) => reason !== 'io server disconnect'), JSON.stringify(ends));
        const websockets = ends.filter(({ transport }) => transport === 'websocket');
        assert.ok(websockets.every(({ reason }) => reason === 'transport close'), JSON.stringify(ends));
      }
      for (const { id, users } of rooms) {
        const members = talkers.filter(({ user }) => users.includes(user));
        const messages = members.flatMap(({ sent }) => sent).sort((a, b) => a.seq - b.seq);
        assert.deepEqual(messages.map(({ seq }) => seq), messages.map((_, index) => index + 1), 'each message is there once');
        await assertSameOrder(members, id, messages);
      }
      talkers.forEach((talker) => talker.close());
    });
  });
}

/**
 * WebSockets are closed in groups over the whole time. Those of a drain that closed everything at once would end in one
 * window; here it may be three times as many as its share, because the machine has other things to do as well.
 */
function assertSpread(ends) {
  const times = ends.filter(({ transport }) => transport === 'websocket').map(({ at }) => at).sort((a, b) => a - b);
  const within = (begin) => times.filter((at) => at >= begin && at < begin + WINDOW).length;
  const most = Math.max(0, ...times.map(within));
  const share = Math.ceil((times.length * WINDOW) / SPREAD);
  assert.ok(times.length > 3, `${times.length} WebSockets were closed`);
  assert.ok(most <= 3 * share + 1, `${most} of ${times.length} were closed within ${WINDOW} ms`);
}

test('a second SIGTERM ends a drain at once', async () => {
  const gatewayEnv = { ...UNLIMITED, PARLANCE__DRAIN__ANNOUNCE: '20s', PARLANCE__DRAIN__SPREAD: '5s' };
  const stack = await Stack.start({ name: 'second_sigterm', gateways: 1, gatewayEnv });
  const [gateway] = stack.gateways;
  const alice = await stack.member('alice', { reconnection: false });
  gateway.program.signal('SIGTERM');
  await until('it is not ready', async () => !(await fetch(`http://127.0.0.1:${gateway.adminPort}/ready`)).ok);
  assert.equal((await alice.command('ping')).ok, true, 'and serves its clients');
  const begun = Date.now();
  assert.equal((await gateway.program.stop()).code, 0);
  assert.ok(Date.now() - begun < 10_000, `it took ${Date.now() - begun} ms`);
  await until('the connection has ended', () => alice.disconnects.length > 0);
  assert.deepEqual(alice.disconnects, ['transport close']);
  await stack.stop();
});
