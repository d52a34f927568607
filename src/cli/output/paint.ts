import { inspect } from 'node:util';

/** The palette, by what a colour says. */
export interface Paint {
  /** Headings, and a key string: what to look at. */
  bold(text: string): string;
  dim(text: string): string;
  good(text: string): string;
  /** Caution: LIVE keys, warnings. */
  warn(text: string): string;
  /** Errors, an expiry under a day, a key that leaked and is active. */
  bad(text: string): string;
  /** Where the cursor is. */
  pointer(text: string): string;
}

/** Puts text between the codes of a format. `util.styleText` would make Node's `process.stdout`, which loads all of its streams. */
function style(format: keyof typeof inspect.colors, text: string): string {
  const [on, off] = inspect.colors[format] ?? [];
  return `\u001b[${on}m${text}\u001b[${off}m`;
}

/** Colours text, or leaves it as it is. `wantsColor` decides for each stream; Node is not asked. */
export function painter(enabled: boolean): Paint {
  const colored = (format: keyof typeof inspect.colors) => (text: string) =>
    enabled && text !== '' ? style(format, text) : text;
  return {
    bold: colored('bold'),
    dim: colored('dim'),
    good: colored('green'),
    warn: colored('yellow'),
    bad: colored('red'),
    pointer: colored('cyan'),
  };
}

/** A message for stderr in its colours, if they are enabled: the word that says what it is, and LIVE where a key is spoken of. */
export function paintMessage(text: string, enabled: boolean): string {
  if (!enabled) return text;
  const paint = painter(true);
  return text
    .replace(/^error:/gm, (word) => paint.bold(paint.bad(word)))
    .replace(/^warning:/gm, (word) => paint.warn(word))
    .replace(/^(?:hint:|Undo:)/gm, (word) => paint.bold(word))
    .replace(
      /\bLIVE(?=\s+keys?\b)|(?<=^ {2}Mode +)LIVE$|(?<=^ {2}[a-z]+ +".+" \()live(?=\))|(?<=^ {2}\w{12} {2})live(?= )/gm,
      (word) => paint.warn(word),
    );
}
