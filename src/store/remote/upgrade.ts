import type { AuditRow } from '../../domain/audit.js';
import { isKeysError, KeysError } from '../../domain/errors.js';
import type { SchemaUpgrade } from '../../domain/key-store.js';
import { markUnfinished } from '../copy-mark.js';
import type { EngineOptions, Rows, Statement } from '../database.js';
import {
  birthRow,
  mayRead,
  newerSchema,
  olderSchema,
  otherTables,
  READ_MIN_READER,
  readMigrations,
  upgradeRow,
} from '../migrations.js';
import { headFromRows } from '../rows.js';
import { head, insertAudit } from '../statements.js';
import { READABLE_FROM, SCHEMA_VERSION } from '../versions.js';
import { commit } from './commit.js';
import type { RemoteConnection } from './connection.js';
import { isPassing } from './faults.js';
import { chained, type StepError } from './hrana.js';
import { assertOurs, foreign, migrationSteps, OBJECTS, PROBE } from './schema.js';

/** How often an upgrade is tried again because another client was faster. */
const MAX_ROUNDS = 5;

/** Whether a database is a store that this version can read; makes it one, or upgrades it, where that was asked for. */
export class RemoteSchema {
  readonly #connection: RemoteConnection;
  readonly #options: EngineOptions;
  #known: boolean;
  #created = false;
  #version = 0;

  constructor(connection: RemoteConnection, options: EngineOptions) {
    this.#connection = connection;
    this.#options = options;
    this.#known = options.inspect === true;
  }

  /** True when the schema needs no more questions. */
  get known(): boolean {
    return this.#known;
  }

  /** True once this process has made the schema. */
  get created(): boolean {
    return this.#created;
  }

  /** The version that this package writes. */
  get latest(): number {
    return this.#options.migrations?.length ?? SCHEMA_VERSION;
  }

  /** Takes the rows of `PROBE`. Throws `store_foreign`, `store_incomplete`, `store_newer` or `store_older`. */
  async acceptVersions(applied: Rows): Promise<void> {
    const { location } = this.#connection;
    this.#version = assertOurs(applied, location, this.#options.receive === true);
    if (this.#version < READABLE_FROM) throw olderSchema(location, this.#version);
    if (this.#version > this.latest && !mayRead(await this.#ask(READ_MIN_READER), this.latest))
      throw newerSchema(location, this.#version, this.latest);
    this.#known = true;
  }

  /** The version of the schema that was read last. */
  get version(): number {
    return this.#version;
  }

  async #ask(statement: Statement): Promise<Rows> {
    const { steps, errors } = await this.#connection.ask(chained([statement]));
    if (errors[0]) throw this.#connection.refusal(errors[0]);
    return steps[0] ?? [];
  }

  /** Brings an older schema up to date; null when another client has. Throws `store_newer`. */
  async upgrade(): Promise<SchemaUpgrade | null> {
    const { location } = this.#connection;
    let done: SchemaUpgrade | null = null;
    for (let round = 0; round < MAX_ROUNDS; round++) {
      this.#version = assertOurs(await this.#ask(PROBE), location, this.#options.receive === true);
      if (this.#version > this.latest) throw newerSchema(location, this.#version, this.latest);
      this.#known = true;
      if (this.#version === this.latest) return done;
      if (!done) {
        done = { from: this.#version, to: this.latest, copy: null };
        this.#options.onUpgrade?.(done);
      }
      await this.#migrate(this.#version);
    }
    throw new KeysError('store_busy', `the schema of ${location} changes all the time`, 'try again in a moment');
  }

  /**
   * Takes the error of a failed `PROBE`: there is no table of versions. An empty database becomes a store if the options allow it; any
   * other belongs to another program. Throws `store_foreign`, `store_missing`, or what the error stands for.
   */
  async makeAfter(problem: StepError): Promise<void> {
    const { location } = this.#connection;
    if (!/no such (table|column)/i.test(problem.message)) throw this.#connection.refusal(problem);
    if (/no such column/i.test(problem.message)) throw foreign(location);
    const { steps } = await this.#connection.ask(chained([OBJECTS]));
    const [objects, made] = steps[0]?.[0] ?? [];
    if (made !== 0) return; // by another client, a moment ago
    if (objects !== 0) throw foreign(location);
    if (!this.#options.create)
      throw new KeysError(
        'store_missing',
        `${location} is an empty database, not yet a store`,
        'unlockos-keys create makes it one',
      );
    await this.#migrate(0);
  }

  /**
   * Upgrades from `version` in one batch, which fails at its first statement if another client was faster. The caller reads the version
   * again in any case, so a lost reply does no harm.
   */
  async #migrate(version: number): Promise<void> {
    const { migrations = readMigrations(), now, receive } = this.#options;
    const at = now();
    const last = receive && version === 0 ? markUnfinished() : insertAudit({ ...(await this.#auditRow(version, at)) });
    const steps = migrationSteps(version, migrations, at, last);
    this.#known = version > 0;
    const writes = steps.map((statement) => ({ ...statement, rows: null }));
    const result = await commit(this.#connection, writes).catch((error: unknown) => {
      const said = isKeysError(error, 'store_unavailable') && error.cause instanceof Error ? error.cause.message : '';
      if (!/already exists|duplicate column|no such/.test(said)) throw error;
      throw otherTables(this.#connection.location, version, 'put a backup in its place on the server', error);
    });
    if (result.end === 'committed') this.#created = version === 0;
    else if (result.end === 'unknown' && !isPassing(result.error)) throw result.error;
  }

  async #auditRow(version: number, at: Date): Promise<AuditRow> {
    const by = this.#options.by();
    return version === 0
      ? birthRow(by, at)
      : upgradeRow(headFromRows(await this.#ask(head({}))), by, at, version, this.latest);
  }
}
