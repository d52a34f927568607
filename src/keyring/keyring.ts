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
import { isKeyId, type Mode, parseKeyString, type RandomBytes, readTypedId } from '../domain/key-string.js';
import { type Labels, settleLabels } from '../domain/labels.js';
import { assertChangeId, readOperationId } from '../domain/operation.js';
import { Peppers } from '../domain/peppers.js';
import type { RateLimit } from '../domain/rate-limit.js';
import { assertScopeForm, type CatalogueScope } from '../domain/scopes.js';
import { DEFAULT_BCRYPT_COST, pepperOf, readHashKind, type StoreScheme } from '../domain/secret-hash.js';
import { quoted } from '../domain/text.js';
import type { Demands, Verdict } from '../domain/verdict.js';
import type { Verifier, VerifierOptions } from '../verifier/verifier.js';
import { verifyOnce } from '../verifier/verify-once.js';
import { type AuditCheck, checkAudit } from './audit-check.js';
import { type CopyResult, copyStore } from './copy.js';
import {
  type CreateInput,
  type CreateOptions,
  type CreatePlan,
  namesakeRule,
  nameTaken,
  planCreation,
} from './creation.js';
import { type Mint, mintKeys } from './minting.js';
import { type PruneQuery, prunableKeys } from './prune.js';
import { resolveKey } from './references.js';
import {
  type FinishOptions,
  makeRotation,
  planFinish,
  planRotation,
  type RotatedKey,
  type RotateInput,
  type Rotation,
  type RotationPlan,
  rotationOf,
  rotationsOf,
} from './rotation.js';

/** A key that was just made, with the one copy of its key string that will ever exist. */
export interface CreatedKey {
  readonly key: ApiKey;
  /** Null when nothing was made, because the name existed (`ifExists: 'skip'`). */
  readonly keyString: string | null;
  /** The key of the same name that was deleted for this one. */
  readonly replaced: ApiKey | null;
}

/** How a change is to be carried out. */
export interface ChangeOptions {
  /** 8 to 64 letters, digits, `-` or `_`: sent again, the change is not made again. Made up when absent. */
  readonly operationId?: string | undefined;
}

/** A key id, an exact name, the masked form or a prefix of the id; or a key that was looked up already. */
export type KeyRef = string | ApiKey;

export interface EditInput {
  readonly name?: string | undefined;
  readonly description?: string | null | undefined;
  readonly rateLimit?: RateLimit | undefined;
  /** All of them, in place of those that there were. */
  readonly labels?: Labels | undefined;
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
  /** Refuse to make or change live keys. */
  readonly testOnly?: boolean | undefined;
  /** For a store whose keys are hashed with a pepper. */
  readonly peppers?: Peppers | undefined;
}

/** How a store's keys are hashed. */
export interface HashReport {
  /** What new hashes are made by, and what keys move to as they are used. */
  readonly scheme: StoreScheme;
  /** How many keys have which kind of hash, and whether this process can read it. */
  readonly hashes: readonly { readonly scheme: string; readonly keys: number; readonly readable: boolean }[];
  /** The ids of the peppers at hand, oldest first. */
  readonly peppers: readonly string[];
}

const ID_ATTEMPTS = 3;

/**
 * The use cases: one method a verb of the command line. Every method throws `KeysError`; every change is durable, and in the audit
 * log, when its promise resolves.
 */
export class Keyring {
  readonly store: KeyStore;
  readonly #by: () => Authorship;
  readonly #now: () => Date;
  readonly #mint: Mint;
  readonly #testOnly: boolean;

  constructor(store: KeyStore, options: KeyringOptions) {
    this.store = store;
    this.#by = options.by;
    this.#now = options.now ?? (() => new Date());
    const { random, hashCost = DEFAULT_BCRYPT_COST, peppers = Peppers.none } = options;
    this.#mint = { random, cost: hashCost, peppers };
    this.#testOnly = options.testOnly === true;
  }

  #change({ operationId }: ChangeOptions, reason?: string | null): Change {
    return {
      by: this.#by(),
      at: this.#now(),
      op: operationId === undefined ? randomUUID() : assertChangeId(operationId),
      reason,
    };
  }

  /** Throws `guarded` for a live key where only test keys may be touched. */
  #guard(mode: Mode, what: string): void {
    if (this.#testOnly && mode === 'live')
      throw new KeysError(
        'guarded',
        `${what} is live, and this profile is for test keys only`,
        'use another profile: unlockos-keys profile list',
      );
  }

  async #find(ref: KeyRef): Promise<ApiKey> {
    return typeof ref === 'string' ? resolveKey(this.store, ref) : ref;
  }

  async #findForChange(ref: KeyRef): Promise<ApiKey> {
    const key = await this.#find(ref);
    this.#guard(key.mode, `key ${quoted(key.name)} (${key.id})`);
    return key;
  }

  /** Works out what {@link create} would do, hashing and writing nothing. */
  async plan(inputs: readonly CreateInput[], options: CreateOptions = {}): Promise<CreatePlan> {
    for (const { mode, name } of inputs) this.#guard(mode, `the key ${quoted(name)}`);
    if (options.operationId !== undefined) readOperationId(options.operationId);
    const plan = await planCreation(this.store, inputs, options, this.#now());
    this.#mint.peppers.assertFor(plan.scheme);
    for (const key of plan.replaced) this.#guard(key.mode, `key ${quoted(key.name)} (${key.id})`);
    return plan;
  }

  /** Throws `name_taken` when a key has this name already, whatever its case. */
  async assertNameFree(name: string): Promise<void> {
    const namesake = (await this.store.candidates({ name, limit: 1 })).find(
      (key) => nameKey(key.name) === nameKey(name),
    );
    if (namesake) throw nameTaken(namesake);
  }

  /**
   * Makes keys, all or none. When it resolves, they are stored and were read back; the key strings exist in the returned value alone.
   * With the operation id of a run whose outcome was unknown it finishes that run: what it made without handing it out is replaced.
   */
  async create(inputs: readonly CreateInput[], options: CreateOptions = {}): Promise<CreatedKey[]> {
    return this.make(await this.plan(inputs, options), options);
  }

  /** Carries out a plan. `operationId` is the one to write under when the plan was made without one. */
  async make(
    plan: CreatePlan,
    { operationId, progress }: Pick<CreateOptions, 'operationId' | 'progress'> = {},
  ): Promise<CreatedKey[]> {
    const keptNames = new Set(plan.kept.map(({ name }) => nameKey(name)));
    const wanted = plan.inputs.filter(({ name }) => !keptNames.has(nameKey(name)));
    for (let attempt = 1; ; attempt++) {
      const minted = await mintKeys(wanted, plan.scheme, this.#mint, progress);
      try {
        const rows = minted.map(({ row }) => row);
        const change = this.#change({ operationId: plan.operation ?? operationId });
        const stored = rows.length === 0 ? [] : await this.store.create(rows, change, namesakeRule(plan));
        const made = stored.map(({ key, created, replaced }, i) => ({
          key,
          keyString: created ? (minted[i]?.keyString ?? null) : null,
          replaced,
        }));
        const kept = plan.kept.map((key) => ({ key, keyString: null, replaced: null }));
        const all = [...made, ...kept];
        return plan.inputs.flatMap(({ name }) => all.filter(({ key }) => nameKey(key.name) === nameKey(name)));
      } catch (error) {
        if (!isKeysError(error, 'conflict') || attempt === ID_ATTEMPTS) throw error; // 60-bit ids collide about never; another writer may win a race
      }
    }
  }

  async list(query: Omit<ListQuery, 'now'> = {}): Promise<KeyPage> {
    return this.store.list({ ...query, now: this.#now() });
  }

  async show(ref: KeyRef): Promise<ApiKey> {
    return this.#find(ref);
  }

  /** Changes name, description, rate limit or labels. Scopes and mode are fixed at creation. */
  async edit(ref: KeyRef, input: EditInput, options: ChangeOptions = {}): Promise<Changed> {
    const key = await this.#findForChange(ref);
    return this.store.edit(
      key.id,
      {
        ...(input.name !== undefined && { name: readName(input.name) }),
        ...(input.description !== undefined && { description: readDescription(input.description ?? '') }),
        ...(input.rateLimit !== undefined && { rateLimit: input.rateLimit }),
        ...(input.labels !== undefined && { labels: settleLabels(input.labels) }),
      },
      this.#change(options),
    );
  }

  /** Idempotent: `changed` is false for a key that already was active. */
  async enable(ref: KeyRef, options: ChangeOptions = {}): Promise<Changed> {
    return this.store.setStatus((await this.#findForChange(ref)).id, 'active', this.#change(options));
  }

  /** Idempotent. A local verifier in any process refuses the key from its next call on. */
  async disable(ref: KeyRef, options: ChangeOptions & { reason?: string | null } = {}): Promise<Changed> {
    const change = this.#change(options, readDescription(options.reason ?? ''));
    return this.store.setStatus((await this.#findForChange(ref)).id, 'inactive', change);
  }

  /** With `asSeen`, only while the key is as `ref`, a key that was looked up, says: `conflict` when somebody changed or used it since. */
  async delete(ref: KeyRef, options: ChangeOptions & { readonly asSeen?: boolean } = {}): Promise<ApiKey> {
    const key = await this.#findForChange(ref);
    return this.store.delete(key.id, this.#change(options), options.asSeen ? key : undefined);
  }

  /** What was done under an operation id, oldest first. */
  async operation(operationId: string): Promise<AuditEvent[]> {
    return this.store.operation(readOperationId(operationId));
  }

  /** The verdict on a key string, as an API server would give it, but without counting as use. */
  async verify(keyString: unknown, demands: Demands = {}): Promise<Verdict> {
    return verifyOnce(this.store, keyString, demands, this.#now(), this.#mint.peppers);
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

  async addScope(scope: string, categoryLabel?: string, options: ChangeOptions = {}): Promise<CatalogueScope> {
    assertScopeForm(scope);
    const label = categoryLabel === undefined ? null : readName(categoryLabel);
    return this.store.addScope(scope, label, this.#change(options));
  }

  /** Keys that hold the scope keep it; no new key can take it. */
  async retireScope(scope: string, options: ChangeOptions = {}): Promise<{ scope: CatalogueScope; changed: boolean }> {
    return this.store.retireScope(scope, this.#change(options));
  }

  /** The keys that nobody needs by these signs, the longest known first: what `prune` would remove. */
  async prunable(query: PruneQuery): Promise<ApiKey[]> {
    return prunableKeys(this.store, query, this.#now());
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

  /** How the store's keys are hashed. */
  async storeHash(): Promise<HashReport> {
    const { peppers } = this.#mint;
    const hashes = (await this.store.hashKinds()).map(({ kind, keys }) => {
      const scheme = readHashKind(kind);
      const pepper = pepperOf(scheme);
      return { scheme, keys, readable: pepper === null ? scheme === 'bcrypt' : peppers.has(pepper) };
    });
    return { scheme: await this.store.hashScheme(), hashes: sumUp(hashes), peppers: peppers.ids };
  }

  /**
   * Has new keys hashed by `scheme`; others move over when they are next used. Throws `pepper_missing` for a scheme whose pepper is
   * not at hand: what it hashes could not be read.
   */
  async setStoreHash(
    scheme: StoreScheme,
    options: ChangeOptions = {},
  ): Promise<{ scheme: StoreScheme; changed: boolean }> {
    this.#mint.peppers.assertFor(scheme);
    return this.store.setHashScheme(scheme, this.#change(options));
  }

  async storeCheck(): Promise<Finding[]> {
    return this.store.check();
  }

  /**
   * Makes the store of `to`, opened with `receive`, the same as this one: keys, catalogue, audit chain and last-used marks; then
   * verifies both. Resumable, and repeatable as long as the target has no changes of its own.
   */
  async storeCopy(to: Keyring, progress?: (done: number, total: number) => void): Promise<CopyResult> {
    return copyStore(this.store, to.store, progress);
  }

  /** A verifier over the same store, with this keyring's peppers; closing it closes the store. Throws `usage` for options that are none. */
  async verifier(options: Omit<VerifierOptions, 'peppers' | 'by' | 'now'>): Promise<Verifier> {
    const { Verifier } = await import('../verifier/verifier.js');
    const now = () => this.#now().getTime();
    return new Verifier(this.store, { ...options, peppers: this.#mint.peppers, by: this.#by, now });
  }

  async storeBackup(file: string): Promise<void> {
    return this.store.backup(file);
  }

  async close(): Promise<void> {
    return this.store.close();
  }

  /** Works out what {@link rotate} would do, hashing and writing nothing. */
  async planRotation(ref: KeyRef, input: RotateInput, { operationId }: ChangeOptions = {}): Promise<RotationPlan> {
    const key = await this.#findForChange(ref);
    const plan = await planRotation(this.store, key, input, operationId && assertChangeId(operationId), this.#now());
    this.#mint.peppers.assertFor(plan.scheme);
    return plan;
  }

  /**
   * Makes a key that takes the place of another, in one write: the name is the new key's, the old one is renamed and goes on working for
   * the overlap. Throws `conflict` for a key that is inactive or was rotated already. With the operation id of a run whose outcome was
   * unknown it finishes that run: what it made without handing it out is replaced.
   */
  async rotate(ref: KeyRef, input: RotateInput, options: ChangeOptions = {}): Promise<RotatedKey> {
    return this.makeRotation(await this.planRotation(ref, input, options), options);
  }

  /** Carries out a plan. `operationId` is the one to write under when the plan was made without one. */
  async makeRotation(plan: RotationPlan, { operationId }: ChangeOptions = {}): Promise<RotatedKey> {
    return makeRotation(this.store, plan, this.#mint, () =>
      this.#change({ operationId: plan.operation ?? operationId }),
    );
  }

  /** What became of a key that was rotated: whether it is still in use, above all. */
  async rotationOf(old: ApiKey): Promise<Rotation> {
    return rotationOf(this.store, old);
  }

  /** The rotations that a key is part of, as the old or the new one: the last, and those before it whose overlap goes on. */
  async rotations(ref: KeyRef): Promise<Rotation[]> {
    return rotationsOf(this.store, await this.#find(ref), this.#now());
  }

  /** Works out what {@link finishRotation} would end, writing nothing; `over`: it ended before. */
  async planFinish(ref: KeyRef, options: FinishOptions = {}): Promise<{ rotation: Rotation; over: boolean }> {
    return planFinish(this.store, await this.#findForChange(ref), options, this.#now());
  }

  /**
   * Ends the overlap of a rotation, named by either of its keys: the old key expires now. Idempotent. Throws `guarded` while the old key
   * is in use.
   */
  async finishRotation(ref: KeyRef, options: FinishOptions & ChangeOptions = {}): Promise<Changed> {
    const { rotation } = await this.planFinish(ref, options);
    return this.store.expire(rotation.old.id, this.#change(options));
  }
}

/** Kinds that read alike, such as bcrypt of several costs, are one line. */
function sumUp(hashes: HashReport['hashes']): HashReport['hashes'] {
  const sums = new Map<string, HashReport['hashes'][number]>();
  for (const each of hashes) sums.set(each.scheme, { ...each, keys: each.keys + (sums.get(each.scheme)?.keys ?? 0) });
  return [...sums.values()];
}

/** {@link Keyring.identify} without a store. */
export function identifyOffline(text: string): Identity {
  const parsed = parseKeyString(text);
  if (!parsed.ok && parsed.problem === 'shape') return { recognised: false };
  return { recognised: true, checksum: parsed.ok ? 'good' : 'bad', mode: parsed.mode, id: parsed.id, key: null };
}
