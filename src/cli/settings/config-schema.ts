import { KeysError } from '../../domain/errors.js';
import { parseExpiry } from '../../domain/expiry.js';
import { parseRateLimit } from '../../domain/rate-limit.js';
import { quoted } from '../../domain/text.js';
import { readStorePath } from '../../store/local/store-path.js';
import { isStoreUrl, parseStoreUrl } from '../../store/remote/address.js';
import * as shape from '../../yaml/shape.js';
import { FORMATS } from './global-flags.js';

const PROFILE_NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/i;
/** Names that JavaScript objects have without being asked. */
const RESERVED_NAMES = ['constructor', 'prototype'];

/** An expiry in the past must not stop every command: only `create` checks whether it has passed. */
const BEFORE_ANY_EXPIRY = new Date(0);

/**
 * Throws `usage` for a text that is a token where only the place of one belongs, without repeating it. libSQL servers take JSON Web
 * Tokens, and nothing else begins as they do.
 */
function assertNoToken(text: string): void {
  if (/\beyJ[\w-]{8,}\.[\w-]{8,}/.test(text))
    throw new KeysError(
      'usage',
      'this is a token itself',
      'put it where only you can read it, and name the file (tokenFile) or the command that prints it (tokenCommand)',
    );
}

function refuseSetting(name: string): shape.Fault | null {
  if (!/^(auth|access|api)?[_-]?token$/i.test(name)) return null;
  return {
    what: 'holds a token, and a token does not belong in this file',
    advice: 'name where it comes from: tokenFile or tokenCommand',
  };
}

const guard = (description: string) => shape.optional(shape.pipe(shape.flag(), shape.metadata({ description })));

const WORDS = 'write a list, not a shell line: [op, read, "op://ops/token"]';

const tokenCommand = shape.pipe(
  shape.list(
    shape.pipe(
      shape.text(),
      shape.check((word) => !word.includes('\0'), shape.fault('holds a NUL character', 'remove it')),
      shape.checkedBy(assertNoToken),
    ),
    WORDS,
    'a list of words',
  ),
  shape.nonEmpty(shape.fault('is empty', WORDS)),
  shape.metadata({ description: 'A program that prints the token, and its arguments. No shell runs it.' }),
  shape.rawCheck(({ dataset, addIssue }) => {
    const words: readonly unknown[] = Array.isArray(dataset.value) ? dataset.value : [];
    if (typeof words[0] === 'string' && words[0].trim() === '')
      addIssue({ message: shape.fault('is empty', WORDS), path: shape.itemPath(words, 0) });
  }),
);

const defaults = shape.pipe(
  shape.mapping({
    output: shape.optional(shape.oneOf(FORMATS, 'an output format', `one of: ${FORMATS.join(', ')}`)),
    expires: shape.optional(
      shape.pipe(
        shape.line(),
        shape.metadata({ description: 'The expiry of new keys: 90d, 2027-01-31, never.' }),
        shape.checkedBy((text) => parseExpiry(text, BEFORE_ANY_EXPIRY)),
      ),
    ),
    rateLimit: shape.optional(
      shape.pipe(
        shape.line(),
        shape.metadata({ description: 'The rate limit of new keys, e.g. 600/m.', pattern: '^[1-9]\\d{0,9}/[smhd]$' }),
        shape.checkedBy(parseRateLimit),
      ),
    ),
  }),
  shape.metadata({ description: 'What applies where no flag is given.' }),
);

const profile = shape.pipe(
  shape.mapping(
    {
      store: shape.pipe(
        shape.line(),
        shape.metadata({ description: 'A path, or the URL of a libSQL server (libsql://, https://, wss://).' }),
      ),
      tokenFile: shape.optional(
        shape.pipe(
          shape.line(),
          shape.metadata({ description: 'A file that holds the token of the server and that only you can read.' }),
          shape.checkedBy(assertNoToken),
        ),
      ),
      tokenCommand: shape.optional(tokenCommand),
      pepperFile: shape.optional(
        shape.pipe(
          shape.line(),
          shape.metadata({ description: 'A file that holds the peppers of the store and that only you can read.' }),
        ),
      ),
      allowHttp: guard('true: a connection to the server may be unencrypted.'),
      protected: guard('true: disabling or deleting a key needs its name (scripts: --confirm NAME).'),
      testOnly: guard('true: live keys are neither created nor changed.'),
      defaults: shape.optional(defaults),
    },
    { missing: { store: 'write store: and a path, or the URL of a libSQL server' }, refuse: refuseSetting },
  ),
  shape.metadata({ not: { required: ['tokenFile', 'tokenCommand'] } }),
  shape.rawCheck(({ dataset, addIssue }) => {
    const given = (dataset.value ?? {}) as Record<string, unknown>;
    const { store, allowHttp } = given;
    if (given.tokenFile !== undefined && given.tokenCommand !== undefined)
      addIssue({
        message: shape.fault('has both tokenFile and tokenCommand', 'keep one of them'),
        path: shape.namePath(given, 'tokenCommand'),
      });
    if (typeof store === 'string' && store.trim() !== '')
      shape.complain(
        () => (isStoreUrl(store) ? parseStoreUrl(store, { allowHttp: allowHttp === true }) : readStorePath(store, '/')),
        (message) => addIssue({ message, path: shape.valuePath(given, 'store') }),
      );
  }),
);

/** What the configuration file may hold. The JSON Schema for editors is made from it (`npm run schema`). */
export const configSchema = shape.mapping({
  default: shape.optional(
    shape.pipe(shape.line(), shape.metadata({ description: 'The profile that is used where none is named.' })),
  ),
  profiles: shape.optional(
    shape.pipe(
      shape.nullable(
        shape.pipe(
          shape.dictionary(profile),
          shape.metadata({
            propertyNames: { pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$', not: { enum: RESERVED_NAMES } },
          }),
        ),
      ),
      shape.metadata({ description: 'Named stores, for --profile NAME.' }),
      shape.rawCheck(({ dataset, addIssue }) => {
        const all = (dataset.value ?? {}) as Record<string, unknown>;
        for (const name of Object.keys(all))
          if (!PROFILE_NAME.test(name) || RESERVED_NAMES.includes(name))
            addIssue({
              message: shape.fault(
                `: ${quoted(name)} is not a name for a profile`,
                'use up to 64 letters, digits, dots, dashes and underscores',
              ),
              path: shape.namePath(all, name),
            });
      }),
    ),
  ),
});
