// Puts two panes on the page. Tokens can stand in the fragment of the address, `#one=…&two=…`: browsers send it to nobody.

import { Pane } from './pane.js';

const NAMES = ['one', 'two'];

async function start() {
  const answer = await fetch('/try/dialects.json', { cache: 'no-store' });
  if (!answer.ok) throw new Error(`the dialects could not be read: status ${answer.status}`);
  const catalog = await answer.json();
  const tokens = new URLSearchParams(window.location.hash.slice(1));
  // What is in the address is in the history and on the screen.
  if (window.location.hash) window.history.replaceState(null, '', window.location.pathname);
  const template = document.getElementById('pane');
  for (const name of NAMES) {
    const pane = template.content.cloneNode(true).firstElementChild;
    document.getElementById('panes').append(pane);
    new Pane(pane, { name, catalog, token: tokens.get(name) ?? '' });
  }
}

start().catch((error) => {
  const failure = document.getElementById('failure');
  failure.textContent = error.message;
  failure.hidden = false;
});
