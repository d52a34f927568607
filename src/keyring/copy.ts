import { randomUUID } from 'node:crypto';
import { type AuditHead, formatHead } from '../domain/audit.js';
import type { CopiedCount, CopiedKey } from '../domain/copy.js';
import { KeysError } from '../domain/errors.js';
import type { KeyStore } from '../domain/key-store.js';
import { safeText } from '../domain/text.js';
import { NOTHING_RECORDED } from '../domain/use.js';
import { checkAudit } from './audit-check.js';

const PAGE = 200;

/** The result of a copy. */
export interface CopyResult {
  /** The last row of both audit logs. */
  readonly head: AuditHead;
  /** How many keys the target has. */
  readonly keys: number;
  /** Audit rows that this run copied. The others were there already. */
  readonly copied: number;
}

/** Throws unless the target's log is the beginning of the source's. */
async function assertPrefix(from: KeyStore, to: KeyStore, head: AuditHead): Promise<void> {
  if (head.seq === 0) return;
  const [row] = await from.audit.rows(head.seq - 1, 1);
  if (row?.seq === head.seq && row.hash === head.hash) return;
  throw new KeysError(
    'conflict',
    `${safeText(to.location)} is not an earlier state of ${safeText(from.location)}: it has changes of its own`,
    'copy to a store that does not exist yet',
  );
}

async function assertSound(store: KeyStore): Promise<AuditHead> {
  const { sound, head, problems } = await checkAudit(store, null);
  if (sound) return head;
  throw new KeysError(
    'store_corrupt',
    `the audit log of ${safeText(store.location)} and its keys do not agree: ${problems[0]}`,
    `unlockos-keys audit verify --store ${safeText(store.location)} lists every problem; nothing more was copied`,
  );
}

/**
 * Throws `usage` when both are one store under two names: other paths, mounts or URLs. A copy would mark it as unfinished, and everybody
 * would be refused. A token that is left in one is looked for in the other; no path, address or id could tell as much.
 */
async function assertApart(from: KeyStore, to: KeyStore, head: AuditHead): Promise<void> {
  if (head.seq === 0) return; // the source has at least its first row
  const token = randomUUID();
  await to.copy.leaveToken(token);
  try {
    if (!(await from.copy.sees(token))) return;
  } finally {
    await to.copy.takeToken();
  }
  throw new KeysError(
    'usage',
    `FROM and TO are the same store (${safeText(from.location)})`,
    'name another store as TO; nothing was copied',
  );
}

/** Copies every audit row that the target lacks, with the keys that the row is about. Returns the last row. */
async function copyLog(
  from: KeyStore,
  to: KeyStore,
  start: AuditHead,
  progress: (done: number) => void,
): Promise<AuditHead> {
  for (let head = start; ; ) {
    const page = await from.copy.page(head.seq, PAGE);
    const last = page.rows.at(-1);
    if (!last) return head; // at that moment, nothing had happened that the target lacks
    await to.copy.begin();
    await to.copy.receive(page, head);
    head = { seq: last.seq, hash: last.hash };
    progress(head.seq);
  }
}

/** Copies the last-used times that have changed since their key was copied: they leave no audit row. Returns the number of keys. */
async function copyMarks(from: KeyStore, to: KeyStore): Promise<number> {
  let count = 0;
  for (let seq = 0; ; ) {
    const [theirs, ours] = await Promise.all([from.copy.keys(seq, PAGE), to.copy.keys(seq, PAGE)]);
    const known = new Map(ours.map(({ key }) => [key.id, key.lastUsedAt?.getTime()]));
    const moved = (copied: CopiedKey) => known.get(copied.key.id) !== copied.key.lastUsedAt?.getTime();
    await to.copy.receiveMarks(theirs.filter(({ key }) => known.has(key.id)).filter(moved));
    count += theirs.length;
    const last = theirs.at(-1);
    if (!last) return count;
    seq = last.seq;
  }
}

/** Copies how often keys were used and refused, and when that was recorded. */
async function copyCounts(from: KeyStore, to: KeyStore): Promise<void> {
  const recording = await from.use.recording();
  for (let last: CopiedCount | null = null; ; ) {
    const counts: CopiedCount[] = await from.copy.counts(last, PAGE);
    await to.copy.receiveCounts(counts, last === null ? recording : NOTHING_RECORDED);
    last = counts.at(-1) ?? null;
    if (last === null) return;
  }
}

/**
 * Makes `to` a copy of `from`: keys with their hashes, catalogue, audit log, last-used times and counts of use. A copy that was interrupted continues
 * where it stopped; run again later, it adds what has happened since. Both audit logs are verified, and end in the same row. Throws
 * `conflict` for a target with changes of its own, `store_corrupt` for a source that does not verify.
 */
export async function copyStore(
  from: KeyStore,
  to: KeyStore,
  progress: (done: number, total: number) => void = () => {},
): Promise<CopyResult> {
  const start = await to.audit.head();
  await assertPrefix(from, to, start);
  await assertApart(from, to, start);
  const source = await assertSound(from);
  const head = await copyLog(from, to, start, (done) => progress(done, Math.max(source.seq, done)));
  const keys = await copyMarks(from, to);
  await copyCounts(from, to);
  const reached = await assertSound(to);
  const theirs = await assertPrefixOfSource(from, reached);
  await to.copy.finish();
  return { head: theirs, keys, copied: head.seq - start.seq };
}

/** The source may have grown since, but must still contain the row that the copy ends in. */
async function assertPrefixOfSource(from: KeyStore, head: AuditHead): Promise<AuditHead> {
  const [row] = await from.audit.rows(head.seq - 1, 1);
  if (row?.hash === head.hash) return head;
  throw new KeysError(
    'conflict',
    `the copy ends in ${formatHead(head)}, which the source does not contain`,
    'run it again',
  );
}

/**
 * Makes an unfinished copy usable as it is. Its log must verify and agree with its keys; it may end earlier than that of the source.
 * Answers `finished: false` for a store that is not unfinished. Throws `store_corrupt`.
 */
export async function finishCopy(store: KeyStore): Promise<{ head: AuditHead; finished: boolean }> {
  const head = await assertSound(store);
  if (head.seq === 0) throw new KeysError('store_corrupt', 'nothing was copied yet', 'run the same store copy again');
  return { head, finished: await store.copy.finish() };
}

/** Throws `store_corrupt` for a store that must not take the place of another one. One that cannot be written to may: it is read only. */
export async function assertRestorable(store: KeyStore): Promise<void> {
  const failed = (await store.check()).find(({ check, status }) => status === 'failed' && check !== 'writable');
  if (failed)
    throw new KeysError(
      'store_corrupt',
      `${safeText(store.location)} is not sound (${failed.check}: ${failed.detail})`,
      'restore another copy; nothing was changed',
    );
  await assertSound(store);
}
