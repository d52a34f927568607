import { redactKeyStrings } from './key-string.js';

// The classes of Unicode in a regular expression take a millisecond to read. In a function, that is done when it is first called.

/**
 * Characters that must not reach a terminal, a log line or a stored name unescaped: controls (C0 and C1), format characters
 * (bidirectional overrides, zero-width characters, tags), surrogates, private use, unassigned, line and paragraph separators, and all
 * other invisible characters (variation selectors, joiners, fillers: Unicode's Default_Ignorable_Code_Point).
 */
const unsafe = () => /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

/** For a quick check first: ASCII, Latin letters, and the common dashes, quotation marks and dots. None of them is unsafe. */
const COMMON = String.raw`\x20-\x7e\xa0-\xac\xae-\u02ff\u2010-\u2027`;
const UNCOMMON = new RegExp(`[^${COMMON}]`);
const UNCOMMON_IN_LINES = new RegExp(`[^\\n${COMMON}]`);

/**
 * Invisible characters that are part of an emoji: U+200D joins two pictographs; U+FE0F selects the colour picture, or makes a digit a
 * keycap. They are allowed only there. Reserved pictographs (Cn) are escaped, so they are not joined.
 */
const emojiMark = () =>
  /(?<=(?!\p{Cn})\p{Extended_Pictographic}|\p{Emoji_Modifier}|(?!\p{Cn})\p{Extended_Pictographic}\uFE0F)\u200D(?=(?!\p{Cn})\p{Extended_Pictographic})|(?<=(?!\p{Cn})\p{Extended_Pictographic})\uFE0F|(?<=[0-9#*])\uFE0F(?=\u20E3)/gu;
/** Placeholders for these characters while the rest is escaped. */
const STAND_INS = { '\u200D': '\uE000', '\uFE0F': '\uE001' } as const;

function withoutEmojiMarks(text: string): string {
  return text.replace(emojiMark(), '');
}

/** True when `text` contains a character that {@link safeText} would escape. */
export function hasUnsafeText(text: string): boolean {
  return UNCOMMON.test(text) && withoutEmojiMarks(text).search(unsafe()) >= 0;
}

/**
 * Makes text safe to print on a terminal: every character that could move the cursor, write to the clipboard, reorder or hide text
 * becomes a visible `\u{…}`. Idempotent, because the escapes are ASCII.
 */
export function safeText(text: string): string {
  if (!UNCOMMON.test(text) || text.search(unsafe()) < 0) return text;
  // The placeholders are private-use characters: where the text has them itself, they are escaped first.
  const marked = text
    .replace(/[\uE000\uE001]/g, escaped)
    .replace(emojiMark(), (mark) => STAND_INS[mark as keyof typeof STAND_INS]);
  return marked.replace(unsafe(), (char) =>
    char === '\uE000' ? '\u200D' : char === '\uE001' ? '\uFE0F' : escaped(char),
  );
}

function escaped(char: string): string {
  return `\\u{${char.codePointAt(0)?.toString(16)}}`;
}

/** Quotes `value` for a message: in double quotes, safe for a terminal, key strings masked, cut after 80 code points. */
export function quoted(value: string): string {
  const masked = redactKeyStrings(value.length > 4000 ? value.slice(0, 4000) : value);
  const points = Array.from(masked);
  const cut = points.length > 80 || value.length > 4000;
  return `"${safeText(points.slice(0, 80).join(''))}${cut ? '…' : ''}"`;
}

/** JSON with unsafe characters written as `\uXXXX`: it parses to the same value. */
export function safeJson(value: unknown, indent?: number): string {
  const json = JSON.stringify(value, null, indent);
  if (!UNCOMMON_IN_LINES.test(json)) return json;
  return json.replace(unsafe(), (char) => {
    if (char === '\n') return char; // indentation: newlines inside strings are already escaped
    return Array.from({ length: char.length }, (_, i) => `\\u${char.charCodeAt(i).toString(16).padStart(4, '0')}`).join(
      '',
    );
  });
}

/**
 * A text that is meant as a URL, for a message: without what may be a credential, whether or not it is where URLs have one. A password with
 * `/`, `?` or `#` in it, and an address without its slashes, are mistakes that must not be repeated.
 */
export function withoutCredentials(text: string): string {
  const bare = text.replace(/^(\s*(?:[a-z][a-z0-9+.-]*:)?[/\\]*).*@/is, '$1…@');
  return safeText(bare.replace(/[?#].*$/s, '?…'));
}
