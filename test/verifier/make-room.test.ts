import { expect, test } from 'vitest';
import { makeRoom } from '../../src/verifier/make-room.js';

test.each([undefined, 100])('of so many entries the oldest makes room for another: %s', (max) => {
  const size = max ?? 10_000;
  const map = new Map(Array.from({ length: size }, (_, i) => [`id ${i}`, i]));
  makeRoom(map, max);
  expect([map.size, map.has('id 0'), map.has('id 1')]).toEqual([size - 1, false, true]);
  makeRoom(map, max);
  expect(map.size).toBe(size - 1);
});
