import { KEY_STRING_LENGTH } from '../domain/key-string.js';

/** The most bytes that a key string may take in a file, with all escapes, colours and line breaks in it. */
export const MAX_WRITTEN_BYTES = 2048;

const ESC = 0x1b;
/** The names of an underscore in HTML. */
const LOWBARS = ['lowbar;', 'UnderBar;'];
/** Where a browser may break a word. */
const WBR = '<wbr>';
/** The positions of the underscores in a key string. */
const UNDERSCORES: ReadonlySet<number> = new Set([4, 9, 22]);

/** Checked first: most text that starts like a key string fails here. */
const MODE = /(?:live|test)$/;
const MODE_END = 9;

const SEQUENCE = /^(?:\[[0-9;:?]{0,32}[A-Za-z]|\]8;[\x20-\x7e]{0,500}(?:\x07|\x1b\\))/;

/** The text that was read, and how many bytes it took. */
export interface Written {
  readonly text: string;
  readonly length: number;
}

/** One character, escaped or not: its code, and where the next one starts. */
interface Unit {
  readonly code: number;
  readonly next: number;
}

/**
 * Reads a possible key string at `start`. Its characters may be escaped as in JSON, shells, URLs, quoted-printable, HTML and Markdown, and
 * terminal colours, soft line breaks and invisible characters may come between them. Null for any other text; `cut` when the bytes end
 * inside it. Does not check the checksum.
 */
export function readWritten(bytes: Buffer, start: number): Written | 'cut' | null {
  const end = Math.min(bytes.length, start + MAX_WRITTEN_BYTES);
  let text = '';
  let at = start;
  while (text.length < KEY_STRING_LENGTH) {
    if (at >= end) return 'cut';
    if (text.length === MODE_END && !MODE.test(text)) return null;
    const wantsUnderscore = UNDERSCORES.has(text.length);
    const byte = bytes[at] as number;
    if (wantsUnderscore ? byte === 0x5f : isAlphanumeric(byte)) {
      text += String.fromCharCode(byte);
      at += 1;
      continue;
    }
    const unit = readUnit(bytes, at);
    if (unit === null) return null;
    if (wantsUnderscore ? unit.code === 0x5f : isAlphanumeric(unit.code)) {
      text += String.fromCharCode(unit.code);
      at = unit.next;
      continue;
    }
    const next = afterNoise(bytes, unit);
    if (next === null) return null;
    at = next;
  }
  return { text, length: at - start };
}

export function isAlphanumeric(byte: number): boolean {
  return (byte >= 48 && byte <= 57) || (byte >= 65 && byte <= 90) || (byte >= 97 && byte <= 122);
}

/** Reads an escape or a character to skip at `at`; null when neither starts there. */
function readUnit(bytes: Buffer, at: number): Unit | null {
  switch (bytes[at]) {
    case 0x25: // %5F, and %255F, which was encoded twice
    case 0x3d: // =5F in quoted-printable
      return readHexUnit(bytes, at);
    case 0x5c:
      return readBackslash(bytes, at);
    case 0x26:
      return readEntity(bytes, at);
    case 0x3c:
      return bytes.toString('latin1', at, at + WBR.length) === WBR ? { code: 0xad, next: at + WBR.length } : null;
    case 0x5e: // ^[ is how cat -v and logs show an escape
      return bytes[at + 1] === 0x5b ? { code: ESC, next: at + 2 } : null;
    case 0xc2: // soft hyphen
      return bytes[at + 1] === 0xad ? { code: 0xad, next: at + 2 } : null;
    case 0xe2: // zero-width space and joiners, word joiner
      return bytes[at + 1] === 0x80 || bytes[at + 1] === 0x81 ? { code: 0xad, next: at + 3 } : null;
    case 0xef: // byte order mark, also between texts that were put together
      return bytes[at + 1] === 0xbb && bytes[at + 2] === 0xbf ? { code: 0xad, next: at + 3 } : null;
    case 9:
    case 10:
    case 13:
    case ESC:
      return { code: bytes[at] as number, next: at + 1 };
    default:
      return null;
  }
}

function readHexUnit(bytes: Buffer, at: number): Unit | null {
  if (bytes[at] === 0x3d && (bytes[at + 1] === 10 || bytes[at + 1] === 13)) return { code: 10, next: at + 1 };
  let digits = at + 1;
  if (bytes[at] === 0x25)
    for (let i = 0; i < 3 && bytes[digits] === 0x32 && bytes[digits + 1] === 0x35; i++) digits += 2;
  const code = hex(bytes, digits, 2);
  return code === null ? null : { code, next: digits + 2 };
}

/** `\_`, `\x5f`, `\u005f`, `\u{5f}`, `\137`, `\n` and the like, however many backslashes there are. */
function readBackslash(bytes: Buffer, at: number): Unit | null {
  let next = at + 1;
  while (bytes[next] === 0x5c && next < at + 16) next += 1;
  const letter = bytes[next];
  switch (letter) {
    case 10:
    case 13:
    case 0x5f:
      return { code: letter, next: next + 1 };
    case 0x6e: // \n
    case 0x72: // \r
      return { code: 10, next: next + 1 };
    case 0x65: // \e
      return { code: ESC, next: next + 1 };
    case 0x78: // \x5f
      return unit(hex(bytes, next + 1, 2), next + 3);
    case 0x75: {
      // \u005f and \u{5f}
      if (bytes[next + 1] !== 0x7b) return unit(hex(bytes, next + 1, 4), next + 5);
      const close = bytes.indexOf(0x7d, next);
      return close < 0 || close > next + 8 ? null : unit(hex(bytes, next + 2, close - next - 2), close + 1);
    }
    default: {
      const octal = /^[0-7]{3}/.exec(bytes.toString('latin1', next, next + 3));
      return octal ? { code: Number.parseInt(octal[0], 8), next: next + 3 } : null;
    }
  }
}

/** `&#95;`, `&#x5f;`, `&lowbar;` and `&UnderBar;`. */
function readEntity(bytes: Buffer, at: number): Unit | null {
  for (const name of LOWBARS)
    if (bytes.toString('latin1', at + 1, at + 1 + name.length) === name)
      return { code: 0x5f, next: at + 1 + name.length };
  const found = /^&#(?:x([0-9a-f]{1,6})|([0-9]{1,7}));/i.exec(bytes.toString('latin1', at, at + 12));
  if (!found) return null;
  const [whole, hexadecimal, decimal] = found;
  return { code: hexadecimal ? Number.parseInt(hexadecimal, 16) : Number(decimal), next: at + whole.length };
}

function unit(code: number | null, next: number): Unit | null {
  return code === null ? null : { code, next };
}

function hex(bytes: Buffer, at: number, digits: number): number | null {
  const text = bytes.toString('latin1', at, at + digits);
  return text.length === digits && /^[0-9a-f]+$/i.test(text) ? Number.parseInt(text, 16) : null;
}

/** The position after something that is not part of the text, such as a colour; null when `found` ends the text. */
function afterNoise(bytes: Buffer, found: Unit): number | null {
  let { next } = found;
  switch (found.code) {
    case 0xad:
      return next;
    case 9:
    case 10:
    case 13: // the next line may be indented, or quoted as in mail
      for (const limit = next + 64; next < limit && isIndent(bytes[next]); ) next += 1;
      return next;
    case ESC: {
      // a colour, or the beginning or the end of a hyperlink
      const sequence = SEQUENCE.exec(bytes.toString('latin1', next, next + 514));
      return sequence ? next + sequence[0].length : null;
    }
    default:
      return null;
  }
}

function isIndent(byte: number | undefined): boolean {
  return byte === 32 || byte === 9 || byte === 62;
}
