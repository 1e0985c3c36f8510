// JSON Web Tokens as an application's backend makes them, and as an attacker would.
import { createHmac } from 'node:crypto';

const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** A token that the gateways of a stack accept; `claims` stand beside `sub`, `name`, `iat` and `exp`. */
export function mintToken(secret, user, claims = {}) {
  const now = Math.floor(Date.now() / 1000);
  const name = user[0].toUpperCase() + user.slice(1);
  return sign(secret, { alg: 'HS256', typ: 'JWT' }, { sub: user, name, iat: now, exp: now + 3600, ...claims });
}

/** A token whose header says that it needs no signature, with or without one. */
export function unsignedToken(user, signature = '') {
  const now = Math.floor(Date.now() / 1000);
  return `${part({ alg: 'none', typ: 'JWT' })}.${part({ sub: user, iat: now, exp: now + 3600 })}.${signature}`;
}

function sign(secret, header, claims) {
  const text = `${part(header)}.${part(claims)}`;
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
}
