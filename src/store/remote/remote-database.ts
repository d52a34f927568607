import { randomInt } from 'node:crypto';
import { channel } from 'node:diagnostics_channel';
import { KeysError } from '../../domain/errors.js';
import type { Finding } from '../../domain/key-store.js';
import type { Database, EngineOptions, Rows, Statement, Write, WritePlan } from '../database.js';
import { type Migration, readMigrations, SCHEMA_VERSION } from '../migrations.js';
import { parseStoreUrl, type RemoteAddress } from './address.js';
import { isPassing, isReadOnlyRefusal, isUncertain, StatusError, stepRefusal, translateFault } from './faults.js';
import {
  type BatchAnswer,
  chained,
  decodeBatch,
  encodeBatch,
  GarbledAnswer,
  type Step,
  type StepError,
} from './hrana.js';
import { inspectRemote } from './inspect.js';
import { assertOurs, checkThat, foreign, isCheck, migrationSteps, OBJECTS, PROBE } from './schema.js';
import { Transport } from './transport.js';

/** Publishes where a write stands. Tests subscribe in a preload and kill the process there; nobody else listens. */
const killPoints = channel('unlockos-keys:write');

const RETRIES = 3;
/** A server that has carried out more may find its answer too large to send, after the commit. */
const MAX_WRITES = 5000;
/** How often a question is put again because the schema was made or the token found to be read-only: once each, by whoever is first. */
const ROUNDS = 5;

/**
 * Nothing is deleted, but it is a write, so a replica hands the whole request on to its primary. BEGIN IMMEDIATE does not make it do
 * so: 4 of 200 reads behind one were stale.
 */
const AT_PRIMARY: Statement = { sql: 'DELETE FROM schema_migrations WHERE 0', params: [] };
const BEGIN: Statement = { sql: 'BEGIN', params: [] };
const BEGIN_IMMEDIATE: Statement = { sql: 'BEGIN IMMEDIATE', params: [] };
const COMMIT: Statement = { sql: 'COMMIT', params: [] };
const ROLLBACK: Statement = { sql: 'ROLLBACK', params: [] };

export interface RemoteOptions extends EngineOptions {
  /** Who we are to the server; without it, anybody. */
  readonly token?: string | undefined;
  /** Speak unencrypted to another machine. */
  readonly allowHttp?: boolean | undefined;
}

/**
 * How a batch of writes ended. `moved`: somebody else changed the store after our reads. `miscounted`: a check of ours failed, for that
 * reason or for a worse one. `unknown`: there was no answer that says.
 */
type Outcome =
  | { readonly end: 'committed'; readonly back: Rows[] }
  | { readonly end: 'moved' | 'miscounted' | 'unknown'; readonly error: unknown };

/**
 * A database behind a libSQL server (Turso, or sqld). Every call is one HTTP request, which the server runs on a connection of its
 * own, so there are no interactive transactions: a write is a read, and then a batch whose first statements fail if anything was
 * changed in between (the audit log's triggers see to that). The operation id in the audit log makes it safe to send again.
 */
export class RemoteDatabase implements Database {
  readonly engine = 'libSQL';
  readonly distant = true;
  readonly mostWrites = MAX_WRITES;
  readonly location: string;
  readonly #address: RemoteAddress;
  readonly #options: RemoteOptions;
  readonly #transport: Transport;
  readonly #token: string | undefined;
  /** The token may read only: known from its text, or from a refusal. */
  #readOnly: boolean;
  #schemaKnown: boolean;
  #created = false;
  #closed = false;

  private constructor(address: RemoteAddress, options: RemoteOptions) {
    this.#address = address;
    this.location = address.location;
    this.#options = options;
    this.#token = options.token;
    this.#transport = new Transport(address, options.timeoutMs);
    this.#readOnly = saysReadOnly(options.token);
    this.#schemaKnown = options.inspect === true;
  }

  /** Asks nothing yet: the first call finds out whether it is a store. Throws `usage` for an address that is refused. */
  static open(location: string, options: RemoteOptions): RemoteDatabase {
    const address = parseStoreUrl(location, { allowHttp: options.allowHttp === true });
    if (options.token !== undefined && /[^\x21-\x7e]/.test(options.token))
      throw new KeysError(
        'unauthorized',
        'the token holds a blank, a line break or another character that no token has',
        'look at where it comes from: UNLOCKOS_KEYS_AUTH_TOKEN, or tokenFile or tokenCommand in the profile',
      );
    return new RemoteDatabase(address, options);
  }

  get created(): boolean {
    return this.#created;
  }

  /** One request. Throws what `faults.ts` knows. */
  async #send(steps: readonly Step[], token = this.#token): Promise<BatchAnswer> {
    if (this.#closed) throw new KeysError('store_unavailable', 'the store was closed', 'open it again');
    const answer = await this.#transport.post(encodeBatch(steps), token);
    if (answer.status !== 200) throw new StatusError(answer);
    return decodeBatch(answer.text, steps.length);
  }

  /** For questions that may be asked again. */
  async #ask(steps: readonly Step[]): Promise<BatchAnswer> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#send(steps);
      } catch (error) {
        if (!isPassing(error) || attempt > RETRIES) throw error;
        await pause(attempt);
      }
    }
  }

  #translated(error: unknown): unknown {
    return translateFault(error, this.location, this.#token);
  }

  /** Reads in one request, with the question about the schema before them where that is still open. */
  async #read(statements: readonly Statement[], fresh: boolean, round = 1): Promise<Rows[]> {
    if (round > ROUNDS) throw new GarbledAnswer('a schema that is made, and still is not there');
    const atPrimary = fresh && !this.#readOnly;
    const before = [...(atPrimary ? [AT_PRIMARY] : []), ...(this.#schemaKnown ? [] : [PROBE])];
    const body = statements.length > 1 ? [BEGIN, ...statements, COMMIT] : statements;
    let answer: BatchAnswer;
    try {
      answer = await this.#ask(chained([...before, ...body]));
    } catch (error) {
      if (!atPrimary || !isReadOnlyRefusal(error)) throw error;
      this.#readOnly = true;
      return this.#read(statements, fresh, round + 1);
    }
    const failed = answer.errors.findIndex((error) => error !== null);
    const error = answer.errors[failed];
    if (error && failed < before.length && !this.#schemaKnown) {
      await this.#makeSchema(error);
      return this.#read(statements, fresh, round + 1);
    }
    if (error) throw stepRefusal(error, this.location, this.#token);
    if (!this.#schemaKnown) {
      const seen = answer.steps[before.length - 1];
      if (!seen) throw new GarbledAnswer('a statement without an answer');
      if (await this.#settleSchema(seen)) return this.#read(statements, fresh, round + 1);
    }
    const from = before.length + (statements.length > 1 ? 1 : 0);
    return statements.map((_, i) => {
      const rows = answer.steps[from + i];
      if (!rows) throw new GarbledAnswer('a statement without an answer');
      return rows;
    });
  }

  #latest(): number {
    return this.#options.migrations?.length ?? SCHEMA_VERSION;
  }

  #migrations(): readonly Migration[] {
    return this.#options.migrations ?? readMigrations();
  }

  /** Looks at the versions that a store has; true when it had to be brought up to date, so that what was read is old. */
  async #settleSchema(applied: Rows): Promise<boolean> {
    const version = assertOurs(applied, this.location, this.#latest(), this.#options.receive === true);
    this.#schemaKnown = true;
    if (version === this.#latest()) return false;
    await this.#migrate(version);
    return true;
  }

  /** There is no table of versions: an empty database becomes a store where that was asked for, any other is somebody else's. */
  async #makeSchema(problem: StepError): Promise<void> {
    if (!/no such (table|column)/i.test(problem.message)) throw stepRefusal(problem, this.location, this.#token);
    if (/no such column/i.test(problem.message)) throw foreign(this.location);
    const { steps } = await this.#ask(chained([OBJECTS]));
    const [objects, made] = steps[0]?.[0] ?? [];
    if (made !== 0) return; // by another tool, a moment ago
    if (objects !== 0) throw foreign(this.location);
    if (!this.#options.create)
      throw new KeysError(
        'store_missing',
        `${this.location} is an empty database, not yet a store`,
        'unlockos-keys create makes it one',
      );
    await this.#migrate(0);
  }

  /**
   * Brings the schema up to date in one batch, which fails at its first statement when another tool was quicker: the caller reads the
   * version again in any case, so a lost reply does no harm either.
   */
  async #migrate(version: number): Promise<void> {
    const steps = migrationSteps(
      version,
      this.#migrations(),
      this.#options.by(),
      this.#options.now(),
      this.#options.receive === true,
    );
    this.#schemaKnown = false;
    const outcome = await this.#commit(steps.map((sql) => ({ ...sql, rows: null })));
    if (outcome.end === 'committed') this.#created = version === 0;
    else if (outcome.end === 'unknown' && !isPassing(outcome.error)) throw outcome.error;
  }

  /** Sends writes as one transaction. Throws for what the server definitely refused. */
  async #commit(writes: readonly Write[], readBack: readonly Statement[] = []): Promise<Outcome> {
    const body = writes.flatMap((write) => (write.rows === null ? [write] : [write, touched(write.rows)]));
    const committing = chained([BEGIN_IMMEDIATE, ...body, COMMIT]);
    const end = committing.length - 1;
    const done = { type: 'ok', step: end } as const;
    const steps: Step[] = [
      ...committing,
      { ...ROLLBACK, condition: { type: 'not', cond: done } },
      ...readBack.map((each) => ({ ...each, condition: done })),
    ];
    let answer: BatchAnswer;
    try {
      killPoints.publish('before-begin');
      answer = await this.#send(steps);
    } catch (error) {
      if (isUncertain(error) || isPassing(error)) return { end: 'unknown', error };
      throw error;
    }
    if (answer.steps[end]) {
      killPoints.publish('after-commit');
      return { end: 'committed', back: answer.steps.slice(end + 2).map((rows) => rows ?? []) };
    }
    const failed = answer.errors.slice(0, end + 1).findIndex((error) => error !== null);
    const error = answer.errors[failed];
    if (!error) return { end: 'unknown', error: new GarbledAnswer('a batch without an end') };
    const refusal = stepRefusal(error, this.location, this.#token);
    if (failed === end && !/^SQLITE_/.test(error.code)) return { end: 'unknown', error: refusal };
    if (/unlk:(audit-moved|op-taken)/.test(error.message) || refusal.code === 'store_busy')
      return { end: 'moved', error: refusal };
    if (isCheck(body[failed - 1]))
      return {
        end: 'miscounted',
        error: new KeysError(
          'conflict',
          'a change touched another number of rows than it must; it was undone',
          'run the command again',
        ),
      };
    throw refusal;
  }

  version(): null {
    return null;
  }

  async read(statements: readonly Statement[], options: { fresh?: boolean } = {}): Promise<Rows[]> {
    try {
      return await this.#read(statements, options.fresh === true);
    } catch (error) {
      throw this.#translated(error);
    }
  }

  /**
   * Reads, plans and commits until it is settled. A reply that never came is followed by reading again: `plan` finds its own operation
   * there, or plans anew. When the store stays silent after something was sent, nobody can know, and `outcome_unknown` says so.
   */
  async write<T>(reads: readonly Statement[], plan: (rows: Rows[]) => WritePlan<T>): Promise<T> {
    const deadline = performance.now() + this.#options.timeoutMs;
    let base = ''; // what the last attempt was planned on
    let sent = false; // and may still be carried out
    let last: Exclude<Outcome, { end: 'committed' }> | undefined;
    for (let attempt = 1, lost = 0; ; attempt++) {
      const rows = await this.#readForWrite(reads, sent);
      const seen = JSON.stringify(rows);
      if (seen !== base)
        sent = false; // the log moved on, so nothing that was planned before can get in any more
      else if (last?.end === 'miscounted') throw last.error;
      const { writes, result, readBack } = plan(rows);
      if (writes.length === 0) return result;
      if (writes.length > MAX_WRITES) throw tooMuch(writes.length);
      const outcome = await this.#attempt(writes, readBack?.statements, sent);
      if (outcome.end === 'committed') {
        readBack?.check(outcome.back);
        return result;
      }
      [base, last] = [seen, outcome];
      if (outcome.end === 'unknown') {
        sent ||= isUncertain(outcome.error);
        lost += 1;
      }
      if (lost > RETRIES || (lost === 0 && performance.now() > deadline)) throw this.#gaveUp(outcome.error, sent);
      await (outcome.end === 'unknown' ? pause(attempt) : pauseForOthers(attempt));
    }
  }

  async #readForWrite(reads: readonly Statement[], sent: boolean): Promise<Rows[]> {
    try {
      return await this.#read(reads, true);
    } catch (error) {
      throw this.#gaveUp(error, sent);
    }
  }

  async #attempt(
    writes: readonly Write[],
    readBack: readonly Statement[] | undefined,
    sent: boolean,
  ): Promise<Outcome> {
    try {
      return await this.#commit(writes, readBack);
    } catch (error) {
      throw this.#gaveUp(error, sent);
    }
  }

  #gaveUp(problem: unknown, sent: boolean): unknown {
    const error = this.#translated(problem);
    if (!sent || !(error instanceof KeysError)) return error;
    return new KeysError('outcome_unknown', error.message, error.hint, { cause: error.cause });
  }

  async run(statements: readonly Statement[]): Promise<Rows[]> {
    try {
      if (!this.#schemaKnown) await this.#read([PROBE], true);
      const answer = await this.#send(chained([BEGIN_IMMEDIATE, ...statements, COMMIT]));
      const failed = answer.errors.find((error) => error !== null);
      if (failed) throw stepRefusal(failed, this.location, this.#token);
      return statements.map((_, i) => {
        const rows = answer.steps[i + 1];
        if (!rows) throw new GarbledAnswer('a statement without an answer');
        return rows;
      });
    } catch (error) {
      throw this.#translated(error);
    }
  }

  async check(): Promise<Finding[]> {
    const ask = (statements: readonly Statement[], token = this.#token) => this.#send(chained(statements), token);
    try {
      return await inspectRemote(
        { address: this.#address, token: this.#token, now: this.#options.now, migrations: this.#migrations() },
        ask,
      );
    } catch (error) {
      throw this.#translated(error);
    }
  }

  async backup(): Promise<void> {
    throw new KeysError(
      'usage',
      'a remote store is backed up by copying it',
      `unlockos-keys store copy ${this.location} FILE`,
    );
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#transport.close();
  }
}

function tooMuch(writes: number): KeysError {
  return new KeysError(
    'usage',
    `a change of ${writes} statements is too much for a remote store, which takes ${MAX_WRITES} at once`,
    'do it in parts',
  );
}

/** Ends the batch unless the statement before it touched as many rows as it must. */
function touched(rows: number): Statement {
  return checkThat('changes() = ?', [rows]);
}

/** A token that says of itself that it may read only; a hint, not a check. Turso and sqld write `a: "ro"`. */
function saysReadOnly(token: string | undefined): boolean {
  try {
    const claims: unknown = JSON.parse(Buffer.from(token?.split('.')[1] ?? '', 'base64url').toString());
    return (claims as { a?: unknown } | null)?.a === 'ro';
  } catch {
    return false;
  }
}

/** Many write at once, and each round one of them gets through: soon again, at different moments. */
function pauseForOthers(attempt: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, randomInt(1, 20 + 20 * Math.min(attempt, 5))));
}

/** Longer each time, and never the same for two who were refused together. */
function pause(attempt: number): Promise<void> {
  const longest = Math.min(50 * 2 ** attempt, 800);
  return new Promise((resolve) => setTimeout(resolve, randomInt(longest / 2, longest)));
}
