import type { ApiKey } from '../domain/api-key.js';
import type { AuditEvent } from '../domain/audit-side.js';
import { UNDELIVERED } from '../domain/change.js';
import { KeysError } from '../domain/errors.js';
import type { KeyStore } from '../domain/key-store.js';

/** Long enough for any pipeline to be run again, and too short for somebody to have put the key to use. */
const REPEAT_WITHIN_MS = 86_400_000;

/**
 * What an earlier run of an operation did: a run with the same operation id, whose outcome its caller did not learn. A key that it
 * created may be replaced as long as nobody can have received its key string.
 */
export class EarlierRun {
  readonly #operation: string;
  readonly #events: readonly AuditEvent[];
  readonly #doAnother: string;

  /** `events`: everything done under the operation id, oldest first, and not empty. `doAnother`: how to begin a new operation instead. */
  constructor(operation: string, events: readonly AuditEvent[], doAnother: string) {
    this.#operation = operation;
    this.#events = events;
    this.#doAnother = doAnother;
  }

  /** The earlier run, or null where this is the first. */
  static find(operation: string | undefined, events: readonly AuditEvent[], doAnother: string): EarlierRun | null {
    return operation === undefined || events.length === 0 ? null : new EarlierRun(operation, events, doAnother);
  }

  /** The id to write this run under: `ID.2` for the second run of operation `ID`, and so on. */
  get nextId(): string {
    const runs = new Set(this.#events.map(({ op }) => op.replace(/\/\d+$/, '')));
    return `${this.#operation}.${runs.size + 1}`;
  }

  /** The events of the keys that the operation created, without the keys that it deleted again. */
  get created(): AuditEvent[] {
    const gone = new Set(this.#events.filter(({ action }) => action === 'key.delete').map(({ keyId }) => keyId));
    return this.#events.filter(({ action, keyId }) => action === 'key.create' && !gone.has(keyId));
  }

  /** The event of the key that the operation rotated first. */
  get rotated(): AuditEvent | undefined {
    return this.#events.find(({ action }) => action === 'key.rotate');
  }

  /** True when the operation changed or created this key. */
  concerns({ id }: ApiKey): boolean {
    return this.#events.some(({ keyId }) => keyId === id);
  }

  /** The error for a request that is not the one that was carried out, or that cannot be repeated any more. */
  refusal(why = `it did ${this.#events[0]?.action}`): KeysError {
    return new KeysError(
      'conflict',
      `operation ${this.#operation} was already carried out: ${why}`,
      `${this.#doAnother}; unlockos-keys audit list shows what was done`,
    );
  }

  /** Throws `conflict` unless `key` is as the operation created it, under the name `nameThen`, and nobody can have its key string. */
  async assertNotHandedOut(store: KeyStore, key: ApiKey, nameThen: string | null, now: Date): Promise<void> {
    const { id, name, lastUsedAt, rotatedTo, createdAt, status } = key;
    if (lastUsedAt !== null) throw this.refusal(`its key ${id} is in use`);
    if (rotatedTo !== null) throw this.refusal(`its key ${id} has been rotated since, to ${rotatedTo}`);
    if (name !== nameThen) throw this.refusal(`its key ${id} has been renamed since`);
    if (now.getTime() - createdAt.getTime() > REPEAT_WITHIN_MS)
      throw this.refusal(`its key ${id} is more than a day old`);
    if (status === 'active') return;
    const [disabled] = await store.audit.events({ keyId: id, action: 'key.disable', limit: 1 });
    if (disabled?.reason !== UNDELIVERED) throw this.refusal(`its key ${id} has been disabled since`);
  }
}
