// Who is in a conversation now.
import { conversationIds, differs, limits, PATH_HAS_AN_ID, row, rows } from './row.js';

const of = (fields) => (s) => ({ conversationId: s.c, ...fields });
export const MEMBERS = [
  ...rows('member:list', 200, {
    'all of them': of({}),
    'where nobody is': () => ({ conversationId: 'odd /?#%25&+ü' }),
  }),
  row('of one’s own, joined or not', 'member:list', of({}), 200, { as: 'mod' }),
  ...limits('member:list', of({}), 500),
  ...conversationIds('member:list', 'not_found'),
  differs(PATH_HAS_AN_ID, 'no conversation', 'member:list', () => ({}), ['invalid_payload', 'conversation is missing'],
    [400, 'invalid_payload', 'conversation is empty']),
];
