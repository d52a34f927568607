import { chmodSync, mkdirSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { surroundingsOf } from '../../../src/store/local/directories.js';
import { openStore } from '../../../src/store/open.js';
import { LOCAL_ENGINES, options, scratch } from '../../support/stores.js';

function directory(mode: number): string {
  const folder = path.join(scratch(), 'place');
  mkdirSync(folder);
  chmodSync(folder, mode);
  return folder;
}

test.each([0o700, 0o755, 0o711])('a directory with mode %o is our own', (mode) => {
  expect(surroundingsOf(directory(mode))).toEqual({ exposed: null, shared: false });
});

test('in a directory with the sticky bit others can make files, but not touch ours', () => {
  expect(surroundingsOf(directory(0o1777))).toEqual({ exposed: null, shared: true });
});

test('a directory that everybody can write to is exposed, and so is all below it', () => {
  const folder = directory(0o777);
  const below = path.join(folder, 'below');
  mkdirSync(below, { mode: 0o700 });
  for (const each of [folder, below])
    expect(surroundingsOf(each).exposed).toMatchObject({ why: expect.stringContaining('everyone can write') });
});

test('a link is followed, and what is around both ends counts', () => {
  const [open, own] = [directory(0o777), directory(0o700)];
  symlinkSync(own, path.join(open, 'link'));
  symlinkSync(open, path.join(own, 'link'));
  expect(surroundingsOf(path.join(open, 'link')).exposed).not.toBeNull();
  expect(surroundingsOf(path.join(own, 'link')).exposed).not.toBeNull();
});

describe.each(LOCAL_ENGINES)('on %s', (engine) => {
  test('a store is refused below a directory that others can write to', async () => {
    const folder = directory(0o777);
    const below = path.join(folder, 'below');
    mkdirSync(below, { mode: 0o700 });
    for (const each of [folder, below])
      await expect(openStore(path.join(each, 'keys.db'), options(engine))).rejects.toMatchObject({
        code: 'unsafe_path',
      });
  });
});
