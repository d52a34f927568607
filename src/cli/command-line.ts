import { KeysError } from '../domain/errors.js';
import { quoted, safeText } from '../domain/text.js';

/** A word as a POSIX shell takes it. Characters that must not reach a terminal are shown escaped, so the word no longer means the same. */
function shellWord(word: string): string {
  const safe = safeText(word);
  return /^[\w@%+=:,./-]+$/.test(safe) ? safe : `'${safe.replaceAll("'", "'\\''")}'`;
}

/** The command that was run, with further flags, ready to be pasted into a shell. They go before `--`: what follows it is not ours. */
export function commandLine(words: readonly string[], flags: readonly string[]): string {
  const end = words.includes('--') ? words.indexOf('--') : words.length;
  return ['unlockos-keys', ...[...words.slice(0, end), ...flags, ...words.slice(end)].map(shellWord)].join(' ');
}

/**
 * What comes before and after `--`, for a command that runs a program. Throws `usage` without `--`: flags that were meant for the
 * program would be read as ours.
 */
export function requireDashes(words: readonly string[], operands: readonly string[], name: string): void {
  const [program = ''] = operands;
  const end = words.indexOf('--');
  if (end < 0) {
    const at = words.indexOf(program, words.indexOf(name) + 1);
    const meant = [...words.slice(0, at), '--', ...words.slice(at)];
    throw new KeysError('usage', `${name} needs -- before the program`, `that is: ${commandLine(meant, [])}`);
  }
  if (words.slice(end + 1).length !== operands.length)
    throw new KeysError('usage', `${quoted(program)} comes before --`, 'only flags go there; the program follows --');
}
