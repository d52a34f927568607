import { isAlphanumeric } from './escapes.js';

/**
 * `unlk` in base64: one form for each of its three positions in a group of three bytes, and the same for UTF-16. `before` is put in front
 * of the letters so that decoding starts at a whole group.
 */
const FORMS = {
  first: { letters: 'dW5sa', before: '' },
  second: { letters: 'VubG', before: 'AH' },
  third: { letters: '1bmxr', before: 'AAB' },
  wideFirst: { letters: 'dQBuAGwAa', before: '' },
  wideSecond: { letters: 'UAbgBsAGs', before: 'AH' },
  wideThird: { letters: '1AG4AbABr', before: 'AAB' },
} as const;

/**
 * The letters to search for, and how many letters of the form come before them. Each form has two or three, because base64 is often split
 * into lines: a line break inside one leaves another whole. They start with letters that are rare in text, which makes the search fast.
 */
export const BASE64_GATES = (
  [
    ['W5s', 1, 'first'],
    ['19s', 5, 'first'],
    ['190', 5, 'first'],
    ['Vub', 0, 'second'],
    ['Gtf', 3, 'second'],
    ['1bm', 0, 'third'],
    ['xrX', 3, 'third'],
    ['QBuA', 1, 'wideFirst'],
    ['GwAa', 5, 'wideFirst'],
    ['UAbg', 0, 'wideSecond'],
    ['BsAG', 4, 'wideSecond'],
    ['1AG4', 0, 'wideThird'],
    ['AbAB', 4, 'wideThird'],
  ] as const
).map(([text, offset, form]) => ({
  text: Buffer.from(text),
  offset,
  form: FORMS[form],
  wide: form.startsWith('wide'),
}));

/** How far before these letters the form can start, when a line break comes between. */
export const MAX_BEFORE_GATE = 64;

/** The length of a key string in UTF-16 as base64, and a little more. */
const MAX_LETTERS = 256;

/** Enough letters to decide whether to decode the rest. */
const FIRST_LETTERS = 24;
/** A buffer for the letters of one base64 text, without line breaks. */
const LETTERS = Buffer.alloc(MAX_LETTERS);

/** Decoded text, and where its base64 starts. */
export interface Decoded {
  readonly bytes: Buffer;
  /** The position in `bytes` where `unlk` starts. */
  readonly at: number;
  readonly start: number;
}

/** Decodes the base64 around letters found at `at`; null when it is not the base64 of `unlk`. */
export function decodeAt(bytes: Buffer, at: number, gate: (typeof BASE64_GATES)[number]): Decoded | null {
  const { letters, before } = gate.form;
  let start = at;
  for (let i = gate.offset; i > 0; i--) {
    start = previousLetter(bytes, start);
    if (start < 0 || bytes[start] !== letters.charCodeAt(i - 1)) return null;
  }
  let next = start;
  let length = before.length;
  const gather = (limit: number) => {
    while (length < limit) {
      const byte = bytes[next];
      if (byte === undefined) return;
      if (isAlphanumeric(byte) || byte === 43 || byte === 45 || byte === 47 || byte === 95) {
        LETTERS[length] = byte;
        length += 1;
        next += 1;
        continue;
      }
      const after = afterBreak(bytes, next);
      if (after === next) return;
      next = after;
    }
  };
  const from = before.length === 0 ? 0 : before.length - 1;
  const decoded = () => Buffer.from(LETTERS.toString('latin1', 0, length), 'base64');
  LETTERS.write(before, 'latin1');
  gather(FIRST_LETTERS);
  if (LETTERS.toString('latin1', before.length, before.length + letters.length) !== letters) return null;
  const fifth = decoded()[from + (gate.wide ? 8 : 4)];
  if (fifth === undefined || isAlphanumeric(fifth)) return null;
  gather(MAX_LETTERS);
  return { bytes: decoded(), at: from, start };
}

/** The position after a line break (plain, or escaped as in JSON or quoted-printable) and its indentation; `at` without a line break. */
function afterBreak(bytes: Buffer, at: number): number {
  let next = at;
  for (const limit = at + MAX_BEFORE_GATE; next < limit; ) {
    const byte = bytes[next];
    const follows = bytes[next + 1];
    if (byte === 10 || byte === 13) next += 1;
    else if ((byte === 32 || byte === 9 || byte === 62) && next > at) next += 1;
    else if (byte === 92 && (follows === 110 || follows === 114)) next += 2;
    else if ((byte === 61 || byte === 92) && (follows === 10 || follows === 13)) next += 1;
    else break;
  }
  return next;
}

/** The position of the letter before `at`, across a line break; negative without one. */
function previousLetter(bytes: Buffer, at: number): number {
  for (let from = at - 1; from >= Math.max(0, at - MAX_BEFORE_GATE / 2); from--) {
    if (!isAlphanumeric(bytes[from] as number) || isEscapedBreak(bytes, from)) continue;
    return afterBreak(bytes, from + 1) === at ? from : -1;
  }
  return -1;
}

/** True when the letter at `at` is the n or r of `\n` or `\r`. */
function isEscapedBreak(bytes: Buffer, at: number): boolean {
  return bytes[at - 1] === 92 && (bytes[at] === 110 || bytes[at] === 114);
}
