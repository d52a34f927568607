import { type AuditAction, type AuditHead, type AuditRow, appendToChain } from '../domain/audit.js';
import type { AuditEvent } from '../domain/audit-side.js';
import type { Change, Changed, LogChange } from '../domain/change.js';
import type { Credential } from '../domain/credential.js';
import { isKeysError, KeysError } from '../domain/errors.js';
import type { CatalogueScope } from '../domain/scopes.js';
import { credentialFromRow } from './credential-row.js';
import type { Database, ReadBack, Rows, Statement, WritePlan } from './database.js';
import { DROP_PAST, HAS_DELETED } from './deleted-writes.js';
import type { Planned } from './planned.js';
import { affectingRows } from './query.js';
import { eventFromRow, headFromRows, scopesFromRows } from './rows.js';
import { credentialById, firstOfOperation, head, insertAudit, rowsAfter } from './statements.js';

/** One change: what it reads, what it makes of that, and what it answers when an earlier run has already made it. */
export interface AuditedChange<T> {
  readonly change: Change;
  readonly reads: readonly Statement[];
  /** Pure: an engine may call it more than once. Without drafts, nothing is written. */
  plan(rows: Rows[]): Planned<T>;
  /**
   * False for housekeeping: it throws `store_busy` while another process holds the lock of a local store, and leaves an older schema as it is.
   * Default: true.
   */
  readonly wait?: boolean;
  /** The answer for an operation id that was used before. By default: `conflict`. */
  repeated?(done: AuditEvent, rows: Rows[]): T;
}

/** A change of one key, which is read under the same lock. */
export interface AuditedKeyChange<T> {
  readonly id: string;
  readonly change: Change;
  readonly reads?: readonly Statement[];
  /** `seq`: the key's place in the order of creation. */
  plan(found: Credential, rows: Rows[], seq: number): Planned<T>;
  repeated?(done: AuditEvent, found: Credential): T;
}

/** Makes every change of a store: one atomic write together with its audit rows, once per operation id. */
export class AuditedChanges {
  readonly #db: Database;
  #count = 0;
  #last: LogChange | null = null;

  constructor(database: Database) {
    this.#db = database;
  }

  /** How many changes were started here, whether or not they wrote anything. */
  get count(): number {
    return this.#count;
  }

  /** Where the log ended before the first and after the last change that was read back here. */
  get last(): LogChange | null {
    return this.#last;
  }

  /**
   * Writes what `plan` makes of the rows that were read under the same lock, and its audit rows. If another run has carried out this
   * operation, `repeated` answers. If this very call has, and only its reply was lost, the answer is the result of that attempt.
   *
   * Throws `conflict`, `outcome_unknown`, whatever `plan` throws, and the `store_…` codes of the engine.
   */
  async make<T>({ change, reads, plan, wait = true, repeated = refuseRepeat }: AuditedChange<T>): Promise<T> {
    const attempts = new Map<string, T>(); // by the hash of their first audit row
    this.#count += 1;
    try {
      const planned = ([headRows = [], done = [], tables = [], ...rows]: Rows[]): WritePlan<T> => {
        const [first] = done;
        const hash = first?.[3] as string | undefined;
        if (hash !== undefined && attempts.has(hash)) return { writes: [], result: attempts.get(hash) as T };
        if (first) return { writes: [], result: repeated(eventFromRow(first), rows) };
        const { writes, drafts, result, readBack } = plan(rows);
        const { by, at, reason = null } = change;
        const bodies = drafts.map((draft) => ({ ...by, at: at.toISOString(), reason, ...draft }));
        // Housekeeping upgrades nothing and writes rows in the store's own schema, so that servers of older versions can go on.
        const bare = !wait && headRows[0]?.[2] === null;
        const audit = appendToChain(headFromRows(headRows), change.op, bodies, { bare });
        if (audit[0]) attempts.set(audit[0].hash, result);
        const fits = writes.length + audit.length < this.#db.maxStatements;
        const sweeps = wait && audit.length > 0 && fits && Number(tables[0]?.[0]) > 0;
        return {
          writes: [
            ...writes,
            ...(sweeps ? [DROP_PAST] : []),
            ...audit.map((row) => affectingRows(1, insertAudit({ ...row }))),
          ],
          result,
          readBack: wait
            ? readBackAfter(audit, headFromRows(headRows), readBack, (done) => {
                this.#last = { ...done, before: this.#last?.before ?? done.before };
              })
            : undefined,
        };
      };
      return await this.#db.write([head({}), firstOfOperation({ op: change.op }), HAS_DELETED, ...reads], planned, {
        wait,
        change: wait,
      });
    } catch (error) {
      throw isKeysError(error, 'outcome_unknown') ? unknownOutcome(error, change.op) : error;
    }
  }

  /** {@link make} for one key. Throws `not_found` when the key no longer exists. */
  async makeOfKey<T>({ id, change, reads = [], plan, repeated }: AuditedKeyChange<T>): Promise<T> {
    const found = ([row]: Rows): Credential => {
      if (!row)
        throw new KeysError('not_found', `key ${id} no longer exists`, 'unlockos-keys list shows the keys that do');
      return credentialFromRow(row);
    };
    return this.make({
      change,
      reads: [credentialById({ id }), ...reads],
      plan: ([row = [], ...rows]) => plan(found(row), rows, row[0]?.[0] as number),
      ...(repeated && { repeated: (done: AuditEvent, [row = []]: Rows[]) => repeated(done, found(row)) }),
    });
  }
}

/**
 * Reads a change back: its last audit row is in the log that the store's name leads to, and if nobody has changed anything since, the rest
 * is as it was planned.
 */
function readBackAfter(
  audit: readonly AuditRow[],
  before: AuditHead,
  planned: ReadBack | undefined,
  done: (change: LogChange) => void,
): ReadBack | undefined {
  const last = audit.at(-1);
  if (!last) return planned;
  return {
    statements: [
      head({}),
      rowsAfter({ seq: 0, limit: 1 }),
      rowsAfter({ seq: last.seq - 1, limit: 1 }),
      ...(planned?.statements ?? []),
    ],
    check([end = [], first = [], appended = [], ...rows]) {
      if (appended[0]?.[4] !== last.hash)
        throw new KeysError(
          'store_unavailable',
          'the change was written, but the audit log does not contain it',
          'unlockos-keys doctor says more; no key string was handed out',
        );
      if (headFromRows(end).hash === last.hash) planned?.check(rows);
      done({ birth: String(first[0]?.[4]), before, head: { seq: last.seq, hash: last.hash } });
    },
  };
}

/** The `conflict` for an operation id that stands for another change. */
export function alreadyCarriedOut(done: AuditEvent): KeysError {
  const what = done.keyId === null ? done.action : `${done.action} of ${done.keyId}`;
  return new KeysError(
    'conflict',
    `operation ${done.op} was already carried out: ${what}`,
    'omit --operation-id to make a new change; unlockos-keys audit list shows what was done',
  );
}

function refuseRepeat(done: AuditEvent): never {
  throw alreadyCarriedOut(done);
}

/** Answers a repeated change of one key with the key as it is now. Throws `conflict` when the operation id stands for another change. */
export function unchangedKey(action: AuditAction, id: string): (done: AuditEvent, found: Credential) => Changed {
  return (done, { key }) => {
    if (done.action !== action || done.keyId !== id) throw alreadyCarriedOut(done);
    return { key, changed: false };
  };
}

/** Answers a repeated change of one scope. Throws `conflict` when the operation id stands for another change. */
export function unchangedScope(action: AuditAction, scope: string, done: AuditEvent, rows: Rows): CatalogueScope {
  const found = scopesFromRows(rows).find((entry) => entry.scope === scope);
  if (done.action !== action || (done.after as { scope?: string } | null)?.scope !== scope || !found)
    throw alreadyCarriedOut(done);
  return found;
}

function unknownOutcome(error: KeysError, op: string): KeysError {
  const [operation = op] = op.split(':');
  return new KeysError(
    'outcome_unknown',
    `${error.message}; the change may or may not have been made (operation ${operation})`,
    `run the same command again with --operation-id ${operation}: it finishes what is missing and repeats nothing`,
    { cause: error.cause },
  );
}
