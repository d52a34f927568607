import type { PathPattern } from './rules-schema.js';
import type { Target, Written } from './target.js';

/**
 * Whether a server behind the proxy could serve a path by the handler that a rule is about. `never`: no server would. `perhaps`: some would,
 * by a reading that the rule does not say: another letter case, a slash at the end, another suffix, encoded letters. `usually`: this is the
 * path that the rule says, but there are servers that do not decode it, or take its last slash off, before they choose a handler. `always`:
 * all of them.
 */
export type Match = 'never' | 'perhaps' | 'usually' | 'always';

const ORDER: readonly Match[] = ['never', 'perhaps', 'usually', 'always'];
const weaker = (a: Match, b: Match): Match => (ORDER.indexOf(a) < ORDER.indexOf(b) ? a : b);

/** How a path and a rule fit. */
export function matchPath({ segments: pattern, below }: PathPattern, { segments: path, written }: Target): Match {
  const longer = path.length - pattern.length;
  let match: Match = 'always';
  if (longer === 1 && !below && path.at(-1) === '')
    match = 'perhaps'; // `/plans/` for the rule `/plans`
  else if (longer === -1 && pattern.at(-1) === '')
    match = 'perhaps'; // `/plans` for the rule `/plans/`
  else if (below ? longer < 0 : longer !== 0) return 'never';
  else if (path.length > 1 && pattern.at(-1) === '') match = 'usually';
  for (let i = Math.min(pattern.length, path.length) - 1; i >= 0 && match !== 'never'; i--)
    match = weaker(match, matchSegment(pattern[i] as string | null, path[i] as string, written[i] as Written));
  return match;
}

function matchSegment(wanted: string | null, text: string, written: Written): Match {
  if (wanted === null) return text === '' ? 'never' : 'always';
  if (wanted === text) return written === 'plain' ? 'always' : written === 'encoded' ? 'usually' : 'perhaps';
  return isReading(folded(wanted), folded(text)) ? 'perhaps' : 'never';
}

/** Equal but for letter case or a suffix, which a server may take off (`/plans.json`) or add (`/plans.html`). */
function isReading(a: string, b: string): boolean {
  if (a === '' || b === '') return false;
  return a === b || b.startsWith(`${a}.`) || a.startsWith(`${b}.`);
}

/**
 * Without letter case, Unicode's compatibility forms and invisible characters; a plus sign is a space in some programs, which others remove
 * at the ends.
 */
function folded(text: string): string {
  const isAscii = /^[\x20-\x7e]*$/.test(text);
  const plain = isAscii
    ? text
    : text
        .normalize('NFKC')
        .replace(/\p{Default_Ignorable_Code_Point}/gu, '')
        .toUpperCase();
  return plain.toLowerCase().replaceAll('+', ' ').trim();
}
