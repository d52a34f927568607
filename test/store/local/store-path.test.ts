import path from 'node:path';
import { expect, test } from 'vitest';
import { readStorePath } from '../../../src/store/local/store-path.js';

test.each([
  ['', 'usage'],
  ['   ', 'usage'],
  [':memory:', 'usage'],
  ['file:keys.db', 'usage'],
  ['FILE:///keys.db', 'usage'],
  ['a\0b', 'usage'],
  ['keys.db ', 'usage'],
  [' keys.db', 'usage'],
  ['\t', 'usage'],
  ['\u00a0', 'usage'],
  ['dir/:memory:', 'usage'],
  ['keys.db\n', 'usage'],
])('%j is not a store path', (text, code) => {
  expect(() => readStorePath(text, '/')).toThrow(expect.objectContaining({ code }));
});

test('a relative path is resolved against the working directory', () => {
  expect(readStorePath('./a/../keys.db', '/srv')).toBe(path.resolve('/srv/keys.db'));
});

test.each([
  ['libsql:keys-acme.turso.io', 'libsql://keys-acme.turso.io'],
  ['LIBSQL:keys-acme.turso.io', 'libsql://keys-acme.turso.io'],
  ['libsql:/keys-acme.turso.io', 'libsql://keys-acme.turso.io'],
  ['https:db.example', 'https://db.example'],
  ['http:/127.0.0.1:8080', 'http://127.0.0.1:8080'],
  ['wss:db.example', 'wss://db.example'],
  ['ws:db.example/a', 'ws://db.example/a'],
  ['keys-acme.turso.io', 'libsql://keys-acme.turso.io'],
  ['keys-acme.turso.io/', 'libsql://keys-acme.turso.io/'],
  ['libsql:', 'libsql://keys-acme.turso.io'],
  ['sqlite:keys.db', 'write ./ in front'],
  ['postgres:db', 'write ./ in front'],
  ['libsql:ops:hunter2@db.example', 'libsql://db.example'],
  ['https:db.example?authToken=hunter2', 'https://db.example'],
])('%s is no file, and what was meant is said: %s', (text, meant) => {
  let thrown: unknown;
  try {
    readStorePath(text, '/srv');
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toMatchObject({ code: 'usage', hint: expect.stringContaining(meant) });
  expect(`${(thrown as Error).message} ${(thrown as { hint: string }).hint}`).not.toContain('hunter2');
});

test.each([
  './libsql:keys',
  '12:30.db',
  'a/b:c.db',
  'C:keys.db',
  'keys.db',
  '/srv/https:x',
  'turso.io.db',
])('%s is a file', (text) => {
  expect(readStorePath(text, '/srv')).toBe(path.resolve('/srv', text));
});
