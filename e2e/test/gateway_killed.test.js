// A gateway is killed: its clients come back at the other one by themselves and read what they missed.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { connectionsTo } from '../harness/connections.js';
import { Stack, UNLIMITED } from '../harness/stack.js';
import { until } from '../harness/wait.js';

let stack;

before(async () => {
  stack = await Stack.start({ name: 'gateway_killed', nginx: true, gatewayEnv: UNLIMITED });
});
after(() => stack?.stop());

test('the clients of a killed gateway reconnect to the other one and catch up by history', async () => {
  const names = ['bob', 'carol', 'dave', 'erin'];
  const conversation = await stack.conversation('killed', 'alice', ...names);
  const members = await Promise.all(names.map((user) => stack.member(user, { url: stack.nginx.url })));
  await Promise.all(members.map((member) => member.join(conversation)));

  // Through nginx they share an address, hence a gateway; Alice is at the other one.
  const loads = await Promise.all(stack.gateways.map(({ port }) => connectionsTo(port)));
  const doomed = stack.gateways[loads.indexOf(Math.max(...loads))];
  const other = stack.gateways.find((gateway) => gateway !== doomed);
  const alice = await stack.member('alice', { url: other.url });
  await alice.join(conversation);

  // What an application does: on every connection it joins, then reads from the last message that it has.
  const has = new Map(members.map((member) => [member, []]));
  const caughtUp = new Map();
  for (const member of members) {
    const add = (message) => {
      const messages = has.get(member);
      if (!messages.some(({ id }) => id === message.id)) messages.push(message);
    };
    member.socket.on('message:created', add);
    member.socket.on('connect', async () => {
      const last = Math.max(0, ...has.get(member).map(({ seq }) => seq));
      await member.join(conversation);
      for (const message of await member.historyAfter(conversation, last)) add(message);
      caughtUp.set(member, true);
    });
  }

  const sent = [];
  const say = async () => sent.push(await alice.say(conversation, `number ${sent.length}`));
  for (let number = 0; number < 20; number += 1) await say();
  await until('everybody has the first 20', () => members.every((member) => has.get(member).length === 20));
  await doomed.program.kill();
  // The talk does not wait for them.
  await until('everybody is back', async () => {
    await say();
    return members.every((member) => caughtUp.get(member));
  }, 30_000);
  for (let number = 0; number < 20; number += 1) await say();

  for (const member of members) {
    await until(`${member.user} has all ${sent.length}`, () => has.get(member).length >= sent.length);
    const messages = has.get(member).sort((a, b) => a.seq - b.seq);
    assert.deepEqual(messages.map(({ id, content }) => ({ id, content })), sent.map(({ id, content }) => ({ id, content })));
    assert.deepEqual(member.disconnects, ['transport close'], 'the client reconnects by itself');
  }
  assert.deepEqual([alice.connects, alice.disconnects], [1, []], 'nobody else notices');
});
