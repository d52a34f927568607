import { KeysError } from './errors.js';
import { didYouMean } from './scopes.js';
import { quoted } from './text.js';

// Checks of what a program passes to the library. TypeScript checks the same, but not for programs that are written in JavaScript, or whose
// values come from elsewhere. An option that is ignored because it is misspelt may let everybody in, so nothing is ignored.

/** Throws `usage` for a value that is not allowed. `at` names it in the message: `protect: options.scopes`. */
export type Check = (value: unknown, at: string) => void;

const FIRST_TIME = Date.parse('0001-01-01T00:00:00Z');
const LAST_TIME = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

function shown(value: unknown): string {
  if (typeof value === 'string') return quoted(value);
  if (value === null || ['undefined', 'boolean', 'number', 'bigint'].includes(typeof value)) return String(value);
  if (Array.isArray(value)) return 'an array';
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'an invalid Date' : 'a Date';
  return `a value of type ${typeof value}`;
}

function refuse(value: unknown, at: string, must: string, hint?: string): never {
  const what = reading(at, () => shown(value));
  if (value === undefined) throw new KeysError('usage', `${at} is missing: it must be ${must}`, hint);
  throw new KeysError('usage', `${at} must be ${must}, not ${what}`, hint);
}

/**
 * Reads a value that a program passed in. A getter or a proxy of that program can throw; then the value is refused like any other that is
 * not what it must be.
 */
export function reading<T>(at: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof KeysError) throw error;
    throw new KeysError('usage', `${at} cannot be read`, undefined, { cause: error });
  }
}

/** A value of which `is` is true. `must` completes "must be …". */
function check(is: (value: unknown) => boolean, must: string, hint?: string): Check {
  return (value, at) => {
    if (!reading(at, () => is(value))) refuse(value, at, must, hint);
  };
}

const isText = check((value) => typeof value === 'string', 'a string');

/** With the flag `u`, a pair of surrogates is one character. `\p{Cs}` means the same, and takes half a millisecond to compile. */
const LONE_SURROGATE = /[\ud800-\udfff]/u;

/** A string that can be stored and read back: half a character (a lone surrogate) would become another one. */
export const text: Check = (value, at) => {
  isText(value, at);
  if (LONE_SURROGATE.test(value as string))
    throw new KeysError('usage', `${at} holds half a character (a lone surrogate)`);
};

/** The path of a file. */
export const filePath: Check = (value, at) => {
  text(value, at);
  if (value === '') throw new KeysError('usage', `${at} is empty`);
  if ((value as string).includes('\0')) throw new KeysError('usage', `${at} holds a NUL character`);
};
export const number = check((value) => typeof value === 'number', 'a number');
export const flag = check((value) => typeof value === 'boolean', 'true or false');
export const abortSignal = check((value) => value instanceof AbortSignal, 'an AbortSignal');
export const callback = check((value) => typeof value === 'function', 'a function');

/** A text that no message repeats. */
export const secretText: Check = (value, at) => {
  if (typeof value !== 'string') throw new KeysError('usage', `${at} must be a string`);
};

/** A date that can be stored and shown: of the years 1 to 9999. */
export const time = check(
  (value) => value instanceof Date && value.getTime() >= FIRST_TIME && value.getTime() <= LAST_TIME,
  'a Date of the years 1 to 9999',
);

/** The date of a new expiry. */
export const expiryTime = check(
  (value) => value instanceof Date && value.getTime() >= FIRST_TIME && value.getTime() <= LAST_TIME,
  'a Date of the years 1 to 9999, or null',
  "for a lifetime, use expires: '90d'",
);

export function wholeNumber(min: number, max: number): Check {
  const is = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max;
  return check(is, `a whole number from ${min} to ${max}`);
}

export function oneOf(words: readonly string[]): Check {
  return (value, at) => {
    if (!words.includes(value as string)) refuse(value, at, words.map((word) => `'${word}'`).join(' or '));
  };
}

/** Null, or what `other` accepts. */
export function orNull(other: Check): Check {
  return (value, at) => {
    if (value !== null) other(value, at);
  };
}

export function listOf(item: Check, of: string): Check {
  return (value, at) => {
    if (!Array.isArray(value)) return refuse(value, at, `an array of ${of}`);
    reading(at, () => {
      for (let i = 0; i < value.length; i++) item(value[i], `${at}[${i}]`); // a hole is undefined, and is refused
    });
  };
}

export const texts = listOf(text, 'strings');

function isDateMapOrSet(value: object): boolean {
  return reading('a value', () => value instanceof Date || value instanceof Map || value instanceof Set);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return !isDateMapOrSet(value);
}

/** An object of which every value passes `item`. */
export function recordOf(item: Check, of: string): Check {
  return (value, at) => {
    if (!isRecord(value)) return refuse(value, at, `an object of ${of}`);
    for (const [name, each] of reading(at, () => Object.entries(value))) item(each, `${at}[${quoted(name)}]`);
  };
}

/** An object with these properties and no other. All but those of `needed` may be left out, or be undefined. */
export function shape<T>(checks: { readonly [F in keyof T]-?: Check }, needed: readonly (keyof T)[] = []): Check {
  let list: [string, Check][] | undefined; // made at first use: a run uses a few of many shapes
  return (value, at) => {
    if (!isRecord(value)) return refuse(value, at, `an object with ${Object.keys(checks).join(', ')}`);
    const strange = reading(at, () => Object.keys(value)).find((name) => !Object.hasOwn(checks, name));
    if (strange !== undefined) refuseProperty(strange, at, Object.keys(checks));
    list ??= Object.entries(checks) as [string, Check][];
    for (const [name, check] of list) {
      const given = reading(`${at}.${name}`, () => value[name]);
      if (given !== undefined || needed.includes(name as keyof T)) check(given, `${at}.${name}`);
    }
  };
}

function refuseProperty(name: string, at: string, known: readonly string[]): never {
  const guess = didYouMean(name, known);
  throw new KeysError(
    'usage',
    `${at} has an unknown property ${quoted(name)}`,
    guess === null ? `known properties: ${known.join(', ')}` : `did you mean ${guess}?`,
  );
}
