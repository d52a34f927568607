import { KeysError } from './errors.js';
import { maskedId } from './key-parts.js';
import { holdsKeyString, isKeyId } from './key-string.js';
import { hasUnsafeText, quoted } from './text.js';

// Names and descriptions of keys: what may be one, and when two are the same.

/** The most characters of a name. */
export const MAX_NAME = 64;
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

/** A blank that is drawn like U+0020 or not at all, and makes another name of it: no-break and wide spaces, and the blank of Braille. */
const otherBlank = () => /(?! )[\p{Zs}\s\u2800]/u;

/**
 * A name as it will be stored: Unicode NFC, 1 to 64 code points, beginning with a letter or a digit, nothing invisible, no blank but
 * U+0020, and none at the end. Throws `usage` with the reason.
 */
export function readName(text: string): string {
  if (text.length > 4 * MAX_NAME)
    throw new KeysError('usage', `the name has more than ${MAX_NAME} characters`, 'choose a shorter one');
  const name = text.normalize('NFC');
  refuseSecret(name, 'name');
  refuseLostText(name, 'name');
  if (name.trim() === '')
    throw new KeysError('usage', 'the name is empty', 'a name begins with a letter or a digit, e.g. partner-checkin');
  if (hasUnsafeText(name))
    throw new KeysError(
      'usage',
      `name ${quoted(name)} contains invisible or control characters`,
      'use letters, digits, spaces and punctuation',
    );
  const isAscii = /^[\x20-\x7e]*$/.test(name); // then no table of Unicode is needed
  const blank = isAscii ? undefined : otherBlank().exec(name)?.[0];
  const shown = `U+${blank?.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}`;
  if (blank !== undefined)
    throw new KeysError(
      'usage',
      `name ${quoted(name.replaceAll(blank, shown))} contains the blank ${shown}, which is not a space`,
      'use the space character, U+0020',
    );
  if (!(isAscii ? /^[A-Za-z0-9]/ : /^[\p{L}\p{N}]/u).test(name))
    throw new KeysError(
      'usage',
      `name ${quoted(name)} does not begin with a letter or a digit`,
      'e.g. partner-checkin',
    );
  if (name !== name.trimEnd()) throw new KeysError('usage', `name ${quoted(name)} ends with a space`, 'remove it');
  if (Array.from(name).length > MAX_NAME)
    throw new KeysError('usage', `the name has more than ${MAX_NAME} characters`, 'choose a shorter one');
  return name;
}

/**
 * What is wrong with a name that reads as a key id or as a masked key string, or null: wherever a key is named, such a text means the key
 * with that id. Only for names that no key has yet; keys of earlier versions may have such a name.
 */
export function newNameProblem(name: string): string | null {
  const what = isKeyId(name.toLowerCase()) ? 'a key id' : maskedId(name) === null ? null : 'a masked key string';
  return what && `name ${quoted(name)} has the form of ${what}, so it could be taken for another key`;
}

export const OTHER_NAME = 'choose another name, e.g. with a hyphen or a space in it';

/** Throws `usage` for a name with a {@link newNameProblem}. */
export function assertNewName(name: string): void {
  const problem = newNameProblem(name);
  if (problem !== null) throw new KeysError('usage', problem, OTHER_NAME);
}

/** The form in which names are compared and kept unique: NFC, lower case. */
export function nameKey(name: string): string {
  return name.normalize('NFC').toLowerCase();
}

/** Throws `usage` for U+FFFD: it stands where a byte was that belonged to no character, so the text is no longer what was typed. */
function refuseLostText(text: string, what: string): void {
  if (text.includes('\ufffd'))
    throw new KeysError(
      'usage',
      `the ${what} contains U+FFFD: it was not UTF-8 text where it came from`,
      'pass it as UTF-8',
    );
}

/** A description as it will be stored, or null for none. Up to 500 code points on one line. */
export function readDescription(text: string): string | null {
  if (text.length > 4 * MAX_DESCRIPTION)
    throw new KeysError('usage', `the description has more than ${MAX_DESCRIPTION} characters`, 'shorten it');
  const description = text.normalize('NFC').trim();
  if (description === '') return null;
  refuseSecret(description, 'description');
  refuseLostText(description, 'description');
  if (hasUnsafeText(description))
    throw new KeysError(
      'usage',
      'the description contains line breaks, invisible or control characters',
      'write it on one line',
    );
  if (Array.from(description).length > MAX_DESCRIPTION)
    throw new KeysError('usage', `the description has more than ${MAX_DESCRIPTION} characters`, 'shorten it');
  return description;
}

/** The scripts that a name mixes, when it mixes some that look alike: worth a warning, because `раrtner` is not `partner`. */
export function mixedScripts(name: string): string[] {
  if (/^[\x00-\x7f]*$/.test(name)) return [];
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
