import { FIELD_DEFAULTS } from './api-key.js';
import { AUDIT_ACTIONS, type AuditBody, type AuditHead, type AuditRow, canonicalJson, type KeyState } from './audit.js';
import { AuditChain } from './audit-chain.js';
import { DEFAULT_POLICY, type PolicySettings, settingsOf } from './policy.js';
import { DEFAULT_SCHEME } from './secret-hash.js';

/** What the text of a row says; null for a text that is not an event. */
function eventIn(text: string): (AuditBody & { readonly op?: unknown }) | null {
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body !== 'object' || body === null) return null;
    return AUDIT_ACTIONS.includes((body as AuditBody).action) ? (body as AuditBody) : null;
  } catch {
    return null;
  }
}

/**
 * Replays a log from its first row: checks the chain and works out what the keys and the catalogue must be, so that a change made
 * without an audit row is found. Feed the rows in order, then compare each key with {@link AuditReplay.checkKey}.
 */
export class AuditReplay {
  readonly problems: string[] = [];
  readonly #chain = new AuditChain();
  readonly #keys = new Map<string, Record<string, unknown>>();
  /** The deleted keys that could be restored, as they were. */
  readonly #deleted = new Map<string, Record<string, unknown>>();
  readonly #checked = new Set<string>();
  readonly #scopes = new Map<string, unknown>();
  #hashScheme: unknown = DEFAULT_SCHEME;
  readonly #policy: Record<string, unknown> = { ...settingsOf(DEFAULT_POLICY) };

  get head(): AuditHead {
    return this.#chain.head;
  }

  feed(row: AuditRow): void {
    const event = eventIn(row.body);
    this.problems.push(...this.#chain.feed(row, event?.op));
    if (event) this.#apply(row.seq, event);
    else this.problems.push(`audit row ${row.seq} is not an event that this version knows`);
  }

  #apply(seq: number, body: AuditBody): void {
    const id = body.keyId ?? '';
    const known = this.#keys.get(id);
    switch (body.action) {
      case 'store.create':
        for (const scope of Array.isArray(body.after?.scopes) ? body.after.scopes : [])
          this.#scopes.set(String(scope), false);
        break;
      case 'store.hash':
        this.#hashScheme = body.after?.scheme;
        break;
      case 'store.policy':
        Object.assign(this.#policy, body.after);
        break;
      case 'store.restore':
      case 'store.upgrade':
        break;
      case 'scope.add':
        this.#scopes.set(String(body.after?.scope), false);
        break;
      case 'scope.retire':
        this.#scopes.set(String(body.after?.scope), true);
        break;
      case 'key.create':
        if (known) this.problems.push(`audit row ${seq} creates key ${id} a second time`);
        this.#keys.set(id, { ...FIELD_DEFAULTS, ...body.after });
        break;
      case 'key.delete':
        if (!known) this.problems.push(`audit row ${seq} deletes key ${id}, which did not exist`);
        this.#keys.delete(id);
        if (body.after?.keptUntil !== undefined) this.#deleted.set(id, { ...known, keptUntil: body.after.keptUntil });
        break;
      case 'key.restore': {
        const deleted = this.#deleted.get(id);
        if (!deleted) this.problems.push(`audit row ${seq} restores key ${id}, which was not kept`);
        const { keptUntil: _, ...state } = deleted ?? {};
        this.#keys.set(id, { ...state, ...body.after });
        this.#deleted.delete(id);
        break;
      }
      case 'key.purge':
        if (!this.#deleted.delete(id))
          this.problems.push(`audit row ${seq} removes key ${id} for good, which was not kept`);
        break;
      default:
        if (!known) this.problems.push(`audit row ${seq} changes key ${id}, which did not exist`);
        else Object.assign(known, body.after);
    }
  }

  /**
   * Compares a stored key with its state in the log. Fields in `damaged` cannot be read; that is reported as a problem by itself. Check
   * each key once, against the log as far as it goes at that moment: {@link finishKeys} reports the keys that were not checked.
   */
  checkKey(id: string, state: KeyState, damaged: readonly string[] = []): void {
    if (damaged.length > 0) this.problems.push(`key ${id} is damaged: its ${damaged.join(', ')} cannot be read`);
    const expected = this.#keys.get(id);
    this.#checked.add(id);
    if (!expected) {
      this.problems.push(`key ${id} is in the store but not in the audit log`);
      return;
    }
    const fields = Object.keys(state).filter(
      (field) =>
        !damaged.includes(field) && canonicalJson(expected[field]) !== canonicalJson(state[field as keyof KeyState]),
    );
    if (fields.length > 0) this.problems.push(`key ${id} was changed without an audit row: ${fields.join(', ')}`);
  }

  /** Compares a deleted key that can be restored with its state in the log. One that is missing may be past its time. */
  checkDeleted(id: string, state: KeyState, keptUntil: Date, damaged: readonly string[] = []): void {
    if (damaged.length > 0) {
      this.problems.push(`deleted key ${id} is damaged: its ${damaged.join(', ')} cannot be read`);
      return;
    }
    const expected = this.#deleted.get(id);
    if (!expected) {
      this.problems.push(`key ${id} can be restored, but the audit log does not say so`);
      return;
    }
    const stored: Record<string, unknown> = { ...state, keptUntil: keptUntil.toISOString() };
    const fields = Object.keys(stored).filter(
      (field) => canonicalJson(expected[field]) !== canonicalJson(stored[field]),
    );
    if (fields.length > 0)
      this.problems.push(`deleted key ${id} was changed without an audit row: ${fields.join(', ')}`);
  }

  checkScope(scope: string, retired: boolean): void {
    if (this.#scopes.get(scope) !== retired)
      this.problems.push(`scope ${scope} differs between the catalogue and the audit log`);
    this.#scopes.delete(scope);
  }

  checkHashScheme(scheme: string): void {
    if (this.#hashScheme !== scheme)
      this.problems.push(`the hash scheme is ${scheme}, but the audit log says ${String(this.#hashScheme)}`);
  }

  /** Compares the settings of the store's policy with those in the log. */
  checkPolicy(settings: PolicySettings): void {
    for (const [name, value] of Object.entries(settings))
      if (this.#policy[name] !== value)
        this.problems.push(
          `${name} is ${value ?? 'not set'}, but the audit log says ${this.#policy[name] ?? 'not set'}`,
        );
  }

  /** Reports keys that only the log has. Call it after every key in the store was checked. */
  finishKeys(): void {
    for (const id of this.#keys.keys())
      if (!this.#checked.has(id)) this.problems.push(`key ${id} is in the audit log but not in the store`);
  }

  /** Reports scopes that only the log has. Call it after every scope in the store was checked. */
  finishScopes(): void {
    for (const scope of this.#scopes.keys())
      this.problems.push(`scope ${scope} is in the audit log but not in the catalogue`);
  }
}
