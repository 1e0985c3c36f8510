// Presence.
import { differs, LONG, PATH_HAS_AN_ID, PATH_HAS_TEXTS, refused, row, rows } from './row.js';

const carol = { as: 'carol' };
const of = (...userIds) => () => ({ userIds });
const invalid = (message) => ['invalid_payload', message];

export const PRESENCE = [
  // One after the other: the first way changes it, and the others change nothing.
  ...['away', 'busy', 'offline', 'online'].map((status) => row(`to ${status}`, 'presence:set', () => ({ status }), 200, carol)),
  ...refused('presence:set', {
    'no status': () => ({}),
    'null for a status': () => ({ status: null }),
    'an empty status': () => ({ status: '' }),
    'another case': () => ({ status: 'Away' }),
    'a status that there is not': () => ({ status: 'invisible' }),
    'a long status': () => ({ status: 'x'.repeat(5000) }),
    'a number': () => ({ status: 1 }),
    'a list': () => ({ status: ['away'] }),
    'an object': () => ({ status: { status: 'away' } }),
  }),

  ...rows('presence:get', 200, {
    'of somebody who is there': of('bob'),
    'of oneself': of('alice'),
    'of somebody who is not there': of('zoe'),
    'of nobody that is known': of('odd /?#%25&+ü'),
  }),
  differs(PATH_HAS_AN_ID, 'of none', 'presence:get', of(), invalid('users are not 1 to 500 ids'), [400, 'invalid_payload', 'user is empty']),
  differs(PATH_HAS_AN_ID, 'without users', 'presence:get', () => ({}), invalid('users is missing'), [400, 'invalid_payload', 'user is empty']),
  differs(PATH_HAS_TEXTS, 'of a number', 'presence:get', of(7), invalid('users has something that is no text'), [200]),
  differs('there is one user in a path, and a list in a packet', 'of a long id', 'presence:get', of(LONG),
    invalid('users is longer than 128 bytes'), [400, 'invalid_payload', 'user is longer than 128 bytes']),
];
