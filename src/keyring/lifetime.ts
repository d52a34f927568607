import type { ApiKey } from '../domain/api-key.js';
import { LAST_INSTANT } from '../domain/expiry.js';

const MINUTE_MS = 60_000;

/**
 * When a key expires that is made now to live as long as `key` was made to; null for never. The lifetime is rounded up to minutes: a key
 * is written a moment after it was asked for.
 */
export function sameLifetime({ createdAt, expiresAt }: ApiKey, now: Date): Date | null {
  if (expiresAt === null) return null;
  const lifetime = Math.ceil((expiresAt.getTime() - createdAt.getTime()) / MINUTE_MS) * MINUTE_MS;
  return new Date(Math.min(now.getTime() + lifetime, LAST_INSTANT));
}
