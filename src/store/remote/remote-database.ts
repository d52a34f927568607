import { randomInt } from 'node:crypto';
import { isKeysError, KeysError } from '../../domain/errors.js';
import type { Finding, SchemaUpgrade } from '../../domain/key-store.js';
import { sleep } from '../../domain/real-time.js';
import type { Database, EngineOptions, Rows, Statement, WritePlan } from '../database.js';
import { readMigrations } from '../migrations.js';
import { monotonic } from '../monotonic.js';
import { parseStoreUrl, type RemoteAddress } from './address.js';
import { BEGIN, BEGIN_IMMEDIATE, COMMIT, type CommitResult, commit } from './commit.js';
import { pause, RETRIES, RemoteConnection } from './connection.js';
import { isReadOnlyRefusal, isUncertain } from './faults.js';
import { type BatchResult, chained, GarbledAnswer } from './hrana.js';
import { inspectRemote } from './inspect.js';
import { PROBE } from './schema.js';
import { RemoteSchema } from './upgrade.js';

/** The most statements of one write: a server that has carried out more may find its answer too large to send, after the commit. */
const MAX_STATEMENTS = 5000;
/** How often a read is repeated because the schema was made or the token turned out to be read-only. */
const MAX_ROUNDS = 5;

/**
 * Deletes nothing, but is a write, so that a replica hands the whole request on to its primary. BEGIN IMMEDIATE does not do that: 4 of
 * 200 reads behind one were stale.
 */
const AT_PRIMARY: Statement = { sql: 'DELETE FROM schema_migrations WHERE 0', params: [] };

/** What a remote store is opened with. */
export interface RemoteOptions extends EngineOptions {
  /** Sent as a bearer token. Without it, the server is asked anonymously. */
  readonly token?: string | undefined;
  /** Allow an unencrypted connection to another machine. Default: false. */
  readonly allowHttp?: boolean | undefined;
}

/**
 * A database behind a libSQL server (Turso, or sqld). Every call is one HTTP request, which the server runs on a connection of its
 * own, so there are no interactive transactions: a write is a read, and then a batch whose first statements fail if anything was
 * changed in between (the audit log's triggers see to that). The operation id in the audit log makes it safe to send again.
 */
export class RemoteDatabase implements Database {
  readonly engine = 'libSQL';
  readonly remote = true;
  readonly maxStatements = MAX_STATEMENTS;
  readonly location: string;
  readonly #options: RemoteOptions;
  readonly #connection: RemoteConnection;
  readonly #schema: RemoteSchema;
  /** The token may only read: known from its text, or from a refusal. */
  #readOnly: boolean;

  private constructor(address: RemoteAddress, options: RemoteOptions) {
    this.location = address.location;
    this.#options = options;
    this.#connection = new RemoteConnection(address, options.token, options.timeoutMs);
    this.#schema = new RemoteSchema(this.#connection, options);
    this.#readOnly = saysReadOnly(options.token);
  }

  /** Sends nothing: the first call finds out whether the database is a store. Throws `usage` for an address, `unauthorized` for a token that is refused. */
  static open(location: string, options: RemoteOptions): RemoteDatabase {
    const address = parseStoreUrl(location, { allowHttp: options.allowHttp === true });
    if (options.token !== undefined && /[^\x21-\x7e]/.test(options.token))
      throw new KeysError(
        'unauthorized',
        'the token contains a space, a line break or another character that no token has',
        'check where it comes from: UNLOCKOS_KEYS_AUTH_TOKEN, or tokenFile or tokenCommand in the profile',
      );
    return new RemoteDatabase(address, options);
  }

  get created(): boolean {
    return this.#schema.created;
  }

  /** Reads in one request, which also asks for the schema's version while that is unknown. */
  async #read(statements: readonly Statement[], fresh: boolean, round = 1): Promise<Rows[]> {
    if (round > MAX_ROUNDS) throw new GarbledAnswer('the schema was made and is still missing');
    const atPrimary = fresh && !this.#readOnly;
    const probing = !this.#schema.known;
    const before = [...(atPrimary ? [AT_PRIMARY] : []), ...(probing ? [PROBE] : [])];
    const body = statements.length > 1 ? [BEGIN, ...statements, COMMIT] : statements;
    let result: BatchResult;
    try {
      result = await this.#connection.ask(chained([...before, ...body]));
    } catch (error) {
      if (!atPrimary || !isReadOnlyRefusal(error)) throw error;
      this.#readOnly = true;
      return this.#read(statements, fresh, round + 1);
    }
    const failed = result.errors.findIndex((error) => error !== null);
    const error = result.errors[failed];
    if (error && failed < before.length && probing) {
      await this.#schema.makeAfter(error);
      return this.#read(statements, fresh, round + 1);
    }
    if (error && failed < before.length) throw this.#connection.refusal(error);
    if (probing) await this.#schema.acceptVersions(rowsAt(result, before.length - 1));
    if (error) throw this.#connection.refusal(error);
    const from = before.length + (statements.length > 1 ? 1 : 0);
    return statements.map((_, i) => rowsAt(result, from + i));
  }

  version(): null {
    return null;
  }

  replaced(): number {
    return 0;
  }

  /** Does something that a slow server may draw out. */
  async #waiting<T>(work: () => Promise<T>): Promise<T> {
    const over = this.#options.onWait?.('answer');
    try {
      return await work();
    } catch (error) {
      throw this.#connection.translate(error);
    } finally {
      over?.();
    }
  }

  async read(statements: readonly Statement[], options: { fresh?: boolean } = {}): Promise<Rows[]> {
    return this.#waiting(() => this.#read(statements, options.fresh === true));
  }

  /**
   * Reads, plans and commits until the outcome is certain. After a lost reply it reads again: `plan` then finds its own operation in the
   * log, or plans again. Throws `outcome_unknown` when the store stays silent after something was sent.
   */
  async write<T>(
    reads: readonly Statement[],
    plan: (rows: Rows[]) => WritePlan<T>,
    { change = false }: { change?: boolean } = {},
  ): Promise<T> {
    return this.#waiting(() => this.#write(reads, plan, change));
  }

  async #write<T>(reads: readonly Statement[], plan: (rows: Rows[]) => WritePlan<T>, change: boolean): Promise<T> {
    const deadline = monotonic() + this.#options.timeoutMs;
    let base = ''; // the rows that the last attempt was planned on
    let sent = false; // an attempt may still be carried out
    let last: Exclude<CommitResult, { end: 'committed' }> | undefined;
    for (let attempt = 1, lost = 0; ; attempt++) {
      let rows = await this.#orGiveUp(sent, () => this.#read(reads, true));
      if (change && this.#schema.version !== this.#schema.latest) {
        await this.#orGiveUp(sent, () => this.#schema.upgrade());
        rows = await this.#orGiveUp(sent, () => this.#read(reads, true));
      }
      const seen = JSON.stringify(rows.filter((_, i) => !reads[i]?.volatile));
      if (seen !== base)
        sent = false; // the log moved on, so nothing that was planned on older rows can be committed any more
      else if (last?.end === 'miscounted') throw last.error;
      const { writes, result, readBack } = plan(rows);
      if (writes.length === 0) return result;
      if (writes.length > MAX_STATEMENTS) throw tooManyStatements(writes.length);
      const committed = await this.#orGiveUp(sent, () => commit(this.#connection, writes, readBack?.statements));
      if (committed.end === 'committed') {
        readBack?.check(committed.back);
        return result;
      }
      [base, last] = [seen, committed];
      if (committed.end === 'unknown') {
        sent ||= isUncertain(committed.error);
        lost += 1;
      }
      if (lost > RETRIES || (lost === 0 && monotonic() > deadline)) throw this.#gaveUp(committed.error, sent);
      await (committed.end === 'unknown' ? pause(attempt) : pauseForOthers(attempt));
    }
  }

  async #orGiveUp<T>(sent: boolean, step: () => Promise<T>): Promise<T> {
    try {
      return await step();
    } catch (error) {
      throw this.#gaveUp(error, sent);
    }
  }

  #gaveUp(problem: unknown, sent: boolean): unknown {
    const error = this.#connection.translate(problem);
    if (!sent || !(error instanceof KeysError)) return error;
    return new KeysError('outcome_unknown', error.message, error.hint, { cause: error.cause });
  }

  async run(statements: readonly Statement[]): Promise<Rows[]> {
    return this.#waiting(async () => {
      if (!this.#schema.known) await this.#read([PROBE], true);
      const result = await this.#connection.send(chained([BEGIN_IMMEDIATE, ...statements, COMMIT]));
      const failed = result.errors.find((error) => error !== null);
      if (failed) throw this.#connection.refusal(failed);
      return statements.map((_, i) => rowsAt(result, i + 1));
    });
  }

  seenVersion(): number | null {
    return this.#schema.known ? this.#schema.version : null;
  }

  async schema(): Promise<{ version: number; latest: number }> {
    try {
      if (!this.#schema.known) await this.#waiting(() => this.#read([PROBE], true));
    } catch (error) {
      if (!isKeysError(error, 'store_older')) throw error;
    }
    return { version: this.#schema.version, latest: this.#schema.latest };
  }

  async upgrade(): Promise<SchemaUpgrade | null> {
    return this.#waiting(() => this.#schema.upgrade());
  }

  async check(): Promise<Finding[]> {
    const { address, token } = this.#connection;
    const { now, migrations = readMigrations() } = this.#options;
    const ask = (statements: readonly Statement[], as = token) => this.#connection.read(chained(statements), as);
    return this.#waiting(() => inspectRemote({ address, token, now, migrations }, ask));
  }

  /** Throws `usage`: a remote store is copied instead. */
  async backup(): Promise<void> {
    throw new KeysError(
      'usage',
      'a remote store cannot be backed up to a file of its own format',
      `copy it: unlockos-keys store copy ${this.location} FILE`,
    );
  }

  /** Throws `usage`, as {@link backup} does. */
  async replace(): Promise<never> {
    throw new KeysError(
      'usage',
      'only a copy in a local file can be restored',
      `copy it to a new file first: unlockos-keys store backup FILE --store ${this.location}`,
    );
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }
}

function rowsAt(result: BatchResult, step: number): Rows {
  const rows = result.steps[step];
  if (!rows) throw new GarbledAnswer('a statement without a result');
  return rows;
}

function tooManyStatements(writes: number): KeysError {
  return new KeysError(
    'usage',
    `a change of ${writes} statements is too large for a remote store, which takes ${MAX_STATEMENTS} at once`,
    'make the change in parts',
  );
}

/** True for a token that says it may only read; a hint, not a check. Turso and sqld write `a: "ro"`. */
function saysReadOnly(token: string | undefined): boolean {
  try {
    const claims: unknown = JSON.parse(Buffer.from(token?.split('.')[1] ?? '', 'base64url').toString());
    return (claims as { a?: unknown } | null)?.a === 'ro';
  } catch {
    return false;
  }
}

/** Of many clients that write at once, one gets through in each round: try again soon, each at another moment. */
function pauseForOthers(attempt: number): Promise<void> {
  return sleep(randomInt(1, 20 + 20 * Math.min(attempt, 5)));
}
