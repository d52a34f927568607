import { randomUUID } from 'node:crypto';
import { linkSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { type AuditHead, appendToChain } from '../../domain/audit.js';
import type { Change } from '../../domain/change.js';
import { KeysError } from '../../domain/errors.js';
import type { Replacement } from '../../domain/key-store.js';
import { safeText } from '../../domain/text.js';
import { errnoOf } from '../../files/errno.js';
import { lookFor } from '../../files/exists.js';
import { syncDirectory } from '../../files/private-file.js';
import { isBusy } from '../errors.js';
import { FORGETS_TOKENS } from '../exchange.js';
import { headFromRows } from '../rows.js';
import { head, insertAudit } from '../statements.js';
import { SETTINGS_SINCE } from '../versions.js';
import { configure, identify, schemaVersion, setBusyTimeout } from './connection.js';
import type { Connection, Engine } from './engines/engine.js';
import { copyNamePrefix, leftCopies } from './left-copies.js';
import { fileError, keptNamePrefix, secondNames, secureFile, securePlace } from './path-safety.js';
import { refuseLeftOverLog, SUFFIXES } from './side-files.js';
import { withSideFilesOf, writeSnapshot } from './snapshot.js';

interface Restore {
  /** The store to put in place. */
  readonly source: Connection;
  readonly engine: Engine;
  readonly target: string;
  readonly timeoutMs: number;
  readonly change: Change;
}

function lastRow(db: Connection): AuditHead {
  const { sql, params } = head({});
  return headFromRows(db.prepare(sql).all(...params));
}

/** The log of the copy says that it was restored, and what it took the place of; ID tokens that were spent since are not known in it. */
function recordRestore(
  engine: Engine,
  copy: string,
  { by, at, op, reason }: Change,
  before: AuditHead | null,
): AuditHead {
  const db = engine.open(copy);
  try {
    configure(db);
    db.exec('BEGIN IMMEDIATE'); // SQLite looks for a journal beside it here, and not again
    const from = lastRow(db);
    const body = {
      ...by,
      at: at.toISOString(),
      action: 'store.restore' as const,
      keyId: null,
      keyName: null,
      reason: reason ?? null,
      before: before && { ...before },
      after: { ...from },
    };
    for (const row of appendToChain(from, op, [body])) {
      const { sql, params } = insertAudit({ ...row });
      db.prepare(sql).run(...params);
    }
    if (schemaVersion(db).version >= SETTINGS_SINCE) db.prepare(FORGETS_TOKENS.sql).run();
    const end = lastRow(db);
    db.exec('COMMIT');
    return end;
  } finally {
    db.close();
  }
}

/**
 * Opens the store that is to be replaced and takes its write lock, so that nobody changes it meanwhile. Returns null when there
 * is no store, or SQLite cannot read it. Throws `store_foreign` and `store_busy`.
 */
function lock(engine: Engine, target: string, timeoutMs: number): { db: Connection; head: AuditHead } | null {
  const there = lookFor(target);
  if (!there) {
    securePlace(target);
    return null;
  }
  secureFile(target, { create: false, makeParent: false, mayBeRestored: true });
  let db: Connection | undefined;
  try {
    refuseLeftOverLog(target);
    db = engine.open(target);
    setBusyTimeout(db, timeoutMs);
    if (identify(db) === 'foreign')
      throw new KeysError('store_foreign', `${safeText(target)} is a SQLite file of another program`);
    db.exec('PRAGMA wal_checkpoint(TRUNCATE); BEGIN IMMEDIATE');
    for (const name of secondNames(target, there)) rmSync(name);
    // A restore that goes on now would hold the lock of the store: whoever made these copies was killed.
    if (lookFor(target)?.ino === there.ino) for (const name of leftCopies(target)) rmSync(name, { force: true });
    return { db, head: lastRow(db) };
  } catch (error) {
    db?.close();
    if (isBusy(error) || (error instanceof KeysError && error.code === 'store_foreign')) throw error;
    return null; // damaged, or not yet a store: there is nothing in it that a lock could protect
  }
}

/** False when there was nothing: a process that ends takes its side files away, and may do so at any moment. */
function renameIfThere(from: string, to: string): boolean {
  try {
    renameSync(from, to);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw error;
  }
}

/** Gives `copy` the name `target` in one step; the file that had it, with all beside it, is called `kept` from then on. */
function exchange(copy: string, target: string, kept: string): void {
  const moved: string[] = [];
  try {
    for (const suffix of SUFFIXES) if (renameIfThere(target + suffix, kept + suffix)) moved.push(suffix);
    try {
      linkSync(target, kept);
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') renameIfThere(target, kept); // no hard links here
    }
    renameSync(copy, target);
  } catch (error) {
    if (!lookFor(target)) renameIfThere(kept, target);
    for (const suffix of moved) renameSync(kept + suffix, target + suffix);
    throw error;
  }
  syncDirectory(target);
}

/** An empty log is not part of the store that was kept. */
function tidy(kept: string): void {
  if ((lookFor(`${kept}-wal`)?.size ?? 0) > 0) return;
  for (const suffix of ['-wal', '-shm']) rmSync(kept + suffix, { force: true });
}

/**
 * Puts a copy of `source` in the place of the store at `target`, and keeps that beside it. Others may have `target` open: a process that
 * follows its file opens the new one, any other fails with its next change, and no log of the old store is left beside the new one.
 * Throws `store_busy` when somebody holds the lock for too long, `store_foreign`, `unsafe_path`, and what the file system says.
 */
export function replaceStore(restore: Restore): Replacement {
  try {
    return replace(restore);
  } catch (error) {
    throw fileError(error, restore.target);
  }
}

function replace({ source, engine, target, timeoutMs, change }: Restore): Replacement {
  const copy = path.join(path.dirname(target), `${copyNamePrefix(target)}${randomUUID().slice(0, 8)}`);
  const stamp = change.at.toISOString().replace(/[-:]|\.\d+/g, '');
  const kept = path.join(path.dirname(target), `${keptNamePrefix(target)}${stamp}-${randomUUID().slice(0, 4)}`);
  const before = lock(engine, target, timeoutMs);
  try {
    writeSnapshot(source, engine, copy);
    const end = withSideFilesOf(copy, () => recordRestore(engine, copy, change, before?.head ?? null));
    const wasThere = [target, ...SUFFIXES.map((suffix) => target + suffix)].some((each) => lookFor(each));
    exchange(copy, target, kept);
    return { head: end, kept: wasThere ? kept : null };
  } catch (error) {
    rmSync(copy, { force: true });
    throw error;
  } finally {
    if (before?.db.inTransaction) before.db.exec('ROLLBACK');
    before?.db.close();
    tidy(kept);
  }
}
