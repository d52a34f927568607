import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { isThere, lookFor } from '../../src/files/exists.js';
import { scratch } from '../support/stores.js';

test('tells what is there from what is not', () => {
  const folder = scratch();
  writeFileSync(path.join(folder, 'file'), '');
  mkdirSync(path.join(folder, 'folder'));
  symlinkSync('nowhere', path.join(folder, 'link'));
  expect(['file', 'folder', 'link', 'none', 'none/none'].map((name) => isThere(path.join(folder, name)))).toEqual([
    true,
    true,
    true,
    false,
    false,
  ]);
});

test('a link is what is there, not what it leads to; what is below a file is no answer', () => {
  const folder = scratch();
  writeFileSync(path.join(folder, 'file'), '');
  symlinkSync('nowhere', path.join(folder, 'link'));
  expect(lookFor(path.join(folder, 'link'))?.isSymbolicLink()).toBe(true);
  expect(lookFor(path.join(folder, 'none'))).toBeNull();
  expect(() => lookFor(path.join(folder, 'file/none'))).toThrow('ENOTDIR');
});

test('where it cannot tell, it names what is in the way', () => {
  const folder = scratch();
  writeFileSync(path.join(folder, 'file'), '');
  symlinkSync('loop', path.join(folder, 'loop'));
  const uid = process.getuid?.();
  expect(() => isThere(path.join(folder, 'file/keys.db'))).toThrow(`file" belongs to uid ${uid}`);
  expect(() => isThere(path.join(folder, 'loop/keys.db'))).toThrow(/loop of them/);
});
