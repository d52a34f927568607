import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { explainErrno } from '../../src/files/errno.js';
import { cannotWrite, createPrivateFile, type ReadRules, readTextFile } from '../../src/files/private-file.js';
import { scratch } from '../support/stores.js';

const RULES: ReadRules = { what: 'the list', code: 'unsafe_path', maxBytes: 2048, hint: 'name another' };

describe('reading', () => {
  const read = (make: (file: string) => void, rules: Partial<ReadRules> = {}) => {
    const file = path.join(scratch(), 'list');
    make(file);
    return readTextFile(file, { ...RULES, ...rules });
  };

  test('a file of exactly the allowed size is read whole', () => {
    expect(read((file) => writeFileSync(file, 'x'.repeat(2048)))).toBe('x'.repeat(2048));
  });

  test.each<[what: string, why: string, make: (file: string) => void, rules?: Partial<ReadRules>]>([
    ['that does not exist', 'there is no such file', () => {}],
    ['that is a directory', 'it is not a regular file', (file) => mkdirSync(file)],
    [
      'that is a directory, where pipes are read',
      'it is not a regular file',
      (file) => mkdirSync(file),
      { pipes: true },
    ],
    ['that is one byte too large', 'it is larger than 2 KiB', (file) => writeFileSync(file, 'x'.repeat(2049))],
    [
      'that is far too large',
      'it is larger than 2 KiB',
      (file) => {
        writeFileSync(file, '');
        truncateSync(file, 2 ** 40);
      },
    ],
    ['that is not UTF-8', 'it is not UTF-8 text', (file) => writeFileSync(file, Uint8Array.of(0x41, 0xff))],
    [
      'that the group can read',
      'other users can read it',
      (file) => writeFileSync(file, '', { mode: 0o640 }),
      { ownerOnly: true },
    ],
    [
      'behind a link, where links are refused',
      'it is a symbolic link, or a loop of them',
      (file) => symlinkSync('/dev/null', file),
      { noLinks: true },
    ],
  ])('a file %s is refused', (_, why, make, rules) => {
    expect(() => read(make, rules)).toThrow(
      expect.objectContaining({
        code: 'unsafe_path',
        message: expect.stringMatching(new RegExp(`^cannot read the list ".*": ${why}$`)),
      }),
    );
  });

  test('a device is read only where pipes are', () => {
    expect(readTextFile('/dev/null', { ...RULES, pipes: true })).toBe('');
    expect(() => readTextFile('/dev/null', RULES)).toThrow('it is not a regular file');
    expect(() => readTextFile('/dev/zero', { ...RULES, pipes: true })).toThrow('it is larger than 2 KiB');
  });

  test('a byte-order mark goes, unless the text is to be written back', () => {
    const make = (file: string) => writeFileSync(file, '\uFEFFa');
    expect(read(make)).toBe('a');
    expect(read(make, { keepMark: true })).toBe('\uFEFFa');
  });

  test('what the caller refuses about the open file is thrown as it is', () => {
    const check = () => {
      throw new RangeError('not today');
    };
    expect(() => read((file) => writeFileSync(file, ''), { check })).toThrow();
  });
});

describe('writing', () => {
  test('a new file is its owner’s alone, whatever the umask, and holds the text', () => {
    const file = path.join(scratch(), 'new');
    const before = process.umask(0);
    const created = createPrivateFile(file);
    process.umask(before);
    created.fill('secret\n');
    expect(readFileSync(file, 'utf8')).toBe('secret\n');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(() => created.fill('again')).toThrow('already');
  });

  test('nothing is overwritten, not even through a link that leads nowhere', () => {
    const folder = scratch();
    writeFileSync(path.join(folder, 'old'), 'old');
    symlinkSync('nowhere', path.join(folder, 'link'));
    for (const name of ['old', 'link'])
      expect(() => createPrivateFile(path.join(folder, name))).toThrow(expect.objectContaining({ code: 'EEXIST' }));
    expect(readFileSync(path.join(folder, 'old'), 'utf8')).toBe('old');
    expect(existsSync(path.join(folder, 'nowhere'))).toBe(false);
  });

  test('a file takes the place of another as a whole, or leaves nothing behind', () => {
    const folder = scratch();
    const target = path.join(folder, 'target');
    writeFileSync(target, 'old');
    const created = createPrivateFile(path.join(folder, 'next'));
    created.replace(target, 'new');
    created.discard();
    expect(readFileSync(target, 'utf8')).toBe('new');
    expect(() => createPrivateFile(path.join(folder, 'next')).replace(path.join(folder, 'gone/target'), 'x')).toThrow();
    createPrivateFile(path.join(folder, 'next')).discard();
    expect(readdirSync(folder)).toEqual(['target']);
  });

  test('where the directory can be written to but not read, a file is written all the same', () => {
    const folder = path.join(scratch(), 'drop');
    mkdirSync(folder);
    chmodSync(folder, 0o300);
    createPrivateFile(path.join(folder, 'new')).fill('x');
    chmodSync(folder, 0o700);
    expect(readFileSync(path.join(folder, 'new'), 'utf8')).toBe('x');
  });

  test.each([
    ['EEXIST', 'conflict', 'it already exists, and is never overwritten'],
    ['ENOENT', 'usage', 'its directory does not exist'],
    ['EACCES', 'usage', 'permission denied'],
    ['ENOSPC', 'usage', 'the disk is full'],
    ['EWEIRD', 'usage', 'EWEIRD'],
  ])('%s is put into words', (errno, code, why) => {
    expect(cannotWrite(Object.assign(new Error('x'), { code: errno }), '--key-file', 'a', 'hint')).toMatchObject({
      code,
      message: `cannot write --key-file "a": ${why}`,
      hint: 'hint',
    });
  });

  test('what is no error of the file system is called unknown', () => {
    expect(explainErrno(null)).toBe('unknown error');
  });
});
