// The diet application: its clients join and listen; its backend sends, and its screens read and write by HTTP. Ids of users,
// diets and clients are JSON numbers. The older clients have no token and say by `join` who they are.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';

import { AppClient, TRANSPORTS, closeAppClients } from '../harness/app_client.js';
import { Applications } from '../harness/applications.js';
import { until } from '../harness/wait.js';

const PNG = `data:image/png;base64,${Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), Buffer.alloc(3_000_000, 7)]).toString('base64')}`;

const modes = {
  'with tokens': {
    name: 'app_diet',
    connect: (apps, user, options) => new AppClient(apps.url, { path: '/api/socketio', auth: { token: token(apps, user) }, ...options }),
  },
  'without tokens': {
    name: 'app_diet_insecure',
    insecure: ['diet'],
    connect: (apps, user, options) => new AppClient(apps.url, { path: '/api/socketio', ...options }),
  },
};

const token = (apps, user) => apps.token({ sub: undefined, name: undefined, userId: user });

for (const [mode, { name, insecure, connect: make }] of Object.entries(modes)) {
  test(mode, async (t) => {
    let apps;
    let diets = 100;

    before(async () => {
      apps = await Applications.start(name, { insecure, files: true });
      await apps.rest().expect(201, 'PUT', '/v1/users/7', { name: 'Deniz', role: 'client' });
      await apps.rest().expect(201, 'PUT', '/v1/users/3', { name: 'Dr. Ela', role: 'dietitian' });
    });
    afterEach(closeAppClients);
    after(async () => apps?.stop());

    const connect = (user, { transports = ['websocket', 'polling'], from = apps.place(0) } = {}) => make(apps, user, { transports, from });

    async function diet(...users) {
      diets += 1;
      await apps.rest().expect(201, 'POST', '/v1/conversations', { id: `diet_${diets}`, participants: users.map(String) });
      return diets;
    }

    const metadata = (from) => ({ clientId: 55, from, ogunId: 4, user: { email: 'deniz@mail.example' } });

    for (const [name, { transports }] of Object.entries(TRANSPORTS)) {
      await t.test(`${name}: who joins gets the backend's messages with their metadata`, async () => {
        const dietId = await diet(7, 3);
        const clients = [connect(7, { transports }), connect(3, { transports, from: apps.place(1) })];
        for (const [index, client] of clients.entries()) {
          const userId = [7, 3][index];
          client.emit('join', userId).emit('join_diet', dietId);
          assert.deepEqual(await client.told('joined'), { userId, room: `user_${userId}` });
          assert.deepEqual(await client.told('joined_diet'), { dietId, room: `diet_${dietId}` });
        }
        await apps.rest('7').expect(201, 'POST', `/v1/conversations/diet_${dietId}/messages`, { content: 'Merhaba', metadata: metadata('client') });
        const [seen, own] = await Promise.all(clients.map((client) => client.told('new_message')));
        assert.deepEqual(seen, own);
        const { message } = seen;
        assert.deepEqual({ dietId: seen.dietId, clientId: seen.clientId }, { dietId, clientId: 55 });
        assert.deepEqual(message, {
          clientId: 55, from: 'client', ogunId: 4, id: message.id, content: 'Merhaba', userId: 7, dietId, isRead: false, readAt: null,
          createdAt: message.createdAt, updatedAt: message.createdAt, photos: [],
          user: { id: 7, email: 'deniz@mail.example', name: 'Deniz', role: 'client' },
        });
        assert.equal(new Date(message.createdAt).toISOString(), message.createdAt);
      });
    }

    await t.test('the other party is notified, in the room or not, in the words for who sent it', async () => {
      const dietId = await diet(7, 3);
      const client = connect(7).emit('join', 7);
      const dietitian = connect(3, { from: apps.place(1) }).emit('join', 3).emit('join_diet', dietId);
      await Promise.all([client.told('joined'), dietitian.told('joined_diet')]);
      const path = `/v1/conversations/diet_${dietId}/messages`;
      const { id } = await apps.rest('7').expect(201, 'POST', path, { content: 'a', metadata: metadata('client') });
      const of = (messageId) => ({ data }) => data.messageId === messageId;
      assert.deepEqual(await dietitian.told('new_notification', of(id)), {
        type: 'new_message', message: 'Yeni mesaj: Deniz', data: { messageId: id, dietId, clientId: 55, from: 'client' },
      });
      const { id: answer } = await apps.rest('3').expect(201, 'POST', path, { content: 'b', metadata: metadata('dietitian') });
      assert.deepEqual(await client.told('new_notification', of(answer)), {
        type: 'new_message', message: 'Diyetisyeninizden yeni mesaj', data: { messageId: answer, dietId, clientId: 55, from: 'dietitian' },
      });
      assert.deepEqual(dietitian.events('new_notification').filter(of(answer)), []);
    });

    await t.test('who leaves a diet gets no more of it, and a ping is answered', async () => {
      const dietId = await diet(7, 3);
      const client = connect(7).emit('join', 7).emit('join_diet', dietId);
      await client.told('joined_diet');
      client.emit('leave_diet', dietId);
      await client.ack('ping');
      await client.told('pong');
      const other = await diet(7, 3);
      client.emit('join_diet', other);
      await client.told('joined_diet', (event) => event.dietId === other);
      await apps.rest('3').expect(201, 'POST', `/v1/conversations/diet_${dietId}/messages`, { content: 'unheard' });
      await apps.rest('3').expect(201, 'POST', `/v1/conversations/diet_${other}/messages`, { content: 'heard' });
      const heard = client.told('new_message', ({ message }) => message.content === 'heard');
      await client.notTold('new_message', heard, ({ message }) => message.content === 'unheard');
    });

    await t.test('nobody joins as somebody else, or where he takes no part', async () => {
      const dietId = await diet(3);
      const client = connect(7).emit('join', 7);
      await client.told('joined');
      client.emit('join', 3);
      assert.equal(typeof (await client.told('error')).message, 'string');
      assert.equal((await client.ack('join_diet', dietId)).success, false);
      assert.deepEqual(client.events('joined'), [{ userId: 7, room: 'user_7' }]);
    });

    await t.test('its screens read, write and mark messages by HTTP', async () => {
      const dietId = await diet(7, 3);
      const url = `${apps.url}/api/clients/55/diets/${dietId}/messages`;
      const call = async (user, method, body, at = url) => {
        const headers = { authorization: `Bearer ${token(apps, user)}`, 'content-type': 'application/json' };
        const answer = await fetch(at, { method, headers, body: JSON.stringify(body) });
        return { status: answer.status, body: await answer.json() };
      };
      const dietitian = connect(3).emit('join', 3).emit('join_diet', dietId);
      await dietitian.told('joined_diet');
      const sent = await call(7, 'POST', { content: 'Bugün', ogunId: 4, photos: [{ imageData: PNG }] });
      assert.equal(sent.status, 200, JSON.stringify(sent.body).slice(0, 300));
      assert.equal(sent.body.success, true);
      const { message } = sent.body;
      assert.deepEqual([message.content, message.ogunId, message.userId, message.dietId, message.photos.length], ['Bugün', 4, 7, dietId, 1]);
      const [photo] = message.photos;
      assert.deepEqual(Object.keys(photo).sort(), ['expiresAt', 'id', 'imageData', 'uploadedAt']);
      const told = await dietitian.told('new_message');
      assert.deepEqual(told.message.photos, message.photos);
      assert.equal(told.clientId, 55);
      const picture = await fetch(new URL(photo.imageData, apps.url), { headers: { authorization: `Bearer ${token(apps, 3)}` } });
      assert.deepEqual([picture.status, picture.headers.get('content-type')], [200, 'image/png']);
      assert.equal((await picture.arrayBuffer()).byteLength, 3_000_008);

      await call(7, 'POST', { content: 'Yarın' });
      await until('both are there to be read', async () => {
        const { body } = await call(3, 'GET');
        assert.deepEqual([body.success, body.unreadCount, body.messages.map(({ content }) => content)], [true, 2, ['Bugün', 'Yarın']]);
        assert.deepEqual(body.messages.map(({ isRead }) => isRead), [false, false]);
        return true;
      });
      const { messages } = (await call(3, 'GET')).body;
      assert.deepEqual(await call(3, 'PATCH', { messageIds: messages.map(({ id }) => id) }), { status: 200, body: { success: true, markedCount: 2 } });
      assert.deepEqual((await call(3, 'PATCH', { messageIds: messages.map(({ id }) => id) })).body, { success: true, markedCount: 0 });
      await until('they count as read', async () => {
        const { body } = await call(7, 'GET');
        return body.unreadCount === 0 && body.messages.every(({ isRead }) => isRead);
      });
      assert.equal((await call(3, 'GET')).body.unreadCount, 0);

      const blank = await call(7, 'POST', { content: '  ' });
      assert.deepEqual([blank.status, Object.keys(blank.body)], [400, ['error']]);
      const foreign = await call(9, 'POST', { content: 'hi' });
      assert.deepEqual([foreign.status, Object.keys(foreign.body)], [403, ['error']]);
    });

    await t.test('a user has ten messages a minute, the backend as many as it needs', async () => {
      const dietId = await diet(8, 3);
      const url = `${apps.url}/diet/api/clients/55/diets/${dietId}/messages`;
      const post = async (headers) => {
        const answer = await fetch(url, { method: 'POST', headers: { ...headers, 'content-type': 'application/json' }, body: '{"content":"x"}' });
        return answer.status;
      };
      const statuses = [];
      for (let n = 0; n < 11; n += 1) statuses.push(await post({ authorization: `Bearer ${token(apps, 8)}` }));
      assert.deepEqual(statuses, [...Array(10).fill(200), 429]);
      const backend = apps.rest('8');
      assert.equal(await post({ authorization: `Bearer ${backend.serviceKey}`, 'x-act-as': '8' }), 200);
    });

    await t.test('its status counts the whole cluster', async () => {
      const clients = [connect(7).emit('join', 7), connect(3, { from: apps.place(1) }).emit('join', 3)];
      await Promise.all(clients.map((client) => client.told('joined')));
      await until('both gateways are counted', async () => {
        const { connectedSockets, ...status } = await (await fetch(`${apps.url}/api/socket`)).json();
        assert.deepEqual(status, { success: true, socketInitialized: true, message: 'Socket.IO server is running' });
        return connectedSockets >= 2;
      });
    });

    if (mode === 'with tokens') {
      await t.test('nobody enters without a token', async () => {
        const nobody = new AppClient(apps.url, { path: '/api/socketio', transports: ['websocket'] });
        assert.equal(await nobody.refused(), 'Authentication failed');
      });
    }
  });
}
