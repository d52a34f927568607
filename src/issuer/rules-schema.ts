import { KeysError } from '../domain/errors.js';
import { durationMs } from '../domain/expiry.js';
import { parseRateLimit } from '../domain/rate-limit.js';
import { assertScopeForm } from '../domain/scopes.js';
import { quoted } from '../domain/text.js';
import * as shape from '../yaml/shape.js';
import { pinnedClaim } from './providers.js';

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const MAX_ALIVE = 10_000;

/** Throws `usage` for a URL that cannot be an issuer (OpenID Connect Discovery, section 2). */
function assertIssuer(text: string): void {
  const url = URL.canParse(text) ? new URL(text) : null;
  const isPlain = url !== null && url.search === '' && url.hash === '' && url.username === '' && url.password === '';
  if (!isPlain || url.protocol !== 'https:' || /[?#\s]/.test(text))
    throw new KeysError(
      'usage',
      `${quoted(text)} is not an https URL`,
      'write it as the tokens have it: https://token.actions.githubusercontent.com',
    );
}

function assertName(text: string): void {
  if (!/^[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?$/.test(text))
    throw new KeysError(
      'usage',
      `${quoted(text)} is not a name for a rule`,
      'up to 63 of a-z 0-9 . _ -, beginning and ending in a letter or digit',
    );
}

/** Reads a duration of at most a day. Throws `usage`. */
function readTtl(text: string): number {
  const ms = durationMs(text);
  if (ms === null || ms > DAY_MS)
    throw new KeysError('usage', `${quoted(text)} is not a duration up to 24h`, 'a whole number and m or h: 15m, 1h');
  return ms;
}

/** Reads how many keys may be made in which time, at most a day. Throws `usage`. */
function readPace(text: string) {
  const pace = parseRateLimit(text);
  if (pace.windowSeconds > DAY_MS / 1000) throw new KeysError('usage', `${quoted(text)} covers more than a day`);
  return pace;
}

const value = (text: string) => shape.pipe(shape.line(), shape.metadata({ description: text }));

const claimValue = shape.oneOrMore(
  shape.pipe(
    shape.line(),
    shape.check(
      (text) => !text.includes('*'),
      shape.fault('contains *', 'there are no patterns: write the whole text, or a list of whole texts'),
    ),
  ),
  'the text that the claim must have, or a list of such texts; no patterns',
  'is an empty list',
);

/** These are checked in every token. */
const CHECKED = ['iss', 'aud', 'exp', 'nbf', 'iat', 'jti'];

const claims = shape.pipe(
  shape.dictionary(claimValue),
  shape.metadata({
    description:
      'What the claims of the token must be, exactly; a list: one of these. repository_id is required for GitHub, project_id for GitLab.',
    minProperties: 1,
  }),
  shape.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return;
    const given = dataset.value as Record<string, unknown>;
    if (Object.keys(given).length === 0)
      addIssue({ message: shape.fault('has no claims', 'a rule without them would let in every job of the provider') });
    for (const name of CHECKED)
      if (Object.hasOwn(given, name))
        addIssue({
          message: shape.fault(
            'is checked in every token',
            'remove it; issuer and audience are properties of the rule',
          ),
          path: shape.valuePath(given, name),
        });
  }),
);

const scope = shape.pipe(
  shape.text(),
  shape.metadata({ pattern: '^[a-z][a-z0-9-]{0,30}:[a-z][a-z0-9-]{0,30}$' }),
  shape.checkedBy(assertScopeForm),
);

const TTL = { pattern: '^[1-9]\\d{0,6}[mhd]$' };
const RATE = { pattern: '^[1-9]\\d{0,9}/[smhd]$' };

const rule = shape.pipe(
  shape.mapping(
    {
      name: shape.pipe(
        shape.text(),
        shape.metadata({
          description: 'Its own name, by which its keys are counted and found: list --label ci-rule=NAME.',
          pattern: '^[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?$',
        }),
        shape.checkedBy(assertName),
      ),
      issuer: shape.pipe(
        shape.text(),
        shape.metadata({
          description: 'The provider of the tokens, exactly as its tokens name it.',
          pattern: '^https://',
        }),
        shape.checkedBy(assertIssuer),
      ),
      audience: value('What the tokens must be made for: the address of this server.'),
      claims,
      scopes: shape.pipe(
        shape.list(scope),
        shape.nonEmpty(shape.fault('is empty', 'write the scopes that a job may ask for: [checkin:read]')),
        shape.metadata({ description: 'The scopes that a job may ask for.' }),
      ),
      maxTtl: shape.optional(
        shape.pipe(
          shape.text(),
          shape.metadata({ description: 'The longest life of a key, up to 24h. Default: 1h.', ...TTL }),
          shape.readBy(readTtl),
        ),
      ),
      maxAlive: shape.optional(
        shape.wholeNumber(1, MAX_ALIVE, 'How many keys of this rule may be active at once. Default: 20.'),
      ),
      maxIssued: shape.optional(
        shape.pipe(
          shape.text(),
          shape.metadata({ description: 'How many keys this rule makes in which time. Default: 120/h.', ...RATE }),
          shape.readBy(readPace),
        ),
      ),
      rateLimit: shape.optional(
        shape.pipe(
          shape.text(),
          shape.metadata({ description: 'How many requests each key may make. Default: 600/m.', ...RATE }),
          shape.readBy(parseRateLimit),
        ),
      ),
      pullRequests: shape.optional(
        shape.pipe(
          shape.flag(),
          shape.metadata({
            description: 'true: jobs of pull requests may ask as well, those from forks included. Default: false.',
          }),
        ),
      ),
    },
    {
      missing: {
        name: 'write name: app-tests',
        issuer: 'write issuer: https://token.actions.githubusercontent.com',
        audience: 'write audience: and the address of this server, as the jobs ask for it',
        claims: "write claims: { repository_id: '42' }",
        scopes: 'write scopes: [checkin:read]',
      },
    },
  ),
  shape.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return;
    const { issuer, claims: given } = dataset.value as { issuer: string; claims: Record<string, unknown> };
    const pinned = pinnedClaim(issuer);
    if (pinned !== null && !Object.hasOwn(given, pinned))
      addIssue({
        message: shape.fault(
          `has no ${pinned}`,
          `write ${pinned}: names can be taken over by others, and this number cannot`,
        ),
        path: shape.valuePath(dataset.value as Record<string, unknown>, 'claims'),
      });
  }),
);

/** What a file of rules may hold. The JSON Schema for editors is made from it (`npm run schema`). */
export const issueRulesSchema = shape.pipe(
  shape.list(rule, 'write one rule for each item'),
  shape.nonEmpty(shape.fault('has no rules', 'without a rule every job would be refused')),
  shape.unique((item) => (item as { name?: unknown } | null)?.name),
);

/** What holds where a rule does not say. */
export const RULE_DEFAULTS = {
  maxTtl: HOUR_MS,
  maxAlive: 20,
  maxIssued: { limit: 120, windowSeconds: 3600 },
  rateLimit: { limit: 600, windowSeconds: 60 },
} as const;
