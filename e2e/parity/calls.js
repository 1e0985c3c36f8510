// Calls and signals.
import { conversationIds, differs, LONG, objectIds, PATH_HAS_AN_ID, prepared, refused, row, rows } from './row.js';
import { room, rung } from './state.js';

export const CALLS = [
  ...rows('call:start', 201, {
    'of the usual type': (s) => ({ conversationId: s.c }),
    'type null': (s) => ({ conversationId: s.c, type: null }),
    'with pictures': (s) => ({ conversationId: s.c, type: 'Video' }),
  }, prepared(room, 'call:started')),
  ...refused('call:start', {
    'type empty': (s) => ({ conversationId: s.c, type: '' }),
    'type too long': (s) => ({ conversationId: s.c, type: 'x'.repeat(33) }),
    'type with a space': (s) => ({ conversationId: s.c, type: 'a b' }),
    'type a number': (s) => ({ conversationId: s.c, type: 7 }),
  }),
  ...conversationIds('call:start', 'not_a_participant'),

  row('one that rings', 'call:answer', (s) => ({ callId: s.call }), 200, prepared(rung('bob'), 'call:answered')),
  row('one that others are in', 'call:answer', (s) => ({ callId: s.call }), 200,
    prepared(rung('bob', ['mod', 'call:answer']), 'call:answered')),
  row('one’s own', 'call:answer', (s) => ({ callId: s.alone }), 'conflict'),
  row('a second time', 'call:answer', (s) => ({ callId: s.call }), 'conflict', prepared(rung('bob', ['alice', 'call:answer']))),
  row('one that has ended', 'call:answer', (s) => ({ callId: s.ended }), 'conflict'),
  ...objectIds('call:answer', 'callId'),
  differs(PATH_HAS_AN_ID, 'no call', 'call:answer', () => ({}), ['invalid_payload', 'call is missing'],
    [400, 'invalid_payload', 'call is no call id']),
  ...refused('call:answer', { 'an empty call id': () => ({ callId: '' }) }),

  row('one that rings', 'call:end', (s) => ({ callId: s.call }), 200, prepared(rung('bob'), 'call:ended')),
  row('one’s own that rings', 'call:end', (s) => ({ callId: s.call }), 200, prepared(rung('alice'), 'call:ended')),
  row('one that goes on', 'call:end', (s) => ({ callId: s.call }), 200, prepared(rung('bob', ['mod', 'call:answer']), 'call:ended')),
  row('a second time', 'call:end', (s) => ({ callId: s.ended }), 'conflict'),
  ...objectIds('call:end', 'callId'),

  ...rows('call:get', 200, { 'one that rings': (s) => ({ callId: s.ringing }), 'one that has ended': (s) => ({ callId: s.ended }) }),
  row('by an outsider', 'call:get', (s) => ({ callId: s.ended }), 'not_found', { as: 'carol' }),
  ...objectIds('call:get', 'callId'),

  ...rows('call:signal', 202, {
    'to the others': (s) => ({ callId: s.call, payload: { sdp: 'v=0\r\n', n: [1, null] } }),
    'to one': (s) => ({ callId: s.call, to: 'bob', payload: 'ice' }),
    'null for whom': (s) => ({ callId: s.call, to: null, payload: false }),
  }, prepared(rung('bob', ['alice', 'call:answer']), 'call:signal')),
  row('to oneself', 'call:signal', (s) => ({ callId: s.alone, to: 'alice', payload: 1 }), 202),
  row('to nobody', 'call:signal', (s) => ({ callId: s.alone, payload: 1 }), 'conflict'),
  row('to a stranger', 'call:signal', (s) => ({ callId: s.alone, to: 'carol', payload: 1 }), 'not_found'),
  row('in a call that has ended', 'call:signal', (s) => ({ callId: s.ended, payload: 1 }), 'conflict'),
  ...refused('call:signal', {
    'without payload': (s) => ({ callId: s.alone }),
    'payload null': (s) => ({ callId: s.alone, payload: null }),
    'payload too large': (s) => ({ callId: s.alone, payload: 'x'.repeat(65_536) }),
    'to a number': (s) => ({ callId: s.alone, to: 7, payload: 1 }),
    'to an empty id': (s) => ({ callId: s.alone, to: '', payload: 1 }),
    'to too long an id': (s) => ({ callId: s.alone, to: LONG, payload: 1 }),
  }),
  ...objectIds('call:signal', 'callId', { payload: 1 }),
];
