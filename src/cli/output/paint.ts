import { styleText } from 'node:util';

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

type Format = Parameters<typeof styleText>[0];

/** Colours text, or leaves it as it is. `wantsColor` decides for each stream; Node is not asked. */
export function painter(enabled: boolean): Paint {
  const style = (format: Format) => (text: string) =>
    enabled && text !== '' ? styleText(format, text, { validateStream: false }) : text;
  return {
    bold: style('bold'),
    dim: style('dim'),
    good: style('green'),
    warn: style('yellow'),
    bad: style('red'),
    pointer: style('cyan'),
  };
}

/** A message for stderr in its colours: the word that says what it is, and LIVE where a key is spoken of. */
export function paintMessage(text: string, paint: Paint): string {
  return text
    .replace(/^error:/gm, (word) => paint.bold(paint.bad(word)))
    .replace(/^warning:/gm, (word) => paint.warn(word))
    .replace(/^(?:hint:|Undo:)/gm, (word) => paint.bold(word))
    .replace(
      /\bLIVE(?=\s+keys?\b)|(?<=^ {2}Mode +)LIVE$|(?<=^ {2}[a-z]+ +".+" \()live(?=\))|(?<=^ {2}\w{12} {2})live(?= )/gm,
      (word) => paint.warn(word),
    );
}
