import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ERRORS } from '../../src/domain/error-codes.js';
import { isKeysError, KeysError } from '../../src/domain/errors.js';

test('docs/library.md lists every error code with its exit code and its meaning', () => {
  const text = readFileSync(new URL('../../docs/library.md', import.meta.url), 'utf8');
  const rows = [...text.matchAll(/^\| `(\w+)` +\| (\d+) +\| (.*?) +\|$/gm)].map((row) => row.slice(1));
  expect(rows).toEqual(Object.entries(ERRORS).map(([code, { exit, means }]) => [code, String(exit), means]));
});

test('an error is told by its code', () => {
  const error = new KeysError('conflict', 'x', 'y');
  expect(isKeysError(error)).toBe(true);
  expect(isKeysError(error, 'usage', 'conflict')).toBe(true);
  expect(isKeysError(error, 'usage')).toBe(false);
  expect(isKeysError(new Error('x'))).toBe(false);
  expect(error).toMatchObject({ name: 'KeysError', code: 'conflict', message: 'x', hint: 'y' });
});
