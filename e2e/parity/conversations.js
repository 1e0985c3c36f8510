// Conversations, participants and users.
import {
  conversationIds, differs, LONG, NO_SUCH_PATH, pages, PATH_HAS_AN_ID, PATH_HAS_TEXTS, refused, row, rows,
} from './row.js';

const lisa = { as: 'lisa' };
const nina = { as: 'nina' };

export const CONVERSATIONS = [
  ...rows('conversation:get', 200, {
    'one’s own': (s) => ({ conversationId: s.c }),
    'a name that a path must quote': () => ({ conversationId: 'odd /?#%25&+ü' }),
  }),
  ...conversationIds('conversation:get', 'not_found'),
  differs(PATH_HAS_AN_ID, 'no conversation', 'participant:list', () => ({}), ['invalid_payload', 'conversation is missing'],
    [400, 'invalid_payload', 'conversation is empty']),
  differs(PATH_HAS_AN_ID, 'null for a conversation', 'conversation:get', () => ({ conversationId: null }),
    ['invalid_payload', 'conversation is missing'], NO_SUCH_PATH),
  differs(PATH_HAS_AN_ID, 'an empty conversation id', 'conversation:get', () => ({ conversationId: '' }),
    ['invalid_payload', 'conversation is empty'], NO_SUCH_PATH),
  ...['participant:list', 'message:history', 'call:start'].flatMap((event) =>
    refused(event, { 'an empty conversation id': () => ({ conversationId: '' }) })),

  ...rows('conversation:list', 200, {
    'all of them': () => ({}),
    'the first page': () => ({ limit: 1 }),
    'the page after it': (s) => ({ limit: 1, cursor: s.cursors.conversations }),
  }, lisa),
  row('nobody’s', 'conversation:list', () => ({}), 200, nina),
  ...pages('conversation:list', () => ({}), 100, lisa),
  ...refused('conversation:list', { 'the cursor of another list': (s) => ({ cursor: s.cursors.participants }) }, lisa),

  ...rows('participant:list', 200, {
    'all of them': (s) => ({ conversationId: s.c }),
    'the first page': (s) => ({ conversationId: s.c, limit: 1 }),
    'the page after it': (s) => ({ conversationId: s.c, limit: 1, cursor: s.cursors.participants }),
  }),
  ...pages('participant:list', (s) => ({ conversationId: s.c }), 100),
  ...refused('participant:list', { 'the cursor of another list': (s) => ({ conversationId: s.c, cursor: s.cursors.history }) }),
  ...conversationIds('participant:list', 'not_found'),
];

export const USERS = [
  ...rows('user:get', 200, {
    'oneself': () => ({ userId: 'alice' }),
    'who has a role': () => ({ userId: 'mod' }),
    'somebody else': () => ({ userId: 'zoe' }),
  }),
  row('an unknown user', 'user:get', () => ({ userId: 'nobody' }), 'not_found'),
  ...refused('user:get', {
    'too long a user id': () => ({ userId: LONG }),
    'a control character in the user id': () => ({ userId: 'a\u0007' }),
  }),
  differs(PATH_HAS_TEXTS, 'a number for a user', 'user:get', () => ({ userId: 7 }),
    ['invalid_payload', 'user is no text'], [404, 'not_found']),
];
