import { mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { makeDirectory } from '../../src/files/make-directory.js';
import { scratch } from '../support/stores.js';

const modeOf = (folder: string) => statSync(folder).mode & 0o777;

test('makes a directory and those above it that are missing, each for this user alone, whatever the umask', () => {
  const root = path.join(scratch(), 'root');
  mkdirSync(root, { mode: 0o755 });
  const before = process.umask(0);
  makeDirectory(path.join(root, 'a/b/c'));
  process.umask(before);
  expect(['a', 'a/b', 'a/b/c'].map((name) => modeOf(path.join(root, name)))).toEqual([0o700, 0o700, 0o700]);
  expect(modeOf(root)).toBe(0o755);
  makeDirectory(path.join(root, 'a/b'));
  makeDirectory(path.parse(root).root);
  expect(readdirSync(path.join(root, 'a/b'))).toEqual(['c']);
});

test('a link to a directory is one; a file, and a link that leads nowhere, are in the way and say so', () => {
  const root = scratch();
  mkdirSync(path.join(root, 'real'));
  symlinkSync('real', path.join(root, 'link'));
  makeDirectory(path.join(root, 'link/below'));
  expect(readdirSync(path.join(root, 'real'))).toEqual(['below']);
  writeFileSync(path.join(root, 'file'), '');
  symlinkSync('nowhere', path.join(root, 'lost'));
  for (const name of ['file', 'lost'])
    expect(() => makeDirectory(path.join(root, name))).toThrow(expect.objectContaining({ code: 'EEXIST' }));
  expect(() => makeDirectory(path.join(root, 'file/below'))).toThrow(expect.objectContaining({ code: 'ENOTDIR' }));
  expect(readdirSync(root).toSorted()).toEqual(['file', 'link', 'lost', 'real']);
});
