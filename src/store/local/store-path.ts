import path from 'node:path';
import { KeysError } from '../../domain/errors.js';
import { quoted } from '../../domain/text.js';

/** An absolute path for what was typed. Refuses what SQLite would take for an in-memory or temporary database, or for a URI. */
export function readStorePath(text: string, cwd: string): string {
  if (text.trim() === '') throw new KeysError('usage', 'the store path is empty', 'pass a file: --store ./keys.db');
  if (text.includes('\0') || text.includes(':memory:') || /^file:/i.test(text)) {
    throw new KeysError('usage', `${quoted(text)} is not a store path`, 'pass a plain file path: --store ./keys.db');
  }
  // better-sqlite3 trims file names: it would open another file than the one that was checked.
  if (text !== text.trim())
    throw new KeysError('usage', `the store path ${quoted(text)} begins or ends in a blank`, 'remove it');
  return path.resolve(cwd, text);
}
