// A stack that serves all shipped dialects at once: two gateways behind nginx.
import { Agent, get } from 'node:http';
import { join } from 'node:path';

import { closeAppClients } from './app_client.js';
import { logs } from './paths.js';
import { Stack, UNLIMITED } from './stack.js';
import { until } from './wait.js';

/** Loopback addresses that nginx sends to different gateways; see `places`. */
const ADDRESSES = Array.from({ length: 16 }, (_, index) => `127.0.0.${index + 2}`);

export class Applications {
  /** `env` is added to the gateways' environment; `insecure` names the dialects whose clients need no token; with `files`
   * they can be uploaded. */
  static async start(name, { env = {}, insecure = [], files = false } = {}) {
    const applications = new Applications();
    applications.stack = await Stack.start({
      name,
      gateways: 2,
      nginx: true,
      gatewayEnv: {
        ...UNLIMITED,
        PARLANCE__GATEWAY__DIALECTS: 'all',
        ...(insecure.length === 0 ? {} : { PARLANCE__AUTH__INSECURE_DIALECTS: insecure.join(',') }),
        ...(files ? { PARLANCE__UPLOADS__STORE: `file://${join(logs, name, 'files')}` } : {}),
        ...env,
      },
    });
    await applications.#findPlaces();
    return applications;
  }

  /** The base URL, as an application's clients are configured with it. */
  get url() {
    return this.stack.nginx.url;
  }

  token(claims) {
    return this.stack.token(`${claims.sub ?? claims.userId ?? claims.id}`, claims);
  }

  rest(actAs) {
    return this.stack.rest(actAs, this.url);
  }

  /** An address that nginx sends to this gateway, counted from 0; they repeat. */
  place(index) {
    return this.places[index % this.places.length];
  }

  /** Waits until what is for a user reaches his client, in whatever dialect. */
  async reached(client, user) {
    await until(`what is for ${user} reaches him`, async () => {
      await this.rest().call('POST', `/v1/users/${user}/events`, { event: 'test:reached', data: {} });
      return client.events('test:reached').length > 0;
    });
  }

  async #findPlaces() {
    const asked = (localAddress) =>
      new Promise((resolve, reject) => {
        get(`${this.url}/health`, { agent: new Agent({ localAddress }) }, (response) => {
          response.resume();
          response.on('end', resolve);
        }).on('error', reject);
      });
    const byGateway = new Map();
    for (const address of ADDRESSES) {
      const before = this.stack.nginx.requests().length;
      await asked(address);
      const [request] = await until('the request is logged', () => {
        const logged = this.stack.nginx.requests().slice(before);
        return logged.length > 0 && logged;
      });
      if (!byGateway.has(request.upstream)) byGateway.set(request.upstream, address);
    }
    this.places = this.stack.gateways.map(({ port }) => byGateway.get(`127.0.0.1:${port}`));
    if (this.places.includes(undefined)) throw new Error('no address leads to one of the gateways');
  }

  async stop() {
    closeAppClients();
    await this.stack.stop();
  }
}
