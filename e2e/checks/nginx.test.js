// The nginx of docker-compose.yml, as deploy/nginx/start.sh starts it, with gateways on this machine that only say what
// they were asked. Replaced are paths, addresses and ports; and `resolve` goes, which nginx knows since 1.27.3 only.
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { logs, repository } from '../harness/paths.js';
import { freePort } from '../harness/ports.js';
import { Program } from '../harness/program.js';
import { until } from '../harness/wait.js';
import { compose, readEnv } from './compose_file.js';
import { output, settings } from './tools.js';

const NAMES = ['gateway-1', 'gateway-2', 'gateway-3'];
const original = readFileSync(join(repository, 'deploy/nginx/nginx.conf'), 'utf8');

let folder;
let gateways;
let ports;
let nginx;

before(async () => {
  folder = join(logs, 'check_nginx');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  gateways = await Promise.all(NAMES.map(startGateway));
  ports = { plain: await freePort(), tls: await freePort() };
  copyConfiguration();
  await makeCertificate();
  nginx = await startNginx();
});
after(async () => {
  await nginx?.stop('SIGQUIT');
  for (const { server } of gateways ?? []) server.close();
});

function startGateway(name) {
  const server = createServer((asked, answer) => answer.end(JSON.stringify({ name, headers: asked.headers })));
  server.on('upgrade', (asked, socket) => {
    socket.end(`HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: ${asked.headers.upgrade}\r\nX-Name: ${name}\r\n\r\n`);
  });
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve({ name, server, port: server.address().port }));
  });
}

function copyConfiguration() {
  cpSync(join(repository, 'deploy/nginx'), join(folder, 'nginx'), { recursive: true });
  const replacements = {
    '/etc/parlance/nginx': join(folder, 'nginx'),
    '/tmp/parlance': join(folder, 'state'),
    '/dev/stdout': join(folder, 'access.log'),
    'listen 8080': `listen 127.0.0.1:${ports.plain}`,
    'listen 8443': `listen 127.0.0.1:${ports.tls}`,
    // Descriptors that a test may not have; and a folder that only the user of the tests may enter.
    'worker_rlimit_nofile 131072;': process.getuid() === 0 ? 'user root;' : '',
    'worker_connections 32768': 'worker_connections 512',
    'worker_processes auto': 'worker_processes 2',
    ...Object.fromEntries(gateways.map(({ name, port }) => [`${name}:3000 resolve`, `127.0.0.1:${port}`])),
  };
  const words = new RegExp(Object.keys(replacements).join('|'), 'g');
  for (const name of readdirSync(join(folder, 'nginx')).filter((file) => /\.(conf|sh)$/.test(file))) {
    const file = join(folder, 'nginx', name);
    writeFileSync(file, readFileSync(file, 'utf8').replaceAll(words, (word) => replacements[word]));
  }
}

function makeCertificate() {
  const into = join(folder, 'nginx/certificates');
  const subject = ['-subj', '/CN=localhost', '-days', '1', '-nodes', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];
  return output('openssl', ['req', '-x509', ...subject, '-keyout', join(into, 'tls.key'), '-out', join(into, 'tls.crt')]);
}

function startNginx() {
  return Program.start({
    name: 'nginx',
    log: join(folder, 'nginx.log'),
    command: ['sh', join(folder, 'nginx/start.sh')],
    env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` },
    ready: async () => (await ask('/ready')).status === 200,
  });
}

/** `{status, headers, name, asked}`: what the client got, the gateway's name, and the headers that this one saw. */
function ask(path, { headers = {}, tls = false, from = '127.0.0.1' } = {}) {
  const options = { host: '127.0.0.1', port: tls ? ports.tls : ports.plain, path, headers, localAddress: from, agent: false };
  return new Promise((resolve, reject) => {
    const asking = (tls ? httpsRequest : httpRequest)({ ...options, rejectUnauthorized: false }, async (answer) => {
      let body = '';
      for await (const chunk of answer) body += chunk;
      const { name, headers: asked } = answer.statusCode === 200 ? JSON.parse(body) : {};
      resolve({ status: answer.statusCode, headers: answer.headers, name, asked });
    });
    asking.on('upgrade', (answer, socket) => {
      socket.destroy();
      resolve({ status: answer.statusCode, headers: answer.headers, name: answer.headers['x-name'] });
    });
    asking.once('error', reject).end();
  });
}

test('each gateway of docker-compose.yml has its place, at the port where it listens', async () => {
  const env = { JWT_SECRET: 'x', SERVICE_KEY: 'x', POSTGRES_PASSWORD: 'x', GRAFANA_PASSWORD: 'x' };
  const { services } = compose({ ...readEnv(readFileSync(join(repository, '.env.example'), 'utf8')), ...env });
  const names = Object.keys(services).filter((name) => services[name].image.startsWith('parlance-gateway:'));
  const port = (await settings('gateway')).find(({ key }) => key === 'server.port').default;
  const servers = [...original.matchAll(/^ +server (\S+) resolve /gm)].map(([, address]) => address);
  assert.deepEqual(servers, names.map((name) => `${name}:${port}`));
  const inside = services.nginx.ports.map((published) => published.split(':').at(-1));
  const listened = ['nginx.conf', 'tls.conf'].map((name) => {
    return /listen (\d+)/.exec(readFileSync(join(repository, 'deploy/nginx', name), 'utf8'))[1];
  });
  assert.deepEqual(listened, inside);
});

test('an address has one gateway, and addresses are spread over all', async () => {
  const met = new Set();
  for (let host = 1; host <= 30; host += 1) {
    const from = `127.0.1.${host}`;
    const names = await Promise.all(Array.from({ length: 4 }, async () => (await ask('/socket.io/', { from })).name));
    assert.equal(new Set(names).size, 1, from);
    met.add(names[0]);
  }
  assert.deepEqual([...met].sort(), NAMES);
});

test('the cookie leads to the gateway of the first request, whatever the address is by then', async () => {
  for (let host = 1; host <= 12; host += 1) {
    const first = await ask('/socket.io/', { from: `127.0.2.${host}` });
    const [cookie] = first.headers['set-cookie'];
    assert.doesNotMatch(cookie, /Secure/);
    const later = await ask('/socket.io/', { from: '127.0.3.1', headers: { cookie: cookie.split(';')[0] } });
    assert.equal(later.name, first.name);
    assert.equal(later.headers['set-cookie'], undefined);
  }
});

test('an upgrade goes through, with TLS and without', async () => {
  const headers = { connection: 'Upgrade', upgrade: 'websocket' };
  for (const tls of [false, true]) {
    const answer = await ask('/socket.io/', { headers, tls });
    assert.deepEqual([answer.status, answer.headers.upgrade], [101, 'websocket']);
  }
});

test('a gateway learns the client\'s address, host and scheme', async () => {
  const headers = { host: 'chat.example', 'x-forwarded-for': '198.51.100.7' };
  const { asked } = await ask('/', { headers, tls: true, from: '127.0.4.1' });
  assert.equal(asked.host, 'chat.example');
  assert.equal(asked['x-forwarded-for'], '198.51.100.7, 127.0.4.1');
  assert.equal(asked['x-forwarded-proto'], 'https');
  assert.equal((await ask('/')).asked['x-forwarded-proto'], 'http');
  assert.equal(asked.connection, undefined, 'a plain request asks for no upgrade');
});

test('with TLS the cookie is sent back over TLS only', async () => {
  const { headers } = await ask('/', { tls: true });
  assert.match(headers['set-cookie'][0], /; HttpOnly; SameSite=Lax; Secure$/);
});

test('when a gateway is gone, its clients come to others and the others keep theirs', async (context) => {
  const addresses = Array.from({ length: 20 }, (_, host) => `127.0.5.${host + 1}`);
  const where = async () => Promise.all(addresses.map(async (from) => (await ask('/socket.io/', { from })).name));
  const before = await where();
  const gone = gateways.find(({ name }) => name === before[0]);
  await new Promise((resolve) => gone.server.close(resolve));
  context.after(() => new Promise((resolve) => gone.server.listen(gone.port, '127.0.0.1', resolve)));
  const meanwhile = await where();
  before.forEach((name, index) => {
    if (name === gone.name) assert.ok(NAMES.includes(meanwhile[index]) && meanwhile[index] !== name, `${meanwhile[index]}`);
    else assert.equal(meanwhile[index], name);
  });
});

test('queries and cookies, which may carry tokens, are not in the log', async () => {
  await ask('/socket.io/?token=secret-in-query&transport=polling', { headers: { cookie: 'token=secret-in-cookie' } });
  const log = () => readFileSync(join(folder, 'access.log'), 'utf8');
  await until('the request is in the log', () => / \/socket\.io\/ transport=polling .*cookie=yes/.test(log()));
  assert.doesNotMatch(log(), /secret-in/);
});

test('without a certificate it starts without TLS, and with half of one it says what is missing', async (context) => {
  await nginx.stop('SIGQUIT');
  context.after(async () => {
    await nginx.stop('SIGQUIT');
    await makeCertificate();
    nginx = await startNginx();
  });
  rmSync(join(folder, 'nginx/certificates/tls.key'));
  await assert.rejects(output('sh', [join(folder, 'nginx/start.sh')]), /tls\.key is missing, or user \d+ cannot read it/);
  rmSync(join(folder, 'nginx/certificates/tls.crt'));
  nginx = await startNginx();
  await assert.rejects(ask('/', { tls: true }), { code: 'ECONNREFUSED' });
});
