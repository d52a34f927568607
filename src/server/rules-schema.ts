import { KeysError } from '../domain/errors.js';
import { assertScopeForm } from '../domain/scopes.js';
import { quoted } from '../domain/text.js';
import * as shape from '../yaml/shape.js';
import { isAmbiguous, METHOD } from './target.js';

/** A path of a rule, in segments. */
export interface PathPattern {
  /** Segments that must be equal; null matches any one segment. */
  readonly segments: readonly (string | null)[];
  /** True: the path and everything below it. */
  readonly below: boolean;
}

/** Reads `/check-ins/*` or `/check-ins/**`. Throws `usage`. */
function readPattern(text: string): PathPattern {
  const refuse = (what: string, hint: string) => new KeysError('usage', `${quoted(text)} ${what}`, hint);
  if (!text.startsWith('/')) throw refuse('does not begin with /', 'write a path: /check-ins/**');
  if (/[?#\\;%]/.test(text))
    throw refuse('holds one of ? # \\ ; %', 'write the path as it is after decoding, without the query');
  const parts = text.slice(1).split('/');
  const below = parts.at(-1) === '**';
  const segments = below ? parts.slice(0, -1) : parts;
  if (segments.slice(0, -1).includes('') || (below && segments.includes('')))
    throw refuse('has an empty segment', 'remove it: a request with an empty segment is always refused');
  if (segments.some((segment) => /^\.+$/.test(segment)))
    throw refuse('has a dot segment', 'remove it: a request with a dot segment is always refused');
  if (segments.some(isAmbiguous))
    throw refuse(
      'has a segment that programs read in different ways',
      'remove control characters, white space at the ends, and look-alikes of / and .',
    );
  if (segments.some((segment) => segment !== '*' && segment.includes('*')))
    throw refuse(
      'has a * beside other characters',
      '* stands for one whole segment, ** for everything below, at the end only',
    );
  return { segments: segments.map((segment) => (segment === '*' ? null : segment)), below };
}

function assertMethod(text: string): void {
  if (!METHOD.test(text)) throw new KeysError('usage', `${quoted(text)} is not a method`, 'write it in capitals: GET');
}

/** A segment of a path that matches only itself, for {@link rulesSchema}'s JSON Schema. */
const CHARACTERS = '/?#\\\\;%*\\u0000-\\u001f\\u007f-\\u009f';
const SEGMENT = `(?!\\.+(?:/|$))(?!\\s)[^${CHARACTERS}]*[^${CHARACTERS}\\s]`;

const method = shape.pipe(shape.text(), shape.metadata({ pattern: '^[A-Z]{1,20}$' }), shape.checkedBy(assertMethod));

const scope = shape.pipe(
  shape.text(),
  shape.metadata({ pattern: '^[a-z][a-z0-9-]{0,30}:[a-z][a-z0-9-]{0,30}$' }),
  shape.checkedBy(assertScopeForm),
);

const rule = shape.mapping(
  {
    methods: shape.optional(
      shape.pipe(
        shape.list(method),
        shape.nonEmpty(shape.fault('is empty', 'leave it out to match every method')),
        shape.metadata({ description: 'Methods in capitals. GET includes HEAD. Left out: every method.' }),
      ),
    ),
    path: shape.pipe(
      shape.text(),
      shape.metadata({
        description: 'The path after decoding: * is one segment, ** at the end everything below.',
        pattern: `^/(?:(?:\\*|${SEGMENT})/)*(?:\\*{1,2}|${SEGMENT})?$`,
      }),
      shape.readBy(readPattern),
    ),
    scopes: shape.pipe(
      shape.list(scope),
      shape.metadata({ description: 'The key must have all of them. []: any valid key.' }),
    ),
  },
  {
    missing: {
      path: 'write path: /check-ins/**',
      scopes: 'write scopes: [checkin:read], or scopes: [] to let any valid key in',
    },
  },
);

/** What a file of rules may hold. The JSON Schema for editors is made from it (`npm run schema`). */
export const rulesSchema = shape.pipe(
  shape.list(rule, 'write one rule for each item'),
  shape.nonEmpty(shape.fault('has no rules', 'without a rule every request would be refused')),
);
