import { type AuditHead, AuditReplay, formatHead } from '../domain/audit.js';
import { KeysError } from '../domain/errors.js';
import type { KeyStore } from '../domain/key-store.js';

const PAGE = 2000;
const ATTEMPTS = 5;

export interface AuditCheck {
  readonly sound: boolean;
  readonly head: AuditHead;
  readonly events: number;
  /** What is wrong, at most 100 lines. */
  readonly problems: readonly string[];
}

async function replayOnce(store: KeyStore, anchor: AuditHead | null): Promise<AuditCheck> {
  const replay = new AuditReplay();
  let anchored = anchor === null || anchor.seq === 0;
  let events = 0;
  for (
    let page = await store.auditRows(0, PAGE);
    page.length > 0;
    page = await store.auditRows(replay.head.seq, PAGE)
  ) {
    for (const row of page) {
      replay.feed(row);
      events += 1;
      if (row.seq === anchor?.seq) anchored = row.hash === anchor.hash;
    }
  }
  for (
    let page = await store.keyStates(0, PAGE);
    page.length > 0;
    page = await store.keyStates(page.at(-1)?.seq ?? 0, PAGE)
  ) {
    for (const { id, state } of page) replay.checkKey(id, state);
  }
  for (const entry of await store.catalogue()) replay.checkScope(entry.scope, entry.retired);
  replay.checkHashScheme(await store.hashScheme());
  replay.finish();
  if (events === 0) replay.problems.push('the audit log is empty: its first row, the making of the store, is gone');
  if (anchor && !anchored)
    replay.problems.push(`the log does not contain ${formatHead(anchor)}: it was cut or rebuilt since that was noted`);
  return { sound: replay.problems.length === 0, head: replay.head, events, problems: replay.problems.slice(0, 100) };
}

/**
 * Checks the chain row by row and replays it against the keys and the catalogue. `anchor` is a head noted earlier: the log must still
 * contain it. Repeats itself when another process writes meanwhile; throws `store_busy` when that never stops.
 */
export async function checkAudit(store: KeyStore, anchor: AuditHead | null): Promise<AuditCheck> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const check = await replayOnce(store, anchor);
    const head = await store.auditHead();
    if (head.seq === check.head.seq && head.hash === check.head.hash) return check;
  }
  throw new KeysError(
    'store_busy',
    'the audit log kept growing while it was checked',
    'try again when fewer changes are made',
  );
}
