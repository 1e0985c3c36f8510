// Reactions.
import { differs, NO_SUCH_PATH, objectIds, PATH_HAS_AN_ID, prepared, refused, row } from './row.js';
import { said, then } from './state.js';

const react = (emoji) => (s) => ({ messageId: s.m, emoji });
const liked = then(said('bob', 'a'), ['alice', 'reaction:add', react('👍')], ['bob', 'reaction:add', react('👍')]);
export const REACTIONS = [
  ...['reaction:toggle', 'reaction:add', 'reaction:remove'].flatMap((event) => [
    row('where there is none', event, react('👍'), 200,
      prepared(said('bob', 'a'), event === 'reaction:remove' ? undefined : 'reaction:updated')),
    row('where there is one', event, react('👍'), 200,
      prepared(liked, event === 'reaction:add' ? undefined : 'reaction:updated')),
    row('with a word that a path must quote', event, react('#/?%2F+👩🏽‍💻'), 200, prepared(liked)),
    ...refused(event, {
      'emoji with a space': react('a b'),
      'emoji too long': react('x'.repeat(65)),
      'emoji with a control character': react('a\0'),
    }),
    ...objectIds(event, 'messageId', { emoji: '👍' }),
    row('to a message that was taken back', event, (s) => ({ messageId: s.gone, emoji: '👍' }), 'not_found'),
  ]),
  ...['reaction:toggle', 'reaction:add'].map((event) =>
    row('more emoji than there may be', event, (s) => ({ messageId: s.full, emoji: 'one-more' }), 'limit_reached')),
  ...refused('reaction:toggle', {
    'without emoji': (s) => ({ messageId: s.m }),
    'emoji null': react(null),
    'emoji empty': react(''),
    'emoji a number': react(7),
  }),
  differs(PATH_HAS_AN_ID, 'without emoji', 'reaction:add', (s) => ({ messageId: s.m }),
    ['invalid_payload', 'emoji is missing'], NO_SUCH_PATH),
];
