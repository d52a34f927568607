import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import path from 'node:path';
import ignore, { type Ignore } from 'ignore';
import { READ_NO_LINK } from './read-flags.js';

/** The patterns of one file. They apply to `dir` and everything below it. */
export interface IgnoreRules {
  readonly dir: string;
  readonly patterns: Ignore;
}

/** Larger files of patterns are ignored: each pattern is tried on each name. */
const MAX_BYTES = 262_144;

/**
 * Whether a pattern is matched in a time that nobody notices. One with several `**` is tried at every combination of directories, and a very
 * long one cannot be compiled.
 */
function isQuick(pattern: string): boolean {
  return pattern.length <= 1024 && (pattern.match(/\*{2,}/g)?.length ?? 0) <= 2;
}

/** The patterns that are quick. None at all if one that takes files back is not, so that nothing more is ignored than git ignores. */
function quickPatterns(text: string): string[] {
  const lines = text.split(/\r?\n/);
  const slow = lines.filter((line) => !isQuick(line));
  return slow.some((line) => line.startsWith('!')) ? [] : lines.filter(isQuick);
}

/**
 * Reads a file of patterns. Without a readable file there are no rules, so more is scanned, not less. Patterns are case-sensitive, as in
 * git on Linux; where git ignores case, more is scanned.
 */
function readRules(dir: string, file: string): IgnoreRules[] {
  let descriptor: number;
  try {
    descriptor = openSync(file, READ_NO_LINK);
  } catch {
    return [];
  }
  try {
    const stats = fstatSync(descriptor);
    if (!stats.isFile() || stats.size > MAX_BYTES) return [];
    return [{ dir, patterns: ignore({ ignorecase: false }).add(quickPatterns(readFileSync(descriptor, 'utf8'))) }];
  } catch {
    return [];
  } finally {
    closeSync(descriptor);
  }
}

/** The rules for the entries of `dir`: those of the directories above and its own. A nested repository has only its own. */
export function rulesAt(dir: string, above: readonly IgnoreRules[], isRoot: boolean): readonly IgnoreRules[] {
  const own = readRules(dir, path.join(dir, '.gitignore'));
  if (isRoot) return [...readRules(dir, path.join(dir, '.git/info/exclude')), ...own];
  return own.length === 0 ? above : [...above, ...own];
}

/** As in git, the last matching pattern decides, and deeper files come later. */
export function isIgnored(rules: readonly IgnoreRules[], file: string, isDirectory: boolean): boolean {
  let ignored = false;
  for (const { dir, patterns } of rules) {
    const relative = path.relative(dir, file).split(path.sep).join('/');
    if (relative === '' || relative.startsWith('../')) continue;
    const result = patterns.test(isDirectory ? `${relative}/` : relative);
    if (result.ignored) ignored = true;
    if (result.unignored) ignored = false;
  }
  return ignored;
}
