import { redactKeyStrings } from './key-string.js';

/**
 * Characters that must not reach a terminal, a log line or a stored name as they are: controls (C0 and C1), format characters
 * (bidi overrides, zero-width characters, tags), surrogates, private use, unassigned, line and paragraph separators, and the Hangul
 * fillers, which are letters by category and blank by sight.
 */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\u115F\u1160\u3164\uFFA0]/gu;

/** Nearly all text is this: it needs no look at the class above, whose tables take a moment to build. */
const BEYOND_ASCII = /[^\x20-\x7e]/;

/** U+200D joins emoji into one picture; it is allowed between two pictographs and nowhere else. Reserved ones (Cn) are escaped, so they join nothing. */
const EMOJI_JOINER =
  /(?<=(?!\p{Cn})\p{Extended_Pictographic}|\p{Emoji_Modifier}|\uFE0F)\u200D(?=(?!\p{Cn})\p{Extended_Pictographic})/gu;
const JOINER_MARK = '\uE000';

function withoutEmojiJoiners(text: string): string {
  return text.replace(EMOJI_JOINER, '');
}

/** True when `text` holds a character that {@link safeText} would escape. */
export function hasUnsafeText(text: string): boolean {
  return BEYOND_ASCII.test(text) && withoutEmojiJoiners(text).search(UNSAFE) >= 0;
}

/**
 * The one gate between a value that somebody typed and a terminal: every character that could move the cursor, write the clipboard,
 * reorder or hide text comes out as a visible `\u{…}`. Idempotent, because the escapes are plain ASCII.
 */
export function safeText(text: string): string {
  if (!BEYOND_ASCII.test(text) || text.search(UNSAFE) < 0) return text;
  // The mark is itself in the unsafe class (private use), so text that already holds it must be escaped before it is borrowed.
  const marked = text.replaceAll(JOINER_MARK, '\\u{e000}').replace(EMOJI_JOINER, JOINER_MARK);
  return marked.replace(UNSAFE, (char) =>
    char === JOINER_MARK ? '\u200D' : `\\u{${char.codePointAt(0)?.toString(16)}}`,
  );
}

/** `value` in double quotes, safe for a terminal, key strings masked, cut after 80 code points: the form in which messages repeat what was typed. */
export function quoted(value: string): string {
  const masked = redactKeyStrings(value.length > 4000 ? value.slice(0, 4000) : value);
  const points = Array.from(masked);
  const cut = points.length > 80 || value.length > 4000;
  return `"${safeText(points.slice(0, 80).join(''))}${cut ? '…' : ''}"`;
}

/** JSON whose strings hold no unsafe character: each is written as `\uXXXX`, so the value read back is the same. */
export function safeJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, null, indent).replace(UNSAFE, (char) => {
    if (char === '\n') return char; // only ever the indentation: a newline inside a string is already escaped
    return Array.from({ length: char.length }, (_, i) => `\\u${char.charCodeAt(i).toString(16).padStart(4, '0')}`).join(
      '',
    );
  });
}
