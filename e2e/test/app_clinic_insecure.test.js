// The clinic application's older clients, which have no token: served where the operator says so.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';

import { AppClient, closeAppClients } from '../harness/app_client.js';
import { Applications } from '../harness/applications.js';

let apps;

before(async () => {
  apps = await Applications.start('app_clinic_insecure', { insecure: ['clinic'] });
  await apps.rest('doc').createConversation('relation', ['doc', 'pat']);
});

afterEach(closeAppClients);
after(async () => apps?.stop());

const connect = (auth, more = {}) => new AppClient(`${apps.url}/clinic`, { auth, transports: ['polling', 'websocket'], ...more });

test('they say who they are and which relation it is', async () => {
  const pat = connect({ relationId: 'relation', userId: 'pat' });
  assert.equal((await pat.told('connected')).userId, 'pat');
  const doc = connect({}, { query: { relationId: 'relation', userId: 'doc' } });
  await doc.told('connected');
  pat.emit('send_message', { text: 'hi' });
  assert.equal((await doc.told('new_message')).message.text, 'hi');
});

test('who says too little, or takes no part, is refused', async () => {
  const texts = [
    [{}, 'Missing token'],
    [{ relationId: 'relation' }, 'Missing relationId or userId'],
    [{ userId: 'pat' }, 'Missing relationId or userId'],
    [{ relationId: 'relation', userId: 'eve' }, 'Unauthorized'],
    [{ relationId: 'nowhere', userId: 'pat' }, 'Relation not found'],
    [{ relationId: 'relation', userId: 'pat', token: 'bad' }, 'Invalid token format'],
  ];
  for (const [auth, text] of texts) assert.equal(await connect(auth).refused(), text, JSON.stringify(auth));
});

test('the other dialects of the same gateways stay as they are', async () => {
  const rooms = new AppClient(`${apps.url}/rooms`, { auth: { userId: 'pat' } });
  assert.equal(await rooms.refused(), 'Authentication token required');
});
