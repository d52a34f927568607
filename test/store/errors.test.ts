import { expect, test } from 'vitest';
import { KeysError } from '../../src/domain/errors.js';
import { isBusy, translate } from '../../src/store/errors.js';

const driver = (code: string, message = 'said by the driver') => Object.assign(new Error(message), { code });

test.each([
  ['SQLITE_BUSY', 'store_busy'],
  ['SQLITE_BUSY_SNAPSHOT', 'store_busy'],
  ['SQLITE_LOCKED_SHAREDCACHE', 'store_busy'],
  ['SQLITE_FULL', 'store_full'],
  ['SQLITE_IOERR_WRITE', 'store_full'],
  ['SQLITE_IOERR_FSYNC', 'store_full'],
  ['SQLITE_CORRUPT', 'store_corrupt'],
  ['SQLITE_CORRUPT_INDEX', 'store_corrupt'],
  ['SQLITE_NOTADB', 'store_corrupt'],
  ['SQLITE_READONLY_DIRECTORY', 'store_read_only'],
  ['SQLITE_PERM', 'store_read_only'],
  ['SQLITE_IOERR_READ', 'store_unavailable'],
  ['SQLITE_CANTOPEN', 'store_unavailable'],
  ['SQLITE_ERROR', 'store_unavailable'],
  ['SQLITE_CONSTRAINT_CHECK', 'conflict'],
  ['SQLITE_CONSTRAINT_TRIGGER', 'conflict'],
])('%s is %s, and what the driver said is its cause only', (code, kind) => {
  const cause = driver(code);
  const error = translate(cause, '/srv/keys.db') as KeysError;
  expect(error).toBeInstanceOf(KeysError);
  expect(error).toMatchObject({ code: kind, cause });
  expect(`${error.message}${error.hint}`).not.toContain('said by the driver');
});

test.each([
  ['unlk:name-taken', 'name_taken'],
  ['unlk:id-taken', 'conflict'],
  ['unlk:append-only', 'conflict'],
  ['unlk:immutable', 'conflict'],
])('a refusal by our own trigger, %s, is %s', (text, kind) => {
  expect(translate(driver('SQLITE_CONSTRAINT_TRIGGER', text), 'x')).toMatchObject({ code: kind });
});

test.each([
  new KeysError('usage', 'x'),
  new TypeError('a bug'),
  driver('ENOENT'),
  'text',
  null,
])('what is not an error of SQLite passes through: %s', (error) => {
  expect(translate(error, 'x')).toBe(error);
  expect(isBusy(error)).toBe(false);
});
