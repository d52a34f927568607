import { type AuditHead, type AuditRow, formatHead } from '../domain/audit.js';
import { AuditReplay } from '../domain/audit-replay.js';
import { KeysError } from '../domain/errors.js';
import type { KeyStore } from '../domain/key-store.js';

const PAGE = 2000;
const ATTEMPTS = 5;

/** What a check of the audit log found. */
export interface AuditCheck {
  /** True when there are no problems. */
  readonly sound: boolean;
  /** The last row of the log. Note it elsewhere, and pass it to the next check. */
  readonly head: AuditHead;
  /** How many rows the log has. */
  readonly events: number;
  /** What is wrong, at most 100 lines. */
  readonly problems: readonly string[];
}

/** The log was replaced or rewritten while it was read. */
class LogMoved extends Error {}

/**
 * Reads the log up to rows that the caller names, one after the other, and replays it. Each page of keys was read together with the last
 * row of the log at that moment; the replay goes on to that row, and no further, before the page is compared. So a store that changes all
 * the time can be checked, without a transaction that lasts as long as the check.
 */
class Follower {
  readonly replay = new AuditReplay();
  readonly #store: KeyStore;
  readonly #anchor: AuditHead | null;
  #anchored: boolean;
  #events = 0;
  /** Rows that were read and not replayed yet. */
  #ahead: AuditRow[] = [];

  constructor(store: KeyStore, anchor: AuditHead | null) {
    this.#store = store;
    this.#anchor = anchor;
    this.#anchored = anchor === null || anchor.seq === 0;
  }

  get events(): number {
    return this.#events;
  }

  get anchored(): boolean {
    return this.#anchored;
  }

  async advanceTo(head: AuditHead): Promise<void> {
    while (this.replay.head.seq < head.seq) {
      if (this.#ahead.length === 0) this.#ahead = await this.#nextRows();
      const end = this.#ahead.findIndex(({ seq }) => seq > head.seq);
      const rows = this.#ahead.splice(0, end === -1 ? this.#ahead.length : end);
      if (rows.length === 0) throw new LogMoved();
      for (const row of rows) this.#feed(row);
    }
    if (this.replay.head.hash !== head.hash) throw new LogMoved();
  }

  /** Rows that do not follow the last one are a problem of the log only while that one is in it: else they are those of another log. */
  async #nextRows(): Promise<AuditRow[]> {
    const { seq, hash } = this.replay.head;
    const rows = await this.#store.audit.rows(seq, PAGE);
    if (seq === 0 || rows[0]?.prev === hash) return rows;
    const [last] = await this.#store.audit.rows(seq - 1, 1);
    if (last?.hash !== hash) throw new LogMoved();
    return rows;
  }

  #feed(row: AuditRow): void {
    this.replay.feed(row);
    this.#events += 1;
    if (row.seq === this.#anchor?.seq) this.#anchored = row.hash === this.#anchor.hash;
  }
}

async function replayOnce(store: KeyStore, anchor: AuditHead | null): Promise<AuditCheck> {
  const log = new Follower(store, anchor);
  const { replay } = log;
  for (let seq = 0; ; ) {
    const { head, keys } = await store.audit.keyStates(seq, PAGE);
    await log.advanceTo(head);
    for (const { id, state, damaged } of keys) replay.checkKey(id, state, damaged);
    const last = keys.at(-1);
    if (!last || keys.length < PAGE) break; // the last page: with more reads, a store that grows all the time would have no end
    seq = last.seq;
  }
  replay.finishKeys();
  for (let seq = 0; ; ) {
    const { head, deleted } = await store.audit.deletedStates(seq, PAGE);
    await log.advanceTo(head);
    for (const { id, state, keptUntil, damaged } of deleted) replay.checkDeleted(id, state, keptUntil, damaged);
    const last = deleted.at(-1);
    if (!last || deleted.length < PAGE) break;
    seq = last.seq;
  }
  const { head, catalogue, damaged, scheme, policy } = await store.audit.storedCatalogue();
  await log.advanceTo(head);
  for (const position of damaged) replay.problems.push(`row ${position} of the catalogue is damaged`);
  for (const entry of catalogue) replay.checkScope(entry.scope, entry.retired);
  replay.checkHashScheme(scheme);
  replay.checkPolicy(policy);
  replay.finishScopes();
  replay.problems.push(...(await store.derivedProblems()));
  if (log.events === 0)
    replay.problems.push('the audit log is empty: its first row, the creation of the store, is missing');
  if (anchor && !log.anchored)
    replay.problems.push(
      `the log does not contain ${formatHead(anchor)}: it was cut or rebuilt after that head was noted`,
    );
  return {
    sound: replay.problems.length === 0,
    head: replay.head,
    events: log.events,
    problems: replay.problems.slice(0, 100),
  };
}

/**
 * Checks the chain row by row and replays it against the keys and the catalogue, while others go on changing the store. `anchor` is a head
 * noted earlier: the log must still contain it. Starts again when the store is replaced during the check, and throws `store_busy` after five
 * attempts.
 */
export async function checkAudit(store: KeyStore, anchor: AuditHead | null): Promise<AuditCheck> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    try {
      return await replayOnce(store, anchor);
    } catch (error) {
      if (!(error instanceof LogMoved)) throw error;
    }
  }
  throw new KeysError('store_busy', 'the store was replaced again and again during the check', 'try again');
}
