import { safeText } from '../domain/text.js';

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
