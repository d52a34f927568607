import fc from 'fast-check';
import { expect, test } from 'vitest';
import { linesOf } from '../../src/files/lines.js';

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
