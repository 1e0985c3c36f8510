// Notifications.
import { pages, prepared, refused, row, rows, UNKNOWN } from './row.js';
import { notified } from './state.js';

const nina = { as: 'nina' };

export const NOTIFICATIONS = [
  ...rows('notification:list', 200, {
    'all of them': () => ({}),
    'unread ones': () => ({ unread: true }),
    'unread or not': () => ({ unread: 'false' }),
    'unread null': () => ({ unread: null }),
    'the first page': () => ({ limit: 1 }),
    'the page after it': (s) => ({ limit: 1, cursor: s.cursors.notifications }),
    'the page after it of the unread ones': (s) => ({ unread: true, cursor: s.cursors.notifications }),
  }, nina),
  ...pages('notification:list', () => ({}), 100, nina),
  ...refused('notification:list', {
    'unread neither': () => ({ unread: 'maybe' }),
    'unread empty': () => ({ unread: '' }),
    'unread a number': () => ({ unread: 1 }),
    'the cursor of another list': (s) => ({ cursor: s.cursors.conversations }),
  }, nina),

  ...rows('notification:read', 200, {
    'all of them': () => ({}),
    'null for which': () => ({ notificationIds: null }),
    'one': (s) => ({ notificationIds: [s.notifications[0]] }),
    'one that is read': (s) => ({ notificationIds: [s.notifications[1]] }),
    'the same twice, and one that there is not': (s) => ({ notificationIds: [s.notifications[2], s.notifications[2], UNKNOWN] }),
  }, prepared(notified)),
  row('those of somebody else', 'notification:read', (s) => ({ notificationIds: s.notifications }), 200),
  ...refused('notification:read', {
    'none of them': () => ({ notificationIds: [] }),
    'too many': () => ({ notificationIds: Array(501).fill(UNKNOWN) }),
    'no list': () => ({ notificationIds: UNKNOWN }),
    'numbers': () => ({ notificationIds: [7] }),
    'no notification id': () => ({ notificationIds: ['nope'] }),
  }),
];
