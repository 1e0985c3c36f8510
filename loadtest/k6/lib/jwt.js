// Tokens as an application's backend makes them: HS256, with the secret that the gateways have.
import crypto from 'k6/crypto';
import encoding from 'k6/encoding';

const part = (value) => encoding.b64encode(JSON.stringify(value), 'rawurl');

/** A token of `user` that is good for `ttl` seconds; `claims` stand beside and before what is said here. */
export function mintToken(secret, user, { ttl = 3600, name = user, claims = {} } = {}) {
  const now = Math.floor(Date.now() / 1000);
  const text = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ sub: user, name, iat: now, exp: now + ttl, ...claims })}`;
  return `${text}.${crypto.hmac('sha256', secret, text, 'base64rawurl')}`;
}
