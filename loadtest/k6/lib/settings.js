// What can be set from outside, by environment variables. Times are given as `90s`, `5m`, `1h` or `250ms`.

const UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

function text(name, otherwise) {
  const value = __ENV[name];
  if (value !== undefined && value !== '') return value;
  if (otherwise === undefined) throw new Error(`${name} is not set`);
  return otherwise;
}

/** A number; a scenario has its own default. */
export function number(name, otherwise) {
  const value = Number(text(name, `${otherwise}`));
  if (!(value >= 0)) throw new Error(`${name} is not a number from 0 up`);
  return value;
}

/** A whole number from 1 up. */
export function count(name, otherwise) {
  const value = number(name, otherwise);
  if (!Number.isInteger(value) || value < 1) throw new Error(`${name} is not a whole number from 1 up`);
  return value;
}

/** A duration, in milliseconds. */
export function duration(name, otherwise) {
  const value = text(name, otherwise);
  const parts = value.match(/^((\d+(\.\d+)?)(ms|s|m|h))+$/) && value.match(/\d+(\.\d+)?(ms|s|m|h)/g);
  if (!parts) throw new Error(`${name} is not a duration like 90s, 5m or 1h`);
  return parts.reduce((sum, part) => sum + parseFloat(part) * UNITS[part.replace(/[\d.]+/, '')], 0);
}

/** The deployment's front door, without a slash at the end. */
export const target = text('TARGET', 'http://127.0.0.1:8080').replace(/\/+$/, '');
export const socketPath = text('SOCKETIO_PATH', '/socket.io/');

export const jwtSecret = text('JWT_SECRET');
/** A list, as the gateways have it, will do. */
export const serviceKey = text('SERVICE_KEY').split(',')[0].trim();

/** Claims that every token has beside its user's, for deployments that compare `iss` and `aud`: a JSON object. */
export const claims = JSON.parse(text('CLAIMS', '{}'));

/** The cookie that a load balancer goes by. Each user has a value of his own, so that one address is spread. */
export const routeCookie = text('ROUTE_COOKIE', 'parlance_route');

/** What the ids of this run's users and conversations begin with. Each VU reads this file: take the one of `setup()`. */
export const run = text('RUN', `k6-${Date.now().toString(36)}`);

/** How long tokens are good: longer than `auth.expiry_warning`. Sessions that are about to end go on with another one. */
export const tokenTtl = duration('TOKEN_TTL', '1h');

/** Whether the conversations that were made for the run stay. */
export const keep = text('KEEP', 'no') === 'yes';

/** How many users one VU plays, each with a socket of his own. */
export const sockets = count('SOCKETS', 1);

/** How many users take part in one conversation. */
export const group = count('GROUP', 10);

/** After how long an acknowledgement counts as not coming, and for how long a send is tried and a connect. */
export const ackTimeout = duration('ACK_TIMEOUT', '10s');
export const sendDeadline = duration('SEND_DEADLINE', '60s');
export const connectDeadline = duration('CONNECT_DEADLINE', '60s');

/** For how long, at the end, what is under way may arrive before it counts as lost. */
export const grace = duration('GRACE', '20s');
