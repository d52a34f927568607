import { MAX_NETWORKS, normalizeNetworks } from '../domain/addresses.js';
import { KeysError } from '../domain/errors.js';
import { parseDuration, parseExpiry } from '../domain/expiry.js';
import { readDescription, readName } from '../domain/key-name.js';
import { MODES } from '../domain/key-string.js';
import { assertLabel, MAX_LABELS, OWN_LABELS, OWNER_LABEL } from '../domain/labels.js';
import { parseRateLimit } from '../domain/rate-limit.js';
import { assertScopeForm } from '../domain/scopes.js';
import { quoted } from '../domain/text.js';
import * as shape from '../yaml/shape.js';

/** The plan checks whether a time has passed: a manifest may describe a key that has expired. */
const BEFORE_ANY_EXPIRY = new Date(0);

const SECRET_PROPERTIES = /^(key|keystring|secret|hash|guard|token)$/i;
const MADE_UP = /^(id|status|maskedkey|createdat|updatedat|lastusedat|rotatedfrom|rotatedto)$/i;

function refuseProperty(name: string): shape.Fault | null {
  if (SECRET_PROPERTIES.test(name))
    return {
      what: `has a property ${quoted(name)}, and a manifest must not hold secrets`,
      advice: 'remove it: apply creates the key string and delivers it (--key-dir)',
    };
  if (MADE_UP.test(name))
    return {
      what: `has a property ${quoted(name)}, which a manifest cannot set`,
      advice: name.toLowerCase() === 'status' ? 'write disabled: true or disabled: false' : 'remove it',
    };
  return null;
}

/** A scope by its full name: what a key may do must not change because the catalogue grew. */
function readScope(text: string): string {
  if (/:\*$/.test(text)) throw new KeysError('usage', `${quoted(text)} stands for several scopes`, 'list each of them');
  assertScopeForm(text);
  return text;
}

function readNetwork(text: string): string {
  normalizeNetworks([text]);
  return text;
}

/** The manifest's name becomes the value of a label. */
function readManifestName(text: string): string {
  if (text === '') throw new KeysError('usage', 'it is empty', 'e.g. name: partner-team');
  assertLabel(OWNER_LABEL, text);
  return text;
}

function readTime(text: string): Date | null {
  if (!/^\d{4}-/.test(text) && text !== 'never')
    throw new KeysError(
      'usage',
      `${quoted(text)} is not a date or a time`,
      'write 2027-01-31 or 2027-01-31T09:00:00Z; a duration is written as expires: 90d',
    );
  return parseExpiry(text, BEFORE_ANY_EXPIRY);
}

function readLifetime(text: string): number | null {
  return text === 'never' ? null : parseDuration(text, 'expires');
}

/** A text with what the JSON Schema says of it, read by the domain. */
function field<T>(keywords: Record<string, unknown>, read: (text: string) => T) {
  return shape.pipe(shape.text(), shape.metadata(keywords), shape.readBy(read));
}

const NAME = { pattern: '^[\\p{L}\\p{N}](.*\\S)?$', maxLength: 64 };

const scope = field(
  {
    description: 'category:action. Each scope is written out: there is no category:* here.',
    pattern: '^[a-z][a-z0-9-]{0,30}:[a-z][a-z0-9-]{0,30}$',
  },
  readScope,
);

const catalogueScope = shape.mapping(
  {
    scope,
    label: shape.optional(
      field({ description: 'The label of a category that is new, e.g. Check-in.', ...NAME }, readName),
    ),
  },
  { missing: { scope: 'write scope: plan:delete' }, refuse: refuseProperty },
);

const labels = shape.pipe(
  shape.dictionary(shape.pipe(shape.text(), shape.metadata({ pattern: '^[A-Za-z0-9._/@:+-]{0,63}$' }))),
  shape.metadata({
    description: 'All labels of the key, e.g. team: partner.',
    maxProperties: MAX_LABELS - OWN_LABELS.length,
    propertyNames: { pattern: '^[a-z0-9]([a-z0-9._/-]{0,61}[a-z0-9])?$', not: { enum: [...OWN_LABELS] } },
  }),
  shape.rawCheck(({ dataset, addIssue }) => {
    const all = (dataset.value ?? {}) as Record<string, unknown>;
    const most = MAX_LABELS - OWN_LABELS.length;
    if (Object.keys(all).length > most) addIssue({ message: shape.fault(`has more than ${most} labels`, 'use fewer') });
    for (const [name, text] of Object.entries(all)) {
      const at = { path: shape.namePath(all, name) };
      if (OWN_LABELS.includes(name))
        addIssue({ ...at, message: shape.fault(`has ${quoted(name)}`, 'remove it: apply sets it') });
      else if (typeof text === 'string')
        shape.complain(
          () => assertLabel(name, text),
          (message) => addIssue({ ...at, message }),
        );
    }
  }),
);

const key = shape.pipe(
  shape.mapping(
    {
      name: field({ description: 'Identifies the key: another name is another key.', ...NAME }, readName),
      description: shape.optional(
        shape.pipe(
          shape.nullable(field({ maxLength: 500, pattern: '^[^\\n\\r]*$' }, readDescription)),
          shape.metadata({ description: 'What the key is for, on one line; null for none.' }),
        ),
      ),
      mode: shape.pipe(
        shape.oneOf(MODES, 'a mode', 'write mode: live or mode: test'),
        shape.metadata({ description: 'Cannot be changed later.' }),
      ),
      scopes: shape.pipe(
        shape.list(scope),
        shape.nonEmpty(shape.fault('is empty', 'a key needs at least one scope, e.g. scopes: [checkin:read]')),
        shape.metadata({
          description: 'What the key may do. A key that has other scopes is rotated.',
          uniqueItems: true,
        }),
        shape.unique((item) => item),
      ),
      rateLimit: shape.optional(
        field(
          { description: 'Requests per s, m, h or d, e.g. 600/m.', pattern: '^[1-9]\\d{0,9}/[smhd]$' },
          parseRateLimit,
        ),
      ),
      expiresAt: shape.optional(
        shape.pipe(
          shape.nullable(
            field(
              {
                pattern: '^(\\d{4}-\\d\\d-\\d\\d(T\\d\\d:\\d\\d(:\\d\\d(\\.\\d{1,3})?)?(Z|[+-]\\d\\d:\\d\\d))?|never)$',
              },
              readTime,
            ),
          ),
          shape.metadata({
            description:
              'A date (from 00:00 UTC), a time with a zone, or null for never. A key that has another expiry is rotated.',
          }),
        ),
      ),
      expires: shape.optional(
        field(
          {
            description: 'How long a new key lives, e.g. 90d, or never. Says nothing about a key that exists.',
            pattern: '^([1-9]\\d{0,6}[mhdw]|never)$',
          },
          readLifetime,
        ),
      ),
      labels: shape.optional(labels),
      allowFrom: shape.optional(
        shape.pipe(
          shape.list(field({ pattern: '^[0-9A-Fa-f.:]+(/\\d{1,3})?$' }, readNetwork)),
          shape.metadata({
            description: 'All IP addresses and networks that the key works from, e.g. 10.0.0.0/8; [] for everywhere.',
            maxItems: MAX_NETWORKS,
          }),
          shape.rawCheck(({ dataset, addIssue }) => {
            if (Array.isArray(dataset.value) && dataset.value.length > MAX_NETWORKS)
              addIssue({ message: shape.fault(`has more than ${MAX_NETWORKS} networks`, 'name larger ones') });
          }),
        ),
      ),
      disabled: shape.optional(
        shape.pipe(shape.flag(), shape.metadata({ description: 'true disables the key, false enables it.' })),
      ),
    },
    {
      missing: {
        name: 'write name: partner-checkin',
        mode: 'write mode: live or mode: test',
        scopes: 'write scopes: [checkin:read]',
      },
      refuse: refuseProperty,
    },
  ),
  shape.metadata({ not: { required: ['expires', 'expiresAt'] } }),
  shape.rawCheck(({ dataset, addIssue }) => {
    const given = (dataset.value ?? {}) as Record<string, unknown>;
    if ('expires' in given && 'expiresAt' in given)
      addIssue({
        message: shape.fault('has both expiresAt and expires', 'keep one of them'),
        path: shape.namePath(given, 'expires'),
      });
  }),
);

/** What a manifest may hold. The JSON Schema for editors is made from it (`npm run schema`). */
export const manifestSchema = shape.mapping(
  {
    $schema: shape.optional(shape.text()),
    version: shape.pipe(
      shape.literal(1, shape.fault('is not supported', 'write version: 1')),
      shape.metadata({ description: 'The form of this file.' }),
    ),
    name: field(
      {
        description: 'Marks the keys of this manifest: apply changes these keys and no others.',
        pattern: '^[A-Za-z0-9._/@:+-]{1,63}$',
      },
      readManifestName,
    ),
    scopes: shape.optional(
      shape.pipe(
        shape.list(shape.mappingOr(catalogueScope, scope)),
        shape.metadata({ description: 'Scopes that the catalogue should have. Missing ones are added.' }),
        shape.unique((item) => (typeof item === 'string' ? item : (item as { scope?: unknown } | null)?.scope)),
      ),
    ),
    keys: shape.pipe(
      shape.list(key),
      shape.metadata({ description: 'The keys. A field that is not set here is left as it is.' }),
    ),
  },
  {
    missing: {
      version: 'write version: 1',
      name: 'write name: and a name that marks its keys, e.g. partner-team',
      keys: 'write keys: and a list of them; [] for none',
    },
    refuse: refuseProperty,
  },
);
