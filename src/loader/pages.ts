import { fstatSync, readFileSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { VERSION } from '../version.js';

// `--version`, and `--help` into a pipe or a file: what they print is known when the tool is built (`scripts/pages.mjs`), and nothing else is
// loaded for it. For a terminal, which has a width and colours, the page is drawn.

type Environment = Readonly<Record<string, string | undefined>>;

/** The page in the folder of the bundle that these words ask for; null when they ask for none. */
function pageFor(words: readonly string[]): string | null {
  const [last = '--help', ...commands] = [...words].reverse();
  if (last !== '--help' && last !== '-h') return null;
  return commands.every((word) => /^[a-z]+$/.test(word))
    ? `help/${['page', ...commands.reverse()].join('-')}.txt`
    : null;
}

function isTerminal(): boolean {
  const stats = fstatSync(1);
  return stats.isCharacterDevice() && stats.rdev !== statSync('/dev/null', { throwIfNoEntry: false })?.rdev;
}

function textFor(words: readonly string[], bundle: string, env: Environment): string | null {
  if (words.length === 1 && (words[0] === '--version' || words[0] === '-V')) return `${VERSION}\n`;
  const page = pageFor(words);
  if (page === null || env.FORCE_COLOR || env.CLICOLOR_FORCE || isTerminal()) return null;
  return readFileSync(join(bundle, page), 'utf8');
}

/** The last word of a line that asks for what is known; a line without a word does so, too. */
const ASKING = ['--help', '-h', '--version', '-V'];

/** Prints what the words ask for and answers true. False when they ask for more, or when it cannot be printed at once. */
export function printKnown(words: readonly string[], bundle: string, env: Environment): boolean {
  if (words.length > 0 && !ASKING.includes(words.at(-1) as string)) return false;
  try {
    const text = textFor(words, bundle, env);
    if (text === null) return false;
    const bytes = Buffer.from(text);
    for (let written = 0; written < bytes.length; ) written += writeSync(1, bytes, written);
    return true;
  } catch {
    return false; // no such command, or a full pipe
  }
}
