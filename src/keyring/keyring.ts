import { randomUUID } from 'node:crypto';
import { type ApiKey, nameKey, readDescription, readName } from '../domain/api-key.js';
import type { AuditHead, Authorship } from '../domain/audit.js';
import { isKeysError, KeysError } from '../domain/errors.js';
import type {
  AuditEvent,
  AuditQuery,
  Change,
  Changed,
  Finding,
  KeyPage,
  KeyStore,
  ListQuery,
} from '../domain/key-store.js';
import {
  isKeyId,
  type Mode,
  mintKeyString,
  parseKeyString,
  type RandomBytes,
  readTypedId,
} from '../domain/key-string.js';
import { DEFAULT_RATE_LIMIT, type RateLimit } from '../domain/rate-limit.js';
import { assertScopeForm, type CatalogueScope, resolveScopes } from '../domain/scopes.js';
import { DEFAULT_BCRYPT_COST, guardTag } from '../domain/secret-hash.js';
import { quoted } from '../domain/text.js';
import type { Demands, Verdict } from '../domain/verdict.js';
import { hashSecrets } from '../hash-pool.js';
import { verifyKey } from '../verifier.js';
import { type AuditCheck, checkAudit } from './audit-check.js';
import { resolveKey } from './references.js';

export interface CreateInput {
  readonly name: string;
  readonly description?: string | null | undefined;
  readonly mode: Mode;
  /** At least one; `category:*` stands for the scopes of that category that exist now. */
  readonly scopes: readonly string[];
  /** 600 requests per minute when absent. */
  readonly rateLimit?: RateLimit | undefined;
  /** Null or absent: never. */
  readonly expiresAt?: Date | null | undefined;
}

/** A key that was just made, with the one copy of its key string that will ever exist. */
export interface CreatedKey {
  readonly key: ApiKey;
  readonly keyString: string;
}

export interface EditInput {
  readonly name?: string | undefined;
  readonly description?: string | null | undefined;
  readonly rateLimit?: RateLimit | undefined;
}

/** What can be said of a key string without its secret being proven. */
export type Identity =
  | { readonly recognised: false }
  | {
      readonly recognised: true;
      readonly checksum: 'good' | 'bad';
      readonly mode: Mode;
      readonly id: string;
      readonly key: ApiKey | null;
    };

export interface KeyringOptions {
  /** Who makes the changes; asked for each one. */
  readonly by: () => Authorship;
  readonly now?: (() => Date) | undefined;
  readonly random?: RandomBytes | undefined;
  /** bcrypt cost of new keys, 4 to 12. */
  readonly hashCost?: number | undefined;
}

const ID_ATTEMPTS = 3;

/**
 * The use cases: one method a verb of the command line. Every method throws `KeysError`; every change is durable, and in the audit
 * log, when its promise resolves. `ref` is a key id, an exact name, the masked form, or a prefix of the id.
 */
export class Keyring {
  readonly store: KeyStore;
  readonly #by: () => Authorship;
  readonly #now: () => Date;
  readonly #random: RandomBytes | undefined;
  readonly #cost: number;

  constructor(store: KeyStore, options: KeyringOptions) {
    this.store = store;
    this.#by = options.by;
    this.#now = options.now ?? (() => new Date());
    this.#random = options.random;
    this.#cost = options.hashCost ?? DEFAULT_BCRYPT_COST;
  }

  #change(reason?: string | null): Change {
    return { by: this.#by(), at: this.#now(), op: randomUUID(), reason };
  }

  /** Checks what `create` would check, hashing and writing nothing: what the keys would look like. */
  async plan(inputs: readonly CreateInput[]): Promise<CreateInput[]> {
    const catalogue = await this.store.catalogue();
    const seen = new Set<string>();
    const planned = inputs.map((input) => {
      const name = readName(input.name);
      if (seen.has(nameKey(name)))
        throw new KeysError(
          'usage',
          `the name ${quoted(name)} is given twice`,
          'names are unique, whatever their case',
        );
      seen.add(nameKey(name));
      const scopes = resolveScopes(input.scopes, catalogue);
      if (scopes.length === 0)
        throw new KeysError(
          'missing_input',
          'a key needs at least one scope',
          'unlockos-keys scopes list shows what there is',
        );
      return {
        ...input,
        name,
        scopes,
        description: readDescription(input.description ?? ''),
        rateLimit: input.rateLimit ?? DEFAULT_RATE_LIMIT,
        expiresAt: input.expiresAt ?? null,
      };
    });
    for (const { name } of planned) await this.assertNameFree(name);
    return planned;
  }

  /** Throws `name_taken` when a key has this name already, whatever its case. */
  async assertNameFree(name: string): Promise<void> {
    const namesake = (await this.store.candidates({ name, limit: 1 })).find(
      (key) => nameKey(key.name) === nameKey(name),
    );
    if (namesake)
      throw new KeysError(
        'name_taken',
        `a key named ${quoted(namesake.name)} exists (${namesake.id})`,
        `choose another name, or see it: unlockos-keys show ${namesake.id}`,
      );
  }

  /**
   * Makes keys, all or none. When it resolves, they are on disk and were read back through a fresh connection; the key strings exist
   * in the returned value alone. `progress` hears of each secret hashed.
   */
  async create(inputs: readonly CreateInput[], progress?: (done: number) => void): Promise<CreatedKey[]> {
    const planned = await this.plan(inputs);
    for (let attempt = 1; ; attempt++) {
      const minted = planned.map((input) => mintKeyString(input.mode, this.#random));
      const hashes = await hashSecrets(
        minted.map(({ secret }) => secret),
        this.#cost,
        progress,
      );
      const rows = planned.map((input, i) => {
        const { id, body } = minted[i] as (typeof minted)[number];
        const { name, mode, scopes, description = null, rateLimit = DEFAULT_RATE_LIMIT, expiresAt = null } = input;
        return {
          id,
          name,
          description,
          mode,
          scopes,
          rateLimit,
          expiresAt,
          hash: hashes[i] as string,
          guard: guardTag(body),
        };
      });
      try {
        const keys = await this.store.create(rows, this.#change());
        await this.store.confirmStored(rows);
        return keys.map((key, i) => ({ key, keyString: (minted[i] as (typeof minted)[number]).keyString }));
      } catch (error) {
        if (!isKeysError(error, 'conflict') || attempt === ID_ATTEMPTS) throw error; // 60-bit ids collide about never; another writer may win a race
      }
    }
  }

  async list(query: Omit<ListQuery, 'now'> = {}): Promise<KeyPage> {
    return this.store.list({ ...query, now: this.#now() });
  }

  async show(ref: string): Promise<ApiKey> {
    return resolveKey(this.store, ref);
  }

  /** Changes name, description or rate limit. Scopes and mode are fixed at creation. */
  async edit(ref: string, input: EditInput): Promise<Changed> {
    const key = await this.show(ref);
    return this.store.edit(
      key.id,
      {
        ...(input.name !== undefined && { name: readName(input.name) }),
        ...(input.description !== undefined && { description: readDescription(input.description ?? '') }),
        ...(input.rateLimit !== undefined && { rateLimit: input.rateLimit }),
      },
      this.#change(),
    );
  }

  /** Idempotent: `changed` is false for a key that already was active. */
  async enable(ref: string): Promise<Changed> {
    return this.store.setStatus((await this.show(ref)).id, 'active', this.#change());
  }

  /** Idempotent. A local verifier in any process refuses the key from its next call on. */
  async disable(ref: string, reason?: string | null): Promise<Changed> {
    return this.store.setStatus((await this.show(ref)).id, 'inactive', this.#change(readDescription(reason ?? '')));
  }

  async delete(ref: string): Promise<ApiKey> {
    return this.store.delete((await this.show(ref)).id, this.#change());
  }

  /** The verdict on a key string, as an API server would give it, but without counting as use. */
  async verify(keyString: string, demands: Demands = {}): Promise<Verdict> {
    return verifyKey(this.store, keyString, demands, this.#now());
  }

  /** What a key string says of itself, and whose id it carries. No proof: anybody can write a key string with somebody's id. */
  async identify(text: string): Promise<Identity> {
    const identity = identifyOffline(text);
    if (!identity.recognised) return identity;
    const [key = null] = await this.store.candidates({ id: identity.id, limit: 1 });
    return { ...identity, key };
  }

  async scopes(): Promise<CatalogueScope[]> {
    return this.store.catalogue();
  }

  async addScope(scope: string, categoryLabel?: string): Promise<CatalogueScope> {
    assertScopeForm(scope);
    return this.store.addScope(scope, categoryLabel === undefined ? null : readName(categoryLabel), this.#change());
  }

  /** Keys that hold the scope keep it; no new key can take it. */
  async retireScope(scope: string): Promise<{ scope: CatalogueScope; changed: boolean }> {
    return this.store.retireScope(scope, this.#change());
  }

  async auditList(query: AuditQuery = {}): Promise<AuditEvent[]> {
    return this.store.auditEvents(query);
  }

  /** The id that `ref` means, also of a key that is gone: the log outlives it. */
  async auditKeyId(ref: string): Promise<string> {
    try {
      return (await this.show(ref)).id;
    } catch (error) {
      const id = readTypedId(ref);
      if (isKeysError(error, 'not_found') && isKeyId(id)) return id;
      throw error;
    }
  }

  async auditHead(): Promise<AuditHead> {
    return this.store.auditHead();
  }

  async auditVerify(anchor: AuditHead | null = null): Promise<AuditCheck> {
    return checkAudit(this.store, anchor);
  }

  async storeCheck(): Promise<Finding[]> {
    return this.store.check();
  }

  async storeBackup(file: string): Promise<void> {
    return this.store.backup(file);
  }

  async close(): Promise<void> {
    return this.store.close();
  }
}

/** {@link Keyring.identify} without a store. */
export function identifyOffline(text: string): Identity {
  const parsed = parseKeyString(text);
  if (!parsed.ok && parsed.problem === 'shape') return { recognised: false };
  return { recognised: true, checksum: parsed.ok ? 'good' : 'bad', mode: parsed.mode, id: parsed.id, key: null };
}
