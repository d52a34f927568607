import { type TypedWord, typedWords } from './line.js';
import type { Shell } from './shells.js';

/** A command line up to the cursor. */
export interface Request {
  /** The words between the name of the tool and the word being typed. */
  readonly before: readonly string[];
  readonly word: string;
  /** For bash: the part of that word that stays when the rest is replaced, and the quote that is open there. */
  readonly kept: TypedWord;
}

const NOTHING: TypedWord = { value: '', quote: '' };

/** NUL ends each part; anything after the last NUL is a line break that the shell added. */
function parts(text: string): string[] {
  return text.split('\0').slice(0, -1);
}

function split(words: readonly string[], kept: TypedWord): Request | null {
  const word = words.at(-1);
  return words.length < 2 || word === undefined ? null : { before: words.slice(1, -1), word, kept };
}

/**
 * Reads the input from a completion script. zsh and PowerShell split the line themselves. bash also splits words at colons, and fish
 * gives its words in forms that differ between versions, so both send the line as it was typed; bash also sends the part that it will
 * replace. Null when there is nothing to complete.
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
