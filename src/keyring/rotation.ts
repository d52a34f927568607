import type { ApiKey } from '../domain/api-key.js';
import { KeysError } from '../domain/errors.js';
import type { Retirement } from '../domain/key-store.js';
import { type Labels, settleLabels } from '../domain/labels.js';
import { type CatalogueScope, resolveScopes } from '../domain/scopes.js';
import { quoted } from '../domain/text.js';
import type { SettledInput } from './minting.js';

/** In what the new key differs from the one that it replaces. */
export interface RotateInput {
  /** Those of the old key when absent. */
  readonly scopes?: readonly string[] | undefined;
  /** Null: never. Absent: as long a life, from now on, as the old key was made for. */
  readonly expiresAt?: Date | null | undefined;
  /** All of them; those of the old key when absent. */
  readonly labels?: Labels | undefined;
  /** How long the old key goes on working, in milliseconds; it never lives longer than it would have. */
  readonly overlapMs: number;
}

/** A key and the one that it replaced. The key string exists in this value alone. */
export interface RotatedKey {
  readonly key: ApiKey;
  readonly keyString: string;
  readonly retired: ApiKey;
}

export interface RotationPlan {
  readonly successor: SettledInput;
  readonly retirement: Retirement;
}

const MAX_NAME = 64;

/** The name of a key that another took the name of: short enough, whatever it was. */
export function retiredName({ name, id }: Pick<ApiKey, 'name' | 'id'>): string {
  const suffix = ` (old ${id})`;
  const kept = Array.from(name).slice(0, MAX_NAME - suffix.length);
  return `${kept.join('').trimEnd()}${suffix}`;
}

/**
 * Works out what a rotation writes. Throws `conflict` for a key that is inactive, for its successor would be active, and for one that was
 * rotated already; `usage` for scopes that no new key can take. Scopes that stay as they are may be retired.
 */
export function planRotation(
  key: ApiKey,
  input: RotateInput,
  catalogue: readonly CatalogueScope[],
  now: Date,
): RotationPlan {
  if (key.status === 'inactive')
    throw new KeysError(
      'conflict',
      `key ${quoted(key.name)} (${key.id}) is inactive, and what replaces it would be active`,
      `enable it first: unlockos-keys enable ${key.id}; or make another: create --like ${key.id}`,
    );
  if (key.rotatedTo !== null)
    throw new KeysError(
      'conflict',
      `key ${quoted(key.name)} (${key.id}) was rotated already, to ${key.rotatedTo}`,
      `see that one: unlockos-keys show ${key.rotatedTo}`,
    );
  const lifetime = key.expiresAt && key.expiresAt.getTime() - key.createdAt.getTime();
  const sameLife = lifetime === null ? null : new Date(now.getTime() + lifetime);
  const end = new Date(now.getTime() + input.overlapMs);
  return {
    successor: {
      name: key.name,
      description: key.description,
      mode: key.mode,
      scopes: input.scopes ? resolveScopes(input.scopes, catalogue) : key.scopes,
      rateLimit: key.rateLimit,
      expiresAt: input.expiresAt === undefined ? sameLife : input.expiresAt,
      labels: settleLabels(input.labels ?? key.labels),
      rotatedFrom: key.id,
    },
    retirement: {
      name: retiredName(key),
      expiresAt: key.expiresAt && key.expiresAt < end ? key.expiresAt : end,
      seen: key,
    },
  };
}
