// The page at /try in a real browser: two clients in two panes, by both transports, with tokens that are good and not.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';

import { Browser } from '../harness/browser.js';
import { Stack, UNLIMITED } from '../harness/stack.js';
import { until } from '../harness/wait.js';

let stack;
let browser;
let page;

before(async () => {
  stack = await Stack.start({
    name: 'try_page',
    gateways: 2,
    nginx: true,
    gatewayEnv: { ...UNLIMITED, PARLANCE__SERVER__TRY_PAGE: 'true', PARLANCE__GATEWAY__DIALECTS: 'all' },
  });
  browser = await Browser.start();
});
after(async () => {
  await browser?.stop();
  await stack?.stop();
});
afterEach(async () => {
  await page?.close();
  assert.deepEqual(browser.faults.splice(0), [], 'nothing goes wrong in the page');
});

const open = async (fragment = '') => (page = await browser.open(`${stack.nginx.url}/try${fragment}`));

/** One of the panes. */
class Pane {
  constructor(name) {
    this.root = `#pane-${name}`;
  }

  fill(fields) {
    return page.evaluate(
      (root, fields) => {
        for (const [name, value] of Object.entries(fields)) {
          const field = document.querySelector(`${root} [name="${name}"]`);
          field.value = value;
          field.dispatchEvent(new Event('change', { bubbles: true }));
        }
      },
      this.root,
      fields,
    );
  }

  click(selector) {
    return page.click(`${this.root} ${selector}`);
  }

  do(command) {
    return this.click(`[data-command="${command}"]`);
  }

  text(selector) {
    return page.$eval(`${this.root} ${selector}`, (element) => element.textContent);
  }

  is(state) {
    return until(`the pane is ${state}`, async () => (await this.text('.status')) === state);
  }

  /** What the log has: `{direction, name, values}` in its order. */
  log() {
    return page.$$eval(`${this.root} .log li`, (items) =>
      items.map((item) => ({
        direction: item.className,
        at: item.querySelector('time').dateTime,
        name: item.querySelector('.name').textContent,
        values: [...item.querySelectorAll('code')].map((code) => JSON.parse(code.textContent)),
      })),
    );
  }

  /** Waits for an entry. */
  logged(direction, name, fits = () => true) {
    return until(`${direction} ${name} is logged`, async () =>
      (await this.log()).find((entry) => entry.direction === direction && entry.name === name && fits(...entry.values)),
    );
  }

  async connect(fields) {
    await this.fill(fields);
    await this.click('[name="connect"]');
  }
}

const pages = { one: new Pane('one'), two: new Pane('two') };

for (const transport of ['websocket', 'polling']) {
  test(`what one pane sends the other sees (${transport})`, async () => {
    const conversation = await stack.conversation(`both-${transport}`, 'alice', 'bob');
    await open(`#one=${stack.token('alice')}&two=${stack.token('bob')}`);
    assert.equal(page.url(), `${stack.nginx.url}/try`, 'no token stays in the address');
    for (const pane of Object.values(pages)) {
      await pane.connect({ transport, dialect: 'native', conversation });
      await pane.is('connected');
      await pane.do('conversation.join');
      await pane.logged('received', 'acknowledgement of conversation:join', ({ ok }) => ok);
    }
    const { one, two } = pages;
    await one.fill({ content: 'Grüße ✓' });
    await one.do('message.send');
    const sent = await one.logged('sent', 'message:send');
    assert.deepEqual(sent.values, [{ conversationId: conversation, content: 'Grüße ✓' }]);
    const { values: [message], at } = await two.logged('received', 'message:created');
    assert.equal(message.content, 'Grüße ✓');
    assert.equal(message.sender.name, 'Alice');
    assert.ok(Math.abs(Date.parse(at) - Date.now()) < 60_000);

    await two.do('typing.start');
    await one.logged('received', 'typing:started', ({ userId }) => userId === 'bob');
    await two.do('reaction.toggle');
    await one.logged('received', 'reaction:updated', ({ messageId }) => messageId === message.id);
    await one.do('echo');
    await one.logged('received', 'acknowledgement of echo', ({ ok }) => ok);

    await two.click('[name="disconnect"]');
    await two.is('not connected');
    await page.waitForSelector(`${two.root} [name="connect"]:enabled`);
  });

  test(`an event that is typed in is sent as it is (${transport})`, async () => {
    await open();
    const { one } = pages;
    await one.connect({ transport, token: stack.token('alice') });
    await one.is('connected');
    await one.click('summary');
    await one.fill({ event: 'no:such', arguments: '[{"a": 1}, "two"]' });
    await one.click('[name="emit"]');
    const answer = await one.logged('received', 'acknowledgement of no:such');
    assert.equal(answer.values[0].error.code, 'unknown_event');
    assert.deepEqual((await one.logged('sent', 'no:such')).values, [{ a: 1 }, 'two']);
    await one.fill({ arguments: '{"a": 1}' });
    await one.click('[name="emit"]');
    const said = await page.$eval(`${one.root} [name="arguments"]`, (field) => field.validationMessage);
    assert.match(said, /JSON list/);
  });

  test(`a token that is not valid is shown as such (${transport})`, async () => {
    await open();
    const refused = {
      '': ['token_missing', 'there is no token'],
      'open sesame': ['token_malformed', 'what stands in the field is no token'],
      [`${stack.token('alice')}x`]: ['token_invalid', 'the token is not valid'],
      [stack.token('alice', { exp: 1 })]: ['token_expired', 'the token has expired'],
    };
    for (const [token, [code, meaning]] of Object.entries(refused)) {
      await pages.one.connect({ transport, dialect: 'native', token });
      await pages.one.logged('note', `connect_error: ${code}`);
      const selector = '.failure:not([hidden])';
      assert.equal(await pages.one.text(selector), `Connection refused: ${code} (${meaning})`);
      await pages.one.is('not connected');
    }
    await pages.two.connect({ transport, dialect: 'clinic', token: 'open sesame' });
    await pages.two.logged('note', 'connect_error: Invalid token format');
    assert.match(await pages.two.text('.failure'), /Invalid token format \(what stands in the field is no token\)/);
  });
}

test('two dialects meet, each in its own words, and what one lacks is said', async () => {
  const conversation = await stack.conversation('meeting', 'alice', 'bob');
  await open(`#one=${stack.token('alice')}&two=${stack.token('bob')}`);
  const { one, two } = pages;
  await one.connect({ dialect: 'rooms', conversation });
  await one.is('connected');
  await one.do('conversation.join');
  await one.logged('received', 'room-joined');
  await page.waitForSelector(`${one.root} [data-command="reaction.toggle"]:disabled`);
  assert.match(await one.text('.reasons'), /React: no message to react to yet/);
  await two.connect({ dialect: 'clinic', transport: 'polling', conversation });
  await two.is('connected');
  const reasons = await two.text('.reasons');
  assert.match(reasons, /Join: clinic has no event for conversation\.join/);
  assert.match(reasons, /Echo: clinic has no event for echo/);
  for (const command of ['echo', 'conversation.join', 'reaction.toggle']) {
    await page.waitForSelector(`${two.root} [data-command="${command}"]:disabled`);
  }
  await two.fill({ content: 'from the clinic' });
  await two.do('message.send');
  assert.deepEqual((await two.logged('sent', 'send_message')).values, [{ text: 'from the clinic' }]);
  const { values: [{ id, content }] } = await one.logged('received', 'message:new');
  assert.equal(content, 'from the clinic');
  await one.do('reaction.toggle');
  const { values: [reaction] } = await one.logged('sent', 'react');
  assert.deepEqual(reaction, { messageId: id, emoji: '👍' });
  await one.logged('received', 'reaction:update', ({ messageId }) => messageId === id);
});

test('what others say is shown and never run', async () => {
  const conversation = await stack.conversation('hostile', 'alice', 'bob');
  await open(`#one=${stack.token('alice')}&two=${stack.token('bob')}`);
  for (const pane of Object.values(pages)) {
    await pane.connect({ conversation });
    await pane.is('connected');
    await pane.do('conversation.join');
    await pane.logged('received', 'acknowledgement of conversation:join', ({ ok }) => ok);
  }
  const content = '<img src=x onerror="document.title = 1"><script>document.title = 2</script>';
  await pages.one.fill({ content });
  await pages.one.do('message.send');
  await pages.two.logged('received', 'message:created', (message) => message.content === content);
  assert.equal(await page.$$eval('.log img, .log script', (found) => found.length), 0);
  assert.equal(await page.title(), 'Try Parlance');
});
