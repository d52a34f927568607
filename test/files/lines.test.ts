import { existsSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { linesOf, piecesOf } from '../../src/files/lines.js';
import { scratch } from '../support/stores.js';

function read(pieces: string[], limit = 100) {
  return [
    ...linesOf(
      pieces.map((piece) => Buffer.from(piece)),
      limit,
    ),
  ].map(({ bytes, ...line }) => ({
    text: bytes.toString(),
    ...line,
  }));
}

test('lines are the same however the bytes arrive', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom('a', 'bc', '\n', '\r\n', 'é'), { maxLength: 30 }), (pieces) => {
      const whole = pieces.join('');
      const expected = whole
        .replace(/\n$/, '')
        .split('\n')
        .map((line) => line.replace(/\r$/, ''));
      expect(read(pieces).map(({ text }) => text)).toEqual(whole === '' ? [] : expected);
    }),
  );
});

test('a line that is too long is left out, whatever its length, and the next is read', () => {
  const line = { ended: true, tooLong: false };
  expect(read(['ab\n', 'c'.repeat(9), 'c'.repeat(9), '\nd\n', 'e'], 10)).toEqual([
    { ...line, number: 1, text: 'ab' },
    { ...line, number: 2, text: '', tooLong: true },
    { ...line, number: 3, text: 'd' },
    { ...line, number: 4, text: 'e', ended: false },
  ]);
});

test('a line of exactly the limit is read, with what ends it in another piece or not', () => {
  const line = { number: 1, ended: true };
  expect(read(['0123456789', '\n'], 10)).toEqual([{ ...line, text: '0123456789', tooLong: false }]);
  expect(read(['01234', '567890\n'], 10)).toEqual([{ ...line, text: '', tooLong: true }]);
  expect(read(['', '\n', ''], 10)).toEqual([{ ...line, text: '', tooLong: false }]);
});

test('lines that were kept are not changed by the pieces that come after them', () => {
  const shared = Buffer.from('ab');
  const pieces = function* () {
    yield shared;
    shared.write('cd');
    yield shared;
  };
  expect([...linesOf(pieces(), 100)].map(({ bytes }) => bytes.toString())).toEqual(['abcd']);
});

test('a file is read to its end in pieces of a megabyte, and closed however the reading ends', () => {
  const file = path.join(scratch(), 'file');
  const text = '0123456789abcdef'.repeat(150_000);
  writeFileSync(file, text);
  const isOpen = () =>
    readdirSync('/proc/self/fd').some((each) => {
      const descriptor = `/proc/self/fd/${each}`;
      return existsSync(descriptor) && readlinkSync(descriptor) === file;
    });
  expect([...piecesOf(file)].map((piece) => piece.length)).toEqual([1_048_576, 1_048_576, 302_848]);
  let whole = '';
  for (const piece of piecesOf(file)) whole += piece.toString();
  expect(whole === text).toBe(true);
  for (const piece of piecesOf(file)) {
    expect([piece.length, isOpen()]).toEqual([1_048_576, true]);
    break;
  }
  expect(isOpen()).toBe(false);
  expect(() => [...piecesOf(`${file}.none`)]).toThrow(/ENOENT/);
});
