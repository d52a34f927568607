import type { Change } from '../domain/change.js';
import { changedPolicy, type PolicyInput, type StorePolicy } from '../domain/policy.js';
import type { CatalogueScope } from '../domain/scopes.js';
import { DEFAULT_SCHEME, type StoreScheme } from '../domain/secret-hash.js';
import type { SettingsSide } from '../domain/settings-side.js';
import { type AuditedChanges, alreadyCarriedOut, unchangedScope } from './audited-change.js';
import { lastPosition, planAddScope, planHashScheme, planPolicy, planRetireScope } from './catalogue-changes.js';
import type { Database } from './database.js';
import { readRows } from './read-rows.js';
import { policyFromRows, scopesFromRows, settingsFromRows } from './rows.js';
import { allScopes, hashKinds, hashScheme, policyRows } from './statements.js';

/** {@link SettingsSide} over SQL. The contracts are documented there. */
export class SqliteSettingsSide implements SettingsSide {
  readonly #db: Database;
  readonly #changes: AuditedChanges;

  constructor(database: Database, changes: AuditedChanges) {
    this.#db = database;
    this.#changes = changes;
  }

  async catalogue(): Promise<CatalogueScope[]> {
    return scopesFromRows(await readRows(this.#db, allScopes({})));
  }

  async addScope(scope: string, categoryLabel: string | null, change: Change): Promise<CatalogueScope> {
    return this.#changes.make({
      change,
      reads: [allScopes({})],
      plan: ([rows = []]) => planAddScope(scope, categoryLabel, scopesFromRows(rows), lastPosition(rows)),
      repeated: (done, [rows = []]) => unchangedScope('scope.add', scope, done, rows),
    });
  }

  async retireScope(scope: string, change: Change): Promise<{ scope: CatalogueScope; changed: boolean }> {
    return this.#changes.make({
      change,
      reads: [allScopes({})],
      plan: ([rows = []]) => planRetireScope(scope, scopesFromRows(rows)),
      repeated: (done, [rows = []]) => ({ scope: unchangedScope('scope.retire', scope, done, rows), changed: false }),
    });
  }

  async policy(): Promise<StorePolicy> {
    return policyFromRows(await readRows(this.#db, policyRows({})));
  }

  async plannedPolicy(input: PolicyInput): Promise<StorePolicy> {
    return changedPolicy(settingsFromRows(await readRows(this.#db, policyRows({}))), input);
  }

  async setPolicy(input: PolicyInput, change: Change): Promise<{ policy: StorePolicy; changed: boolean }> {
    return this.#changes.make({
      change,
      reads: [policyRows({})],
      plan: ([rows = []]) => planPolicy(input, settingsFromRows(rows)),
      repeated: (done, [rows = []]) => {
        if (done.action !== 'store.policy') throw alreadyCarriedOut(done);
        return { policy: policyFromRows(rows), changed: false };
      },
    });
  }

  async hashScheme(): Promise<string> {
    return String((await readRows(this.#db, hashScheme({})))[0]?.[0] ?? DEFAULT_SCHEME);
  }

  async setHashScheme(scheme: StoreScheme, change: Change): Promise<{ scheme: StoreScheme; changed: boolean }> {
    return this.#changes.make({
      change,
      reads: [hashScheme({})],
      plan: ([rows = []]) => planHashScheme(scheme, String(rows[0]?.[0] ?? DEFAULT_SCHEME)),
      repeated: (done) => {
        if (done.action !== 'store.hash') throw alreadyCarriedOut(done);
        return { scheme, changed: false };
      },
    });
  }

  async hashKinds(): Promise<{ kind: string; keys: number }[]> {
    return (await readRows(this.#db, hashKinds({}))).map(([kind, keys]) => ({
      kind: String(kind),
      keys: Number(keys),
    }));
  }
}
