import { closeSync, openSync, readSync, rmSync, type Stats } from 'node:fs';
import path from 'node:path';
import { KeysError } from '../../domain/errors.js';
import { safeText } from '../../domain/text.js';
import { errnoOf } from '../../files/errno.js';
import { lookFor } from '../../files/exists.js';
import { surroundingsOf } from './directories.js';

/**
 * What SQLite reads beside a database, by name alone: it plays a journal back into the database, and takes pages from a write-ahead log
 * as if they were the database's own.
 */
export const SUFFIXES = ['-journal', '-wal', '-shm'] as const;
/** The end of a journal that names a super-journal: a file, anywhere, that SQLite would open and delete. We never write one. */
const SUPER_JOURNAL_END = Buffer.of(0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7);

function unsafe(file: string, why: string): KeysError {
  return new KeysError(
    'unsafe_path',
    `refusing the store: ${safeText(file)} ${why}`,
    'SQLite would read that file into the store: move it away, and find out who put it there',
  );
}

function assertOwn(file: string, stats: Stats): void {
  if (!stats.isFile()) throw unsafe(file, 'is not a regular file');
  if (process.platform === 'win32') return;
  if (stats.uid !== process.getuid?.()) throw unsafe(file, `belongs to another user (uid ${stats.uid})`);
  if (stats.nlink !== 1) throw unsafe(file, 'has a second name (a hard link)');
  if ((stats.mode & 0o022) !== 0) throw unsafe(file, 'can be written by others');
}

function bytesAt(file: string, position: number, length: number): Buffer {
  const descriptor = openSync(file, 'r');
  try {
    const bytes = Buffer.alloc(length);
    return bytes.subarray(0, readSync(descriptor, bytes, 0, length, position));
  } finally {
    closeSync(descriptor);
  }
}

/** Makes the side files, empty, before anybody else can: in a directory with the sticky bit, others cannot take them away. */
function claim(file: string): void {
  for (const suffix of SUFFIXES) {
    try {
      closeSync(openSync(file + suffix, 'wx', 0o600));
    } catch (error) {
      if (!['EEXIST', 'EACCES', 'EROFS'].includes(errnoOf(error))) throw error;
    }
  }
}

/**
 * Throws `unsafe_path` unless every file that SQLite would read beside `file` is a plain file of this user alone. `shared`: others can
 * make files in this directory, so those that are missing are made. Called before SQLite opens the store and again afterwards.
 */
export function guardSideFiles(file: string, shared: boolean): void {
  if (shared) claim(file);
  for (const suffix of SUFFIXES) {
    const each = file + suffix;
    const stats = lookFor(each);
    if (!stats) continue;
    assertOwn(each, stats);
    if (suffix === '-journal' && stats.size >= 8 && bytesAt(each, stats.size - 8, 8).equals(SUPER_JOURNAL_END))
      throw unsafe(each, 'names a further file to be read');
  }
}

/** Removes the side files of a copy that nobody has open, unless they hold something. */
export function releaseSideFiles(file: string): void {
  for (const each of SUFFIXES.map((suffix) => file + suffix)) {
    const stats = lookFor(each);
    if (stats?.size === 0 && stats.uid === process.getuid?.()) rmSync(each, { force: true });
  }
}

function sizeOf(file: string): number {
  return lookFor(file)?.size ?? 0;
}

/** Whether a database says in its header that it has a write-ahead log. A backup says that it has none; an empty file says nothing. */
function saysThatItLogs(file: string): boolean {
  const [writes, reads] = sizeOf(file) < 20 ? [0, 0] : bytesAt(file, 18, 2);
  return writes === 2 || reads === 2;
}

/**
 * Throws `store_corrupt` when the write-ahead log beside `file` was left there by another database: SQLite would mix the two. Throws
 * `store_unavailable` when only the index of such a log is there: a program that still has the database of before open shares both with
 * whoever opens this one, and would write what is logged now into its own. Opens `file`, and closing it drops this process's locks on it:
 * call it only while no connection of this process has it open.
 */
export function refuseLeftOverLog(file: string): void {
  const name = safeText(file);
  const away = `move ${name}-wal and ${name}-shm away`;
  const indexed = sizeOf(`${file}-shm`) > 0; // before the header is read: whoever makes a store writes that first
  if (sizeOf(`${file}-wal`) > 0 && !saysThatItLogs(file))
    throw new KeysError(
      'store_corrupt',
      `${name}-wal was left by another database than ${name}, and SQLite would mix the two`,
      `put a backup in place with: unlockos-keys store restore FILE; or ${away}`,
    );
  if (indexed && !saysThatItLogs(file) && !surroundingsOf(path.dirname(file)).shared)
    throw new KeysError(
      'store_unavailable',
      `another database was at ${name} before, and a program has it open, or was killed`,
      `servers let go of it within seconds: try again; else end that program, or ${away}`,
    );
}

/** Takes away the log and its index of a database that has another name now, unless the log holds something or others are there by now. */
export function removeOldLog(file: string, { log, index }: { log: string | null; index: string | null }): void {
  const identityOf = (stats: Stats | null) => stats && `${stats.dev}:${stats.ino}`;
  const now = lookFor(`${file}-wal`);
  if (now && (now.size > 0 || identityOf(now) !== log)) return;
  if (now) rmSync(`${file}-wal`, { force: true });
  if (index !== null && identityOf(lookFor(`${file}-shm`)) === index) rmSync(`${file}-shm`, { force: true });
}
