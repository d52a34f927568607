import { rmSync } from 'node:fs';
import path from 'node:path';
import { KeysError } from '../../domain/errors.js';
import { safeText } from '../../domain/text.js';
import { createPrivateFile } from '../../files/private-file.js';
import { translate } from '../errors.js';
import { surroundingsOf } from './directories.js';
import type { Connection, Engine } from './engines/engine.js';
import { guardSideFiles, releaseSideFiles } from './side-files.js';

/**
 * Writes a consistent copy of an open store to a new file (0600) and checks it. Throws `store_corrupt` for a damaged copy, which it
 * removes, and what the file system or SQLite throws. VACUUM INTO would create a file that everybody can read, but also fills an empty
 * one, so that is created first.
 */
export function writeSnapshot(db: Connection, engine: Engine, file: string): void {
  createPrivateFile(file).fill('');
  try {
    guardSideFiles(file, false);
    if (db.copyInto) db.copyInto(file);
    else db.prepare('VACUUM INTO ?').run(file);
    withSideFilesOf(file, () => assertSound(engine, file));
  } catch (error) {
    rmSync(file, { force: true });
    throw error;
  }
}

/** Where others could make a side file of the copy, ours are there while SQLite reads it. */
export function withSideFilesOf<T>(file: string, act: () => T): T {
  const { shared } = surroundingsOf(path.dirname(file));
  guardSideFiles(file, shared);
  try {
    const result = act();
    guardSideFiles(file, false);
    return result;
  } finally {
    if (shared) releaseSideFiles(file);
  }
}

function assertSound(engine: Engine, file: string): void {
  const copy = engine.open(file);
  try {
    const verdict = copy.prepare('SELECT * FROM pragma_quick_check LIMIT 1').value();
    if (verdict !== 'ok')
      throw new KeysError(
        'store_corrupt',
        `the copy ${safeText(file)} is damaged: ${safeText(String(verdict))}`,
        'run unlockos-keys doctor on the store',
      );
  } finally {
    copy.close();
  }
}

/** {@link writeSnapshot} to a file that a person named. Throws `conflict` or `usage` when the file cannot be created. */
export function backupTo(db: Connection, engine: Engine, file: string): void {
  try {
    writeSnapshot(db, engine, file);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'EEXIST')
      throw new KeysError('conflict', `${safeText(file)} exists`, 'choose a new file: a backup never overwrites');
    if (code === 'ENOENT')
      throw new KeysError('usage', `the directory of ${safeText(file)} does not exist`, 'create it first');
    if (code === 'EACCES' || code === 'EROFS')
      throw new KeysError('usage', `no permission to write ${safeText(file)}`, 'choose a file that you may write');
    throw translate(error, safeText(file));
  }
}
