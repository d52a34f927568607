import zlib from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { crc32 } from '../../src/domain/crc32.js';

test('is what zlib computes, for all ASCII text', () => {
  expect(crc32('')).toBe(0);
  expect(crc32('123456789')).toBe(0xcbf43926); // the check value of the standard
  const ascii = fc.string({ unit: 'binary-ascii', maxLength: 200 });
  fc.assert(fc.property(ascii, (text) => crc32(text) === zlib.crc32(text) >>> 0));
});
