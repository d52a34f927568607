import path from 'node:path';
import { KeysError } from '../../domain/errors.js';
import { quoted, safeText } from '../../domain/text.js';

/** Servers of Turso, by name alone. */
const SERVER_NAME = /^[\w.-]+\.turso\.io(:\d+)?\/*$/i;

/** Throws `usage` for a text that was meant as the URL of a server but is not a URL. The message repeats no credential. */
function refuseLikeUrl(text: string): void {
  if (!text.includes(':') && !text.toLowerCase().includes('turso')) return; // most paths: to compile the patterns takes longer than the rest
  const [, scheme, rest = ''] = /^([a-z][a-z0-9+.-]+):\/*(.*)$/is.exec(text) ?? [];
  if (scheme === undefined && !SERVER_NAME.test(text)) return;
  const bare = (scheme === undefined ? text : rest).replace(/^.*@/s, '').replace(/[?#].*$/s, '');
  const meant = /^(libsql|https?|wss?)$/i.test(scheme ?? 'libsql') && bare !== '';
  throw new KeysError(
    'usage',
    `the store ${quoted(scheme === undefined ? bare : `${scheme}:${bare}`)} is neither a URL nor a plain path`,
    meant
      ? `for a server: ${(scheme ?? 'libsql').toLowerCase()}://${safeText(bare)}; for a file of that name, write ./ in front`
      : 'for a server: libsql://keys-acme.turso.io; for a file of that name, write ./ in front',
  );
}

/**
 * The absolute path of a store file; `text` is what a person typed, `cwd` what it is relative to. Throws `usage` for text that SQLite would
 * read as an in-memory or temporary database, or as a URI.
 */
export function readStorePath(text: string, cwd: string): string {
  if (text.trim() === '') throw new KeysError('usage', 'the store path is empty', 'pass a file: --store ./keys.db');
  if (text.includes('\0') || (text.includes(':') && (text.includes(':memory:') || /^file:/i.test(text)))) {
    throw new KeysError('usage', `${quoted(text)} is not a store path`, 'pass a plain file path: --store ./keys.db');
  }
  refuseLikeUrl(text.trim());
  // better-sqlite3 trims file names, so it would open another file than the one that was checked.
  if (text !== text.trim())
    throw new KeysError(
      'usage',
      `the store path ${quoted(text)} begins or ends with white space`,
      'remove the white space',
    );
  return path.resolve(cwd, text);
}
