import { KeysError } from './errors.js';
import { holdsKeyString, type Mode } from './key-string.js';
import type { Labels } from './labels.js';
import type { RateLimit } from './rate-limit.js';
import { hasUnsafeText, quoted } from './text.js';

export type Status = 'active' | 'inactive';
/** What people see: `expired` is derived from the time, and an inactive key stays inactive when its time runs out. */
export type DisplayStatus = Status | 'expired';

/** The record. It holds nothing secret, so it may be printed, logged and sent anywhere. */
export interface ApiKey {
  readonly id: string;
  readonly name: string;
  readonly description: string | null;
  readonly mode: Mode;
  readonly scopes: readonly string[];
  readonly status: Status;
  readonly rateLimit: RateLimit;
  readonly expiresAt: Date | null;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly lastUsedAt: Date | null;
  readonly labels: Labels;
  /** The id of the key that this one was made to replace; it may be gone. */
  readonly rotatedFrom: string | null;
  /** The id of the key that replaces this one. */
  readonly rotatedTo: string | null;
}

/** The instant of expiry is already too late: a key with `expiresAt` 12:00 is refused at 12:00. */
export function statusAt(key: Pick<ApiKey, 'status' | 'expiresAt'>, now: Date): DisplayStatus {
  if (key.status === 'inactive') return 'inactive';
  return key.expiresAt !== null && key.expiresAt <= now ? 'expired' : 'active';
}

const MAX_NAME = 64;
const MAX_DESCRIPTION = 500;

function refuseSecret(text: string, what: string): void {
  if (holdsKeyString(text)) {
    throw new KeysError(
      'usage',
      `the ${what} contains a key string`,
      `a ${what} is not secret: choose another, and treat that key as leaked (unlockos-keys disable --stdin)`,
    );
  }
}

/**
 * A name as it will be stored: Unicode NFC, 1 to 64 code points, beginning with a letter or a digit, nothing invisible, no blank at
 * its end. Throws `usage` with the reason.
 */
export function readName(text: string): string {
  if (text.length > 4 * MAX_NAME)
    throw new KeysError('usage', `the name has more than ${MAX_NAME} characters`, 'choose a shorter one');
  const name = text.normalize('NFC');
  refuseSecret(name, 'name');
  if (name.trim() === '')
    throw new KeysError('usage', 'the name is empty', 'a name begins with a letter or a digit, e.g. partner-checkin');
  if (hasUnsafeText(name))
    throw new KeysError(
      'usage',
      `name ${quoted(name)} holds invisible or control characters`,
      'use letters, digits, spaces and punctuation',
    );
  if (!/^[\p{L}\p{N}]/u.test(name))
    throw new KeysError(
      'usage',
      `name ${quoted(name)} does not begin with a letter or a digit`,
      'e.g. partner-checkin',
    );
  if (name !== name.trimEnd()) throw new KeysError('usage', `name ${quoted(name)} ends in a blank`, 'remove it');
  if (Array.from(name).length > MAX_NAME)
    throw new KeysError('usage', `the name has more than ${MAX_NAME} characters`, 'choose a shorter one');
  return name;
}

/** The form in which names are compared and kept unique: NFC, lower case. */
export function nameKey(name: string): string {
  return name.normalize('NFC').toLowerCase();
}

/** A description as it will be stored, or null for none. Up to 500 code points on one line. */
export function readDescription(text: string): string | null {
  if (text.length > 4 * MAX_DESCRIPTION)
    throw new KeysError('usage', `the description has more than ${MAX_DESCRIPTION} characters`, 'shorten it');
  const description = text.normalize('NFC').trim();
  if (description === '') return null;
  refuseSecret(description, 'description');
  if (hasUnsafeText(description))
    throw new KeysError(
      'usage',
      'the description holds line breaks, invisible or control characters',
      'write it on one line',
    );
  if (Array.from(description).length > MAX_DESCRIPTION)
    throw new KeysError('usage', `the description has more than ${MAX_DESCRIPTION} characters`, 'shorten it');
  return description;
}

/** The scripts that a name mixes, when it mixes some that look alike: worth a warning, because `раrtner` is not `partner`. */
export function mixedScripts(name: string): string[] {
  const scripts = [
    ['Latin', /\p{Script=Latin}/u],
    ['Cyrillic', /\p{Script=Cyrillic}/u],
    ['Greek', /\p{Script=Greek}/u],
    ['Armenian', /\p{Script=Armenian}/u],
    ['Hebrew', /\p{Script=Hebrew}/u],
    ['Arabic', /\p{Script=Arabic}/u],
  ] as const;
  const found = scripts.filter(([, pattern]) => pattern.test(name)).map(([script]) => script);
  return found.length > 1 ? found : [];
}
