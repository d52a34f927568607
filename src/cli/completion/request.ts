import { type TypedWord, typedWords } from './line.js';
import type { Shell } from './shells.js';

/** A line up to the cursor. */
export interface Request {
  /** Behind the name of the tool, and before the word that is being typed. */
  readonly before: readonly string[];
  readonly word: string;
  /** bash: what stays of that word when the rest is replaced, and the quote that is open there. */
  readonly kept: TypedWord;
}

const NOTHING: TypedWord = { value: '', quote: '' };

/** NUL ends each part, so what follows the last of them (a line end that a shell adds) is none. */
function parts(text: string): string[] {
  return text.split('\0').slice(0, -1);
}

function split(words: readonly string[], kept: TypedWord): Request | null {
  const word = words.at(-1);
  return words.length < 2 || word === undefined ? null : { before: words.slice(1, -1), word, kept };
}

/**
 * Reads what a script sends. zsh and PowerShell take their lines to pieces themselves. bash breaks words at colons too, and fish knows
 * its words in forms that differ from version to version, so both send the line as it was typed; bash, also the piece of it that it
 * will replace. Null: there is nothing to complete.
 */
export function readRequest(shell: Shell, text: string): Request | null {
  if (shell === 'zsh' || shell === 'powershell') return split(parts(text), NOTHING);
  if (shell === 'fish') {
    const words = typedWords(text.replace(/\n$/, ''), 'fish').map(({ value }) => value);
    const tool = words.findIndex((word) => /(^|\/)unlockos-keys$/.test(word)); // `and`, `command` or `sudo` may precede it
    return split(words.slice(Math.max(tool, 0)), NOTHING);
  }
  const [line = '', replaced = ''] = parts(text);
  if (!line.endsWith(replaced)) return null;
  const words = typedWords(line, 'bash');
  const upTo = typedWords(line.slice(0, line.length - replaced.length), 'bash');
  return upTo.length === words.length
    ? split(
        words.map(({ value }) => value),
        upTo.at(-1) ?? NOTHING,
      )
    : null;
}
