import { expect, test } from 'vitest';
import type { ApiKey } from '../../src/domain/api-key.js';
import { sameLifetime } from '../../src/keyring/lifetime.js';

const NOW = new Date('2026-11-23T10:00:00.000Z');
const lived = (createdAt: string, expiresAt: string | null) =>
  sameLifetime({ createdAt: new Date(createdAt), expiresAt: expiresAt && new Date(expiresAt) } as ApiKey, NOW);

test.each([
  ['2025-01-01T00:00:00.000Z', '2025-01-02T00:00:00.000Z', '2026-11-24T10:00:00.000Z'],
  ['2025-01-01T00:00:00.123Z', '2025-01-02T00:00:00.000Z', '2026-11-24T10:00:00.000Z'],
  ['2025-01-01T00:00:00.000Z', '2025-01-01T00:00:00.001Z', '2026-11-23T10:01:00.000Z'],
  ['2025-01-01T00:00:00.000Z', '2025-01-01T00:01:00.001Z', '2026-11-23T10:02:00.000Z'],
  ['2025-01-01T00:00:00.000Z', '9999-12-31T23:59:59.999Z', '9999-12-31T23:59:59.999Z'],
])('a key made at %s to live until %s lives until %s when it is made again', (createdAt, expiresAt, again) => {
  expect(lived(createdAt, expiresAt)?.toISOString()).toBe(again);
});

test('one that never expires does not either', () => {
  expect(lived('2025-01-01T00:00:00.000Z', null)).toBeNull();
});
