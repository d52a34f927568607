const wide = () =>
  // as in domain/text.ts
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Extended_Pictographic}\uff01-\uff60]/u;
const noWidth = () => /\p{Mn}|\p{Me}|\u200d|\ufe0f/u;

/** The width in terminal columns, near enough to break lines. */
export function widthOf(text: string): number {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length;
  return Array.from(text).reduce((sum, char) => sum + (wide().test(char) ? 2 : noWidth().test(char) ? 0 : 1), 0);
}

/** A command line at the end of a message, to be copied: it stays in one piece. */
const COMMAND = /(?<=: |^|; )(?:unlockos-keys|curl) .*$/;

function piecesOf(text: string): string[] {
  const at = COMMAND.exec(text)?.index ?? text.length;
  const words = text.slice(0, at).split(' ');
  if (at === text.length) return words;
  return [...words.filter((word) => word !== ''), text.slice(at)];
}

/**
 * Breaks a line between words so that it fits into `columns`. What follows is indented as the value behind `  Label   ` is. A word or a
 * command line that is longer than a line stays whole: whoever copies it gets what was meant.
 */
export function wrapLine(line: string, columns: number): string {
  if (columns < 20 || widthOf(line) <= columns) return line;
  const label = /^ {2}\S+(?: \S+)? {2,}|^ */.exec(line)?.[0] ?? '';
  const indent = ' '.repeat(label.length < columns / 2 ? label.length : 2);
  const lines: string[] = [];
  let current = label;
  let isEmpty = true;
  for (const piece of piecesOf(line.slice(label.length))) {
    if (!isEmpty && widthOf(current) + 1 + widthOf(piece) > columns) {
      lines.push(current);
      current = `${indent}${piece}`;
    } else current = isEmpty ? `${current}${piece}` : `${current} ${piece}`;
    isEmpty = false;
  }
  return [...lines, current].join('\n');
}

/** {@link wrapLine} for each line of a text. */
export function wrap(text: string, columns: number | undefined): string {
  return columns === undefined
    ? text
    : text
        .split('\n')
        .map((line) => wrapLine(line, columns))
        .join('\n');
}
