import { type AuditHead, formatHead } from '../domain/audit.js';
import type { CopiedKey } from '../domain/copy.js';
import { KeysError } from '../domain/errors.js';
import type { KeyStore } from '../domain/key-store.js';
import { safeText } from '../domain/text.js';
import { checkAudit } from './audit-check.js';

const PAGE = 200;

export interface CopyResult {
  /** What both logs end in. */
  readonly head: AuditHead;
  readonly keys: number;
  /** Audit rows that were copied now; the others were there from an earlier run. */
  readonly copied: number;
}

/** Throws unless the target's log is the beginning of the source's. */
async function assertPrefix(from: KeyStore, to: KeyStore, head: AuditHead): Promise<void> {
  if (head.seq === 0) return;
  const [row] = await from.auditRows(head.seq - 1, 1);
  if (row?.seq === head.seq && row.hash === head.hash) return;
  throw new KeysError(
    'conflict',
    `${safeText(to.location)} is no earlier state of ${safeText(from.location)}: its log holds changes of its own`,
    'copy to a store that does not exist yet',
  );
}

async function assertSound(store: KeyStore): Promise<AuditHead> {
  const { sound, head, problems } = await checkAudit(store, null);
  if (sound) return head;
  throw new KeysError(
    'store_corrupt',
    `the audit log of ${safeText(store.location)} and its keys do not agree: ${problems[0]}`,
    `unlockos-keys audit verify --store ${safeText(store.location)} lists all of it; nothing more was copied`,
  );
}

/** Copies every row of the log that the target lacks, with the keys that it is about; the head that was reached. */
async function copyLog(
  from: KeyStore,
  to: KeyStore,
  start: AuditHead,
  progress: (done: number) => void,
): Promise<AuditHead> {
  for (let head = start; ; ) {
    const page = await from.copySide.page(head.seq, PAGE);
    const last = page.rows.at(-1);
    if (!last) return head;
    await to.copySide.receive(page, head);
    head = { seq: last.seq, hash: last.hash };
    progress(head.seq);
  }
}

/** Last-used marks change without an audit row: those that moved on since their key was copied. Returns the number of keys. */
async function copyMarks(from: KeyStore, to: KeyStore): Promise<number> {
  let count = 0;
  for (let seq = 0; ; ) {
    const [theirs, ours] = await Promise.all([from.copySide.keys(seq, PAGE), to.copySide.keys(seq, PAGE)]);
    const known = new Map(ours.map(({ key }) => [key.id, key.lastUsedAt?.getTime()]));
    const moved = (copied: CopiedKey) => known.get(copied.key.id) !== copied.key.lastUsedAt?.getTime();
    await to.copySide.receiveMarks(theirs.filter(({ key }) => known.has(key.id)).filter(moved));
    count += theirs.length;
    const last = theirs.at(-1);
    if (!last) return count;
    seq = last.seq;
  }
}

/**
 * Makes `to` the same store as `from`: keys, catalogue, audit chain and last-used marks. No secret is touched: what is copied are hashes.
 * Cut off, it goes on where it was; run again later, it takes in what happened since. At the end both audit logs are verified, and end
 * in the same head. Throws `conflict` for a target with changes of its own, `store_corrupt` for a source that does not verify.
 */
export async function copyStore(
  from: KeyStore,
  to: KeyStore,
  progress: (done: number, total: number) => void = () => {},
): Promise<CopyResult> {
  const source = await assertSound(from);
  const start = await to.auditHead();
  await assertPrefix(from, to, start);
  await to.copySide.begin();
  let head = start;
  let keys = 0;
  for (let seen = source; ; seen = await from.auditHead()) {
    head = await copyLog(from, to, head, (done) => progress(done, Math.max(seen.seq, done)));
    keys = await copyMarks(from, to);
    const now = await from.auditHead();
    if (now.seq === head.seq) break;
  }
  const reached = await assertSound(to);
  const theirs = await assertPrefixOfSource(from, reached);
  await to.copySide.finish();
  return { head: theirs, keys, copied: head.seq - start.seq };
}

/** The source may have gone on meanwhile; the head that was reached must still be in it. */
async function assertPrefixOfSource(from: KeyStore, head: AuditHead): Promise<AuditHead> {
  const [row] = await from.auditRows(head.seq - 1, 1);
  if (row?.hash === head.hash) return head;
  throw new KeysError(
    'conflict',
    `the copy ends in ${formatHead(head)}, which its source does not hold`,
    'run it again',
  );
}
