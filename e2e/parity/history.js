// Pages of history, and how far they were read.
import { conversationIds, differs, pages, prepared, QUERY_HAS_TEXTS, refused, row, rows, UNKNOWN } from './row.js';
import { room, said, then } from './state.js';

export const page = (fields) => (s) => ({ conversationId: s.c, ...(typeof fields === 'function' ? fields(s) : fields) });
const exclusive = { before: 5, after: 2, around: UNKNOWN, page: 1, cursor: 'b5' };
export const HISTORY = [
  ...['oldest', 'newest'].flatMap((order) => rows('message:history', 200, {
    [`the newest page, ${order} first`]: page({ limit: 3, order }),
    [`before a place, ${order} first`]: page({ before: 5, limit: 2, order }),
    [`after a place, ${order} first`]: page({ after: 2, limit: 3, order }),
    [`around a message, ${order} first`]: page((s) => ({ around: s.messages[4].id, limit: 3, order })),
    [`a numbered page, ${order} first`]: page({ page: 2, limit: 3, order }),
    [`the last numbered page, ${order} first`]: page({ page: 3, limit: 3, order }),
    [`by a cursor, ${order} first`]: page((s) => ({ cursor: s.cursors.history, limit: 2, order })),
  })),
  ...rows('message:history', 200, {
    'everything': page({}),
    'before the first': page({ before: 1 }),
    'before 0': page({ before: 0 }),
    'after the newest': page({ after: 8 }),
    'after what is not there yet': page({ after: 2 ** 53 - 1 }),
    'before what is not there yet': page({ before: 2 ** 53 - 1, limit: 2 }),
    'places as texts': page({ after: '2', limit: '3' }),
    'around one that was taken back': page((s) => ({ around: s.gone, limit: 2 })),
    'a page beyond the last': page({ page: 9, limit: 3 }),
    'a page far beyond the last': page({ page: 2 ** 53 - 1, limit: 200 }),
    'a cursor at the end of all numbers': page({ cursor: `a${2n ** 64n - 1n}` }),
    'a cursor from the end of all numbers': page({ cursor: `b${2n ** 64n - 1n}`, limit: 1 }),
    'null for everything': page({ before: null, after: null, around: null, page: null, cursor: null, limit: null, order: null }),
  }),
  ...pages('message:history', (s) => ({ conversationId: s.c }), 200),
  ...refused('message:history', {
    ...Object.fromEntries(Object.entries(exclusive).flatMap(([one, value], n, all) =>
      all.slice(n + 1).map(([other, another]) => [`${one} and ${other}`, page({ [one]: value, [other]: another })]))),
    'page 0': page({ page: 0 }),
    'before a word': page({ before: 'x' }),
    'after below 0': page({ after: -1 }),
    'page with a fraction': page({ page: 1.5 }),
    'another order': page({ order: 'random' }),
    'around no message id': page({ around: 'nope' }),
    'around empty': page({ around: '' }),
    'before empty': page({ before: '' }),
    'order empty': page({ order: '' }),
    'a cursor without a number': page({ cursor: 'b' }),
    'a cursor of another kind': page({ cursor: 'c5' }),
    'a cursor that begins within a letter': page({ cursor: 'ü5' }),
  }),
  ...rows('message:history', 'not_found', {
    'around an unknown message': page({ around: UNKNOWN }),
    'around a message of another conversation': page((s) => ({ around: s.foreign.m })),
  }),
  ...conversationIds('message:history', 'not_a_participant'),
  differs(QUERY_HAS_TEXTS, 'order a number', 'message:history', page({ order: 7 }), ['invalid_payload', 'order is no text'],
    [400, 'invalid_payload', 'order is neither oldest nor newest']),
];

export const receipt = (fields) => (s) => ({ conversationId: s.c, ...(typeof fields === 'function' ? fields(s) : fields) });
export const RECEIPTS = ['receipt:delivered', 'receipt:read'].flatMap((event) => [
  ...rows(event, 200, {
    'up to a place': receipt({ seq: 2 }),
    'a place as a text': receipt({ seq: '1' }),
    'by messages': receipt((s) => ({ messageIds: [s.messages[2].id, s.messages[0].id] })),
    'the same message twice': receipt((s) => ({ messageIds: [s.m, s.m] })),
    'all there is': receipt({}),
    'null for both': receipt({ seq: null, messageIds: null }),
  }, prepared(said('bob', 'a', 'b', 'c'), event)),
  row('all there is of nothing', event, receipt({}), 200),
  row('the place 0', event, receipt({ seq: 0 }), 200, prepared(said('bob', 'a'))),
  row('a place behind the one before', event, receipt({ seq: 1 }), 200,
    prepared(then(said('bob', 'a', 'b'), ['alice', event, receipt({ seq: 2 })]))),
  ...refused(event, {
    'place and messages': receipt((s) => ({ seq: 1, messageIds: [s.m] })),
    'a place beyond the newest message': receipt({ seq: 9 }),
    'a place below 0': receipt({ seq: -1 }),
    'a place with a fraction': receipt({ seq: 1.5 }),
    'a place that is no number': receipt({ seq: 'x' }),
    'a place that is an object': receipt({ seq: {} }),
    'no messages': receipt({ messageIds: [] }),
    'too many messages': receipt({ messageIds: Array(501).fill(UNKNOWN) }),
    'messages no list': receipt({ messageIds: UNKNOWN }),
    'messages of numbers': receipt({ messageIds: [7] }),
    'no message id': receipt({ messageIds: ['nope'] }),
    'messages of two conversations': receipt((s) => ({ messageIds: [s.m, s.foreign.m] })),
  }),
  ...rows(event, 'not_found', {
    'an unknown message': receipt({ messageIds: [UNKNOWN] }),
    'a message of another conversation': receipt((s) => ({ messageIds: [s.foreign.m] })),
  }),
  ...conversationIds(event, 'not_a_participant', { seq: 1 }),
]);

const writing = then(room, ['alice', 'typing:start', (s) => ({ conversationId: s.c })]);
export const TYPING = [
  row('in a conversation', 'typing:start', (s) => ({ conversationId: s.c }), 200, prepared(room, 'typing:started')),
  row('where one wrote', 'typing:stop', (s) => ({ conversationId: s.c }), 200, prepared(writing, 'typing:stopped')),
  row('where one did not write', 'typing:stop', (s) => ({ conversationId: s.c }), 200, prepared(room)),
  ...['typing:start', 'typing:stop'].flatMap((event) => conversationIds(event, 'not_a_participant')),
];
