import { expect, test } from 'vitest';
import { decodeText, NotText } from '../../src/files/text.js';

const bytes = (...all: number[]) => Uint8Array.from(all);

function decoded(all: Uint8Array, options?: { keepMark: boolean }): string {
  try {
    return decodeText(all, options);
  } catch (error) {
    if (error instanceof NotText) return `refused: ${error.message}`;
    throw error;
  }
}

test.each([
  ['nothing', bytes(), ''],
  ['one letter', bytes(0x41), 'A'],
  ['letters of several bytes', Buffer.from('é🙂'), 'é🙂'],
  ['a NUL alone', bytes(0), '\0'],
  ['two NULs', bytes(0, 0), '\0\0'],
  ['a NUL behind two letters', bytes(0x41, 0x41, 0), 'AA\0'],
  ['half of a mark of UTF-16', bytes(0xff), 'refused: it is not UTF-8 text'],
  ['a mark of UTF-16, little end first', bytes(0xff, 0xfe, 0x41, 0), 'refused: it is UTF-16 text'],
  ['a mark of UTF-16, big end first', bytes(0xfe, 0xff, 0, 0x41), 'refused: it is UTF-16 text'],
  ['UTF-16 without a mark, little end first', bytes(0x41, 0), 'refused: it is UTF-16 text'],
  ['UTF-16 without a mark, big end first', bytes(0, 0x41), 'refused: it is UTF-16 text'],
  ['a byte of Latin-1', bytes(0x41, 0xe9, 0x41), 'refused: it is not UTF-8 text'],
  ['two bytes of one kind that begin no mark', bytes(0xff, 0xff), 'refused: it is not UTF-8 text'],
  ['two other bytes that begin no mark', bytes(0xfe, 0xfe), 'refused: it is not UTF-8 text'],
  ['a letter that is cut off', bytes(0x41, 0xc3), 'refused: it is not UTF-8 text'],
])('%s', (_, all, text) => {
  expect(decoded(all)).toBe(text);
});

test('a byte-order mark is dropped, or kept for a text that is written back; inside a text it stays', () => {
  const marked = Buffer.from('\ufeffA\ufeff');
  expect([decoded(marked), decoded(marked, { keepMark: true })]).toEqual(['A\ufeff', '\ufeffA\ufeff']);
});
