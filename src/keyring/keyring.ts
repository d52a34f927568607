import { randomUUID } from 'node:crypto';
import { normalizeNetworks } from '../domain/addresses.js';
import type { ApiKey } from '../domain/api-key.js';
import type { AuditHead, Authorship } from '../domain/audit.js';
import type { AuditEvent, AuditPage, AuditPosition, AuditQuery, ChainedEvent } from '../domain/audit-side.js';
import { type Change, type Changed, type Creator, DELIVERED, type LogChange, UNDELIVERED } from '../domain/change.js';
import { callback, filePath, reading, secretText, text, texts } from '../domain/checks.js';
import type { DeletedKey, DeleteOptions, Deletion } from '../domain/deletion.js';
import { isKeysError, KeysError } from '../domain/errors.js';
import { readNewExpiry } from '../domain/expiry.js';
import { assertNewName, nameKey, readDescription, readName } from '../domain/key-name.js';
import { type RandomBytes, readTypedId } from '../domain/key-parts.js';
import type { KeyCensus, KeyPage, ListQuery } from '../domain/key-query.js';
import type { Finding, KeyStore, Replacement, SchemaUpgrade } from '../domain/key-store.js';
import { isKeyId, type Mode } from '../domain/key-string.js';
import { normalizeLabels } from '../domain/labels.js';
import { assertChangeId, readOperationId } from '../domain/operation.js';
import { Peppers } from '../domain/peppers.js';
import type { PolicyInput, StorePolicy } from '../domain/policy.js';
import { readRateLimit } from '../domain/rate-limit.js';
import { assertScopeForm, type CatalogueScope } from '../domain/scopes.js';
import { assertStoreScheme, type StoreScheme } from '../domain/secret-hash.js';
import { quoted } from '../domain/text.js';
import type { Recording } from '../domain/use.js';
import type { Needs, Verdict } from '../domain/verdict.js';
import type { Verifier, VerifierOptions } from '../verifier/verifier.js';
import { verifyOnce } from '../verifier/verify-once.js';
import { type AuditCheck, checkAudit } from './audit-check.js';
import { type FollowOptions, followAudit } from './audit-follow.js';
import type { HeadNote } from './audit-sign.js';
import { type Claim, marked, type ToDeliver } from './claim.js';
import { assertRestorable, type CopyResult, copyStore, finishCopy } from './copy.js';
import {
  type CreatedKey,
  type CreateInput,
  type CreateOptions,
  type CreatePlan,
  makeKeys,
  planCreation,
} from './creation.js';
import { resolveDeleted } from './deleted.js';
import { type Destination, DISABLED, deliverNewKeys, type NewKeys } from './delivery.js';
import { type HashReport, hashReport } from './hash-report.js';
import { type Identity, identify } from './identity.js';
import * as check from './inputs.js';
import type { Issuing } from './issuing.js';
import { proveLeaked } from './leaked.js';
import { inputLike, type LikeInput } from './like.js';
import { findLookalikes, type Lookalike } from './lookalikes.js';
import type { Mint } from './minting.js';
import { givesWay, nameTaken } from './namesakes.js';
import type { AsSeen, ChangeOptions, EditInput, KeyRef } from './options.js';
import { type PruneQuery, prunableKeys } from './prune.js';
import { describeKey, formerKey, keyById, resolveKey, wholeId } from './references.js';
import { type ReviewFinding, reviewKeys } from './review.js';
import { makeRotation, planRotation, type RotatedKey, type RotateInput, type RotationPlan } from './rotation.js';
import { type FinishOptions, planFinish, type Rotation, rotationOf, rotationsOf } from './rotation-status.js';

import {
  type DayUse,
  type KeyUse,
  knownUseOf,
  listWithUse,
  type UsageQuery,
  type UsePage,
  usageByDay,
  usageOf,
} from './usage.js';

export type { AsSeen, ChangeOptions, EditInput, KeyRef } from './options.js';

/** How a keyring works. */
export interface KeyringOptions {
  /** The author of the changes. Called for each change. */
  readonly by: () => Authorship;
  /** Default: the system clock. */
  readonly now?: (() => Date) | undefined;
  /** Default: the cryptographic random bytes of Node. */
  readonly random?: RandomBytes | undefined;
  /** The bcrypt cost of new keys, 4 to 12. Default: 10. */
  readonly hashCost?: number | undefined;
  /** Refuse to create or change live keys. Default: false. */
  readonly testOnly?: boolean | undefined;
  /** The peppers of the store's hash scheme. Default: none. */
  readonly peppers?: Peppers | undefined;
  /** Tells this process from others that hand out keys. Default: it cannot be told from them. */
  readonly claim?: Claim | undefined;
}

/** As many names are looked up in one query: every store takes that many. */
const NAMES_AT_ONCE = 500;

/**
 * Manages the API keys of one store. Every method throws {@link KeysError} and nothing else; besides the codes that its description names,
 * any method that asks the store can throw a `store_…` code or `unauthorized`, and any change `outcome_unknown`. When the promise of a
 * change resolves, the change is durable and in the audit log.
 */
export class Keyring {
  readonly #store: KeyStore;
  readonly #by: () => Authorship;
  readonly #now: () => Date;
  readonly #mint: Mint;
  readonly #testOnly: boolean;
  readonly #claim: Claim | undefined;

  constructor(store: KeyStore, options: KeyringOptions) {
    this.#store = store;
    this.#by = options.by;
    this.#now = options.now ?? (() => new Date());
    const { random, hashCost, peppers = Peppers.none } = options;
    this.#mint = { random, cost: hashCost, peppers };
    this.#testOnly = options.testOnly === true;
    this.#claim = options.claim;
  }

  #change({ operationId }: ChangeOptions, reason?: string | null): Change {
    return {
      by: this.#by(),
      at: this.#now(),
      op: operationId === undefined ? randomUUID() : assertChangeId(operationId),
      reason,
    };
  }

  /** Throws `guarded` for a live key where only test keys may be changed. */
  #guard(mode: Mode, what: string): void {
    if (this.#testOnly && mode === 'live')
      throw new KeysError(
        'guarded',
        `${what} is live, and this profile is for test keys only`,
        'use another profile: unlockos-keys profile list',
      );
  }

  #guardKey(key: ApiKey): void {
    this.#guard(key.mode, describeKey(key));
  }

  async #find(ref: KeyRef): Promise<ApiKey> {
    check.keyRef(ref, 'the key');
    return typeof ref === 'string' ? resolveKey(this.#store, ref, this.#now()) : ref;
  }

  /** The key that a change with `asSeen` goes by. Throws `usage` for a name: nobody has seen the key that it is looked up to now. */
  #seen(ref: KeyRef, { asSeen }: AsSeen): ApiKey | undefined {
    if (!asSeen) return undefined;
    check.lookedUpKey(ref, 'with asSeen, the key');
    return ref as ApiKey;
  }

  async #like(input: LikeInput): Promise<CreateInput> {
    return inputLike(await this.#find(input.like), input, await this.#store.prospect([], null), this.#now());
  }

  /** Under `testOnly` a key that the caller passed in is judged by the mode that is stored: the object may say anything. */
  async #findForChange(ref: KeyRef): Promise<ApiKey> {
    const key = await this.#find(ref);
    const stored = this.#testOnly && typeof ref !== 'string' ? await keyById(this.#store, key.id) : key;
    if (stored) this.#guardKey(stored);
    return key;
  }

  // The store that it manages

  /**
   * Where the store is: the absolute path of its file, or the URL of its server without credentials.
   *
   * @example
   * ```ts
   * console.log(`Keys are in ${keyring.location}`);
   * ```
   */
  get location(): string {
    return this.#store.location;
  }

  /**
   * True once this process has created the store. A remote store is created by the first call, not when it is opened.
   *
   * @example
   * ```ts
   * if (keyring.created) console.log('This is a new store.');
   * ```
   */
  get created(): boolean {
    return this.#store.created;
  }

  /**
   * Where the audit log ended before and after the last change that was made here; null when none was.
   *
   * @example
   * ```ts
   * console.log(keyring.lastChange?.head);
   * ```
   */
  get lastChange(): LogChange | null {
    return this.#store.lastChange;
  }

  /**
   * Closes the store. No method may be called afterwards; calling `close` again does nothing.
   *
   * @example
   * ```ts
   * await keyring.close();
   * ```
   */
  async close(): Promise<void> {
    return this.#store.close();
  }

  // Creating keys

  /**
   * Works out what {@link create} would do: checks everything, hashes and writes nothing. Throws what `create` throws.
   *
   * @example
   * ```ts
   * const plan = await keyring.plan([{ name: 'ci', mode: 'test', scopes: ['checkin:*'] }], { ifExists: 'skip' });
   * console.log(plan.inputs[0]?.scopes, plan.kept.length);
   * ```
   */
  async plan(inputs: readonly (CreateInput | LikeInput)[], options: CreateOptions = {}): Promise<CreatePlan> {
    check.createInputs(inputs, 'create: inputs');
    check.createOptions(options, 'create: options');
    if (options.operationId !== undefined) readOperationId(options.operationId);
    const full: CreateInput[] = [];
    for (const input of inputs) full.push('like' in input ? await this.#like(input) : input);
    for (const { mode, name } of full) this.#guard(mode, `the key ${quoted(name)}`);
    const plan = await planCreation(this.#store, full, options, this.#now(), this.#claim);
    this.#mint.peppers.assertFor(plan.scheme);
    for (const key of [...plan.replaced, ...plan.unfinished]) this.#guardKey(key);
    return plan;
  }

  /**
   * Creates keys, all or none. When it resolves, they are stored and were read back. The key strings exist in the returned value only.
   * A key with `like` takes what it leaves out from another key, and is made to live as long; `addScopes` and `dropScopes` say how its
   * scopes differ.
   *
   * With the operation id of an earlier run it finishes that run: keys that the run created without handing them out are replaced. Throws
   * `usage` or `missing_input` for invalid input, `name_taken`, `conflict`, `guarded` for a live key where `testOnly` is set,
   * `pepper_missing`, or a `store_…` code; `outcome_unknown` when the keys may have been stored.
   *
   * @example
   * ```ts
   * const [made] = await keyring.create([{ name: 'ci', mode: 'test', scopes: ['checkin:read'] }]);
   * console.log(made?.key.id, made?.keyString);
   * const [wider] = await keyring.create([{ name: 'ci-plans', like: 'ci', addScopes: ['plan:read'] }]);
   * console.log(wider?.scopeChange); // { from: 'bk47…', added: ['plan:read'], dropped: [] }
   * ```
   */
  async create(inputs: readonly (CreateInput | LikeInput)[], options: CreateOptions = {}): Promise<CreatedKey[]> {
    return this.make(await this.plan(inputs, options), options);
  }

  /**
   * Carries out a plan of {@link plan}. `operationId` is used where the plan was made without one. Throws what `create` throws.
   *
   * @example
   * ```ts
   * const plan = await keyring.plan([{ name: 'ci', mode: 'test', scopes: ['checkin:read'] }]);
   * const created = await keyring.make(plan);
   * console.log(created.length);
   * ```
   */
  async make(
    plan: CreatePlan,
    options: Pick<CreateOptions, 'operationId' | 'progress'> & ToDeliver = {},
  ): Promise<CreatedKey[]> {
    check.plannedInputs(
      reading('make: plan', () => plan?.inputs),
      'make: plan.inputs',
    );
    check.makeOptions(options, 'make: options');
    const { operationId, progress, toDeliver } = options;
    for (const { mode, name } of plan.inputs) this.#guard(mode, `the key ${quoted(name)}`);
    const inputs = toDeliver ? plan.inputs.map((input) => marked(input, this.#claim)) : plan.inputs;
    return makeKeys(
      this.#store,
      { ...plan, inputs },
      {
        mint: this.#mint,
        change: () => this.#change({ operationId: plan.operation ?? operationId }),
        guard: (key) => this.#guardKey(key),
        progress,
      },
    );
  }

  /**
   * Makes keys and delivers their key strings: probes `destination`, calls `make`, hands over what it made. When the delivery fails, the
   * new keys are disabled, and it throws `delivery_failed`, which names them; an error of the probe or of `make` is thrown as it is, and
   * nothing was made. An aborted `signal` is a delivery that failed. The ids of these changes are derived from `operationId`.
   *
   * @example
   * ```ts
   * await keyring.deliver(
   *   { probe: () => vault.ping(), deliver: ([made]) => vault.put(made?.keyString), abandon() {} },
   *   () => keyring.create([{ name: 'ci', mode: 'live', scopes: ['plan:read'] }]),
   * );
   * ```
   */
  async deliver<T extends NewKeys>(
    destination: Destination<NoInfer<T>>,
    make: () => Promise<T>,
    options: ChangeOptions & { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<T> {
    for (const step of ['probe', 'deliver', 'abandon'] as const)
      callback(
        reading('deliver: destination', () => destination?.[step]),
        `deliver: destination.${step}`,
      );
    callback(make, 'deliver: make');
    check.deliverOptions(options, 'deliver: options');
    const { operationId, signal } = options;
    const maker = {
      takeBack: ({ id }: ApiKey) =>
        this.disable(id, { operationId: operationId && `${operationId}:${id}`, reason: UNDELIVERED }),
      takenBack: DISABLED,
      settle: (made: readonly ApiKey[]) =>
        this.#store.settle(
          made.map(({ id }) => id),
          this.#change({ operationId: operationId && `${operationId}:delivered` }, DELIVERED),
        ),
    };
    return deliverNewKeys(destination, make, maker, signal);
  }

  /**
   * Throws `name_taken` when a key has this name, whatever its case.
   *
   * @example
   * ```ts
   * await keyring.assertNameFree('ci');
   * ```
   */
  async assertNameFree(name: string): Promise<void> {
    text(name, 'assertNameFree: name');
    const [namesake] = await this.#store.candidates({ name, limit: 1 });
    if (namesake && !givesWay(namesake, this.#claim)) throw nameTaken(namesake);
  }

  /**
   * The names among these that people could take for that of another key, or for an earlier one of these: they are drawn alike, as `раrtner`
   * with Cyrillic letters and `partner`, or `web1` and `webl`. Nothing refuses such names.
   *
   * @example
   * ```ts
   * for (const { name, other } of await keyring.lookalikes(['p\u0430rtner'])) console.log(`${name} looks like ${other}`);
   * ```
   */
  async lookalikes(names: readonly string[]): Promise<Lookalike[]> {
    texts(names, 'lookalikes: names');
    return findLookalikes(this.#store, names);
  }

  // Finding keys

  /**
   * One page of keys. Without a `limit` it is the only one. Throws `usage` for an invalid cursor.
   *
   * @example
   * ```ts
   * const { keys, next } = await keyring.list({ status: 'active', scopes: ['checkin:read'], limit: 50 });
   * console.log(keys.length, next);
   * ```
   */
  async list(query: Omit<ListQuery, 'now'> = {}): Promise<KeyPage> {
    check.listQuery(query, 'list: query');
    return this.#store.list({ ...query, now: this.#now() });
  }

  /**
   * A page as {@link list} gives it, with how often its keys were used and who made them. A server is asked once, if the page has a `limit`
   * below 500.
   *
   * @example
   * ```ts
   * const { keys, uses, creators } = await keyring.listWithUse({ limit: 50 });
   * for (const { key, used } of uses) console.log(key.name, used, creators.get(key.id)?.osUser);
   * ```
   */
  async listWithUse(query: Omit<ListQuery, 'now'> = {}): Promise<UsePage> {
    check.listQuery(query, 'listWithUse: query');
    return listWithUse(this.#store, { ...query, now: this.#now() });
  }

  /**
   * The one key that `ref` names. Throws `not_found`, `ambiguous` with the candidates, or `usage` for a whole key string.
   *
   * @example
   * ```ts
   * const key = await keyring.show('partner');
   * console.log(key.status, key.lastUsedAt);
   * ```
   */
  async show(ref: KeyRef): Promise<ApiKey> {
    return this.#find(ref);
  }

  /**
   * The keys that have one of these names, whatever its case, in no particular order. Names that no key has are left out.
   *
   * @example
   * ```ts
   * const keys = await keyring.named(['partner', 'no-such-key']);
   * console.log(keys.length);
   * ```
   */
  async named(names: readonly string[]): Promise<ApiKey[]> {
    texts(names, 'named: names');
    const found: ApiKey[] = [];
    for (let from = 0; from < names.length; from += NAMES_AT_ONCE)
      found.push(...(await this.#store.prospect(names.slice(from, from + NAMES_AT_ONCE), null)).namesakes);
    return found;
  }

  /**
   * Who made each of these keys, by its id: the claimed actor and the OS user, from the audit log.
   *
   * @example
   * ```ts
   * const { keys } = await keyring.list({ limit: 50 });
   * const makers = await keyring.creators(keys.map(({ id }) => id));
   * for (const { id, name } of keys) console.log(name, makers.get(id)?.osUser);
   * ```
   */
  async creators(ids: readonly string[]): Promise<ReadonlyMap<string, Creator>> {
    texts(ids, 'creators: ids');
    return this.#store.creators(ids);
  }

  /**
   * How many keys there are, by mode and status, how many expire soon, and when the next one does.
   *
   * @example
   * ```ts
   * const { live } = await keyring.census();
   * console.log(live.keys.active, live.expiringWithin[14], live.nextExpiry);
   * ```
   */
  async census(): Promise<KeyCensus> {
    return this.#store.census(this.#now());
  }

  /**
   * The state of the keys: how many never expire, are unused, expire soon, are old, are used beside their successor, are refused a lot, or were
   * never handed out; with the worst of each.
   *
   * @example
   * ```ts
   * for (const { what, count, worst } of await keyring.review()) console.log(count, what, worst.map(({ name }) => name));
   * ```
   */
  async review(): Promise<ReviewFinding[]> {
    return reviewKeys(this.#store, this.#now());
  }

  /**
   * The keys that meet at least one of the conditions, oldest first: what `prune` would remove. Throws `usage` without a
   * condition, and `guarded` where it goes by last use and not all use was recorded, unless `force` is set.
   *
   * @example
   * ```ts
   * const expired = await keyring.prunable({ expired: true, mode: 'test' });
   * for (const key of expired) await keyring.delete(key, { asSeen: true });
   * ```
   */
  async prunable(query: PruneQuery): Promise<ApiKey[]> {
    check.pruneQuery(query, 'prunable: query');
    return prunableKeys(this.#store, query, this.#now());
  }

  // Changing keys

  /**
   * Changes the name, description, rate limit, labels, networks or expiry; what is left out stays. Scopes and mode never change. Throws `usage`,
   * `name_taken`, `conflict` for a later expiry ({@link rotate} gives one), or what {@link show} throws; `guarded` for a live key where
   * `testOnly` is set.
   *
   * @example
   * ```ts
   * await keyring.edit('partner', { description: 'check-in kiosk', rateLimit: { limit: 60, windowSeconds: 1 } });
   * ```
   */
  async edit(ref: KeyRef, input: EditInput, options: ChangeOptions & AsSeen = {}): Promise<Changed> {
    check.editInput(input, 'edit: input');
    check.seenOptions(options, 'edit: options');
    const expiresAt = readNewExpiry(input, this.#now());
    const patch = {
      ...(expiresAt !== undefined && { expiresAt }),
      ...(input.name !== undefined && { name: readName(input.name) }),
      ...(input.description !== undefined && { description: readDescription(input.description ?? '') }),
      ...(input.rateLimit !== undefined && { rateLimit: readRateLimit(input.rateLimit) }),
      ...(input.labels !== undefined && { labels: normalizeLabels(input.labels) }),
      ...(input.allowFrom !== undefined && { allowFrom: normalizeNetworks(input.allowFrom) }),
    };
    const key = await this.#findForChange(ref);
    if (patch.name !== undefined && nameKey(patch.name) !== nameKey(key.name)) assertNewName(patch.name);
    return this.#store.edit(key.id, patch, this.#change(options), this.#seen(ref, options));
  }

  /**
   * Makes a disabled key work again. Idempotent: `changed` is false for a key that is active. Throws what {@link edit} throws.
   *
   * @example
   * ```ts
   * const { changed } = await keyring.enable('partner');
   * console.log(changed);
   * ```
   */
  async enable(ref: KeyRef, options: ChangeOptions & AsSeen = {}): Promise<Changed> {
    check.seenOptions(options, 'enable: options');
    const key = await this.#findForChange(ref);
    return this.#store.setStatus(key.id, 'active', this.#change(options), this.#seen(ref, options));
  }

  /**
   * Stops a key from working; {@link enable} undoes it. A verifier of a local store, in any process, refuses the key from its next call on.
   * Idempotent. `reason` is for the audit log. Throws what {@link edit} throws.
   *
   * @example
   * ```ts
   * await keyring.disable('partner', { reason: 'left the programme' });
   * ```
   */
  async disable(ref: KeyRef, options: ChangeOptions & AsSeen & { reason?: string | null } = {}): Promise<Changed> {
    check.disableOptions(options, 'disable: options');
    const change = this.#change(options, readDescription(options.reason ?? ''));
    const key = await this.#findForChange(ref);
    return this.#store.setStatus(key.id, 'inactive', change, this.#seen(ref, options));
  }

  // Rotating keys

  /**
   * Works out what {@link rotate} would do: hashes and writes nothing. Throws what `rotate` throws.
   *
   * @example
   * ```ts
   * const { successor, retired } = await keyring.planRotation('partner', { overlapMs: 86_400_000 });
   * console.log(successor.scopes, retired.expiresAt);
   * ```
   */
  async planRotation(ref: KeyRef, input: RotateInput, options: ChangeOptions = {}): Promise<RotationPlan> {
    check.rotateInput(input, 'rotate: input');
    check.changeOptions(options, 'rotate: options');
    const { operationId } = options;
    const key = await this.#findForChange(ref);
    const id = operationId && assertChangeId(operationId);
    const plan = await planRotation(this.#store, key, input, id, this.#now(), this.#claim);
    this.#mint.peppers.assertFor(plan.scheme);
    return plan;
  }

  /**
   * Replaces a key by a new one, in one write: the new key takes the name, and the old one is renamed and keeps working for the overlap. The
   * key string exists in the returned value only. The scopes of the old key never change; `addScopes` and `dropScopes` say how those of the
   * new key differ.
   *
   * With the operation id of an earlier run it finishes that run, as {@link create} does. Throws `conflict` for a key that is inactive or
   * was already rotated, or that has changed meanwhile; else what `create` and {@link show} throw.
   *
   * @example
   * ```ts
   * const { keyString: fresh, retired } = await keyring.rotate('partner', { overlapMs: 24 * 3_600_000 });
   * console.log(fresh, retired.expiresAt);
   * ```
   */
  async rotate(ref: KeyRef, input: RotateInput, options: ChangeOptions = {}): Promise<RotatedKey> {
    return this.makeRotation(await this.planRotation(ref, input, options), options);
  }

  /**
   * Carries out a plan of {@link planRotation}. `operationId` is used where the plan was made without one. Throws what `rotate` throws.
   *
   * @example
   * ```ts
   * const plan = await keyring.planRotation('partner', { overlapMs: 0 });
   * const { key: successor } = await keyring.makeRotation(plan);
   * console.log(successor.id);
   * ```
   */
  async makeRotation(plan: RotationPlan, options: ChangeOptions & ToDeliver = {}): Promise<RotatedKey> {
    check.plannedInputs([reading('makeRotation: plan', () => plan?.successor)], 'makeRotation: plan.successor');
    check.lookedUpKey(plan.retirement?.seen, 'makeRotation: plan.retirement.seen');
    check.makeRotationOptions(options, 'makeRotation: options');
    const { operationId, toDeliver } = options;
    this.#guard(plan.successor.mode, `the key ${quoted(plan.successor.name)}`);
    await this.#findForChange(plan.retirement.seen);
    const successor = toDeliver ? marked(plan.successor, this.#claim) : plan.successor;
    return makeRotation(this.#store, { ...plan, successor }, this.#mint, () =>
      this.#change({ operationId: plan.operation ?? operationId }),
    );
  }

  /**
   * How far the change from a rotated key to its successor is: above all, whether the old key is still in use.
   *
   * @example
   * ```ts
   * const { retired } = await keyring.rotate('partner', { overlapMs: 3_600_000 });
   * console.log((await keyring.rotationOf(retired)).usedSince);
   * ```
   */
  async rotationOf(old: ApiKey): Promise<Rotation> {
    check.lookedUpKey(old, 'rotationOf: old');
    return rotationOf(this.#store, old, this.#now());
  }

  /**
   * {@link rotationOf} for several keys. When use was recorded is read once for all of them.
   *
   * @example
   * ```ts
   * const { keys } = await keyring.list({ rotating: true });
   * for (const { old, usedSince } of await keyring.rotationsOf(keys)) console.log(old.name, usedSince);
   * ```
   */
  async rotationsOf(olds: readonly ApiKey[]): Promise<Rotation[]> {
    check.lookedUpKeys(olds, 'rotationsOf: olds');
    if (olds.length === 0) return [];
    const recording = await this.#store.use.recording();
    return Promise.all(olds.map((old) => rotationOf(this.#store, old, this.#now(), recording)));
  }

  /**
   * The rotations that a key is part of, as the old or the new key: the last one, and earlier ones whose overlap has not ended. Throws what
   * {@link show} throws.
   *
   * @example
   * ```ts
   * for (const { old, successor, usedSince } of await keyring.rotations('partner')) console.log(old.id, successor?.id, usedSince);
   * ```
   */
  async rotations(ref: KeyRef): Promise<Rotation[]> {
    return rotationsOf(this.#store, await this.#find(ref), this.#now());
  }

  /**
   * Works out what {@link finishRotation} would end, and writes nothing; `over` is true when the overlap has ended. Throws what
   * `finishRotation` throws.
   *
   * @example
   * ```ts
   * await keyring.rotate('partner', { overlapMs: 3_600_000 });
   * const { rotation, over } = await keyring.planFinish('partner', { force: true });
   * console.log(rotation.old.id, over);
   * ```
   */
  async planFinish(ref: KeyRef, options: FinishOptions = {}): Promise<{ rotation: Rotation; over: boolean }> {
    check.finishOptions(options, 'planFinish: options');
    return planFinish(this.#store, await this.#findForChange(ref), options, this.#now());
  }

  /**
   * Ends the overlap of a rotation, named by either of its keys: the old key expires now. Idempotent. Throws `guarded` while the old key is in
   * use, `conflict` for a key that was not rotated, `ambiguous` for one that replaced several keys that still work, or what {@link show} throws.
   *
   * @example
   * ```ts
   * await keyring.rotate('partner', { overlapMs: 3_600_000 });
   * await keyring.finishRotation('partner', { force: true }); // although nobody recorded that the new key is used
   * ```
   */
  async finishRotation(ref: KeyRef, options: FinishOptions & ChangeOptions = {}): Promise<Changed> {
    const { rotation } = await this.planFinish(ref, options);
    await this.#findForChange(rotation.old);
    return this.#store.expire(rotation.old.id, this.#change(options));
  }

  // Deleting keys

  /**
   * Deletes a key, and returns what it was, with `keptUntil`: until then {@link restore} brings it back. Verifiers refuse it from now on.
   * It is gone at once with `purge`, where the policy of the store keeps nothing, and when it is damaged or was never handed out. `reason`
   * is for the audit log; `leaked` tells whoever restores the key. With `asSeen`, `ref` must be a key that was looked up, and `conflict` is
   * thrown when somebody has changed or used it since. Throws what {@link edit} throws.
   *
   * @example
   * ```ts
   * const unused = await keyring.show('partner');
   * const { keptUntil } = await keyring.delete(unused, { asSeen: true, reason: 'left the programme' });
   * console.log(keptUntil);
   * ```
   */
  async delete(
    ref: KeyRef,
    options: ChangeOptions & AsSeen & DeleteOptions & { reason?: string | null } = {},
  ): Promise<DeletedKey> {
    check.deleteOptions(options, 'delete: options');
    const { purge, leaked } = options;
    const change = this.#change(options, readDescription(options.reason ?? ''));
    const key = await this.#findForChange(ref);
    return this.#store.delete(key.id, change, this.#seen(ref, options), { purge, leaked });
  }

  /**
   * The deleted keys that can be restored, the last first.
   *
   * @example
   * ```ts
   * for (const { key, deletedBy, keptUntil } of await keyring.deletions()) console.log(key.name, deletedBy.osUser, keptUntil);
   * ```
   */
  async deletions(): Promise<Deletion[]> {
    return this.#store.deleted.list();
  }

  /**
   * The deleted key that `ref` names: by its id, by the name that it had, or by the start of its id. Throws `not_found` for one that can no
   * longer be restored, `conflict` for a key that is not deleted, and `ambiguous`.
   *
   * @example
   * ```ts
   * await keyring.delete('partner');
   * console.log((await keyring.deletion('partner')).deletedAt);
   * ```
   */
  async deletion(ref: string): Promise<Deletion> {
    text(ref, 'deletion: ref');
    return resolveDeleted(this.#store, ref, this.#now());
  }

  /**
   * Brings a deleted key back as it was, but inactive: {@link enable} makes it work again. Its key string is the one that its holder has.
   * `name` is for a key whose name was taken meanwhile. Throws what {@link deletion} throws, `name_taken`, `usage`, `guarded` for a live key
   * where `testOnly` is set, and `store_corrupt` for a row that is not what the audit log says.
   *
   * @example
   * ```ts
   * await keyring.delete('partner');
   * const key = await keyring.restore('partner');
   * console.log(key.status); // inactive
   * ```
   */
  async restore(ref: string, input: { name?: string | undefined } = {}, options: ChangeOptions = {}): Promise<ApiKey> {
    text(ref, 'restore: ref');
    check.restoreInput(input, 'restore: input');
    check.changeOptions(options, 'restore: options');
    const change = this.#change(options);
    const done = await this.#restoredBy(options.operationId, ref);
    if (done) return done;
    const { key } = await this.deletion(ref);
    this.#guardKey(key);
    const name = input.name === undefined ? null : readName(input.name);
    if (name !== null && nameKey(name) !== nameKey(key.name)) assertNewName(name);
    return this.#store.deleted.restore(key.id, name, change);
  }

  /** The key that an earlier run of this operation restored: it is no longer among the deleted ones. */
  async #restoredBy(operationId: string | undefined, ref: string): Promise<ApiKey | null> {
    const done = operationId === undefined ? [] : await this.#store.audit.operation(operationId);
    const event = done.find(({ action, op }) => action === 'key.restore' && op === operationId);
    if (!event?.keyId || ![event.keyId, event.keyName].includes(ref)) return null;
    return keyById(this.#store, event.keyId);
  }

  /**
   * Removes a deleted key for good, before its time. Throws what {@link deletion} throws, and `guarded` for a live key where `testOnly` is
   * set.
   *
   * @example
   * ```ts
   * await keyring.delete('partner');
   * await keyring.purge('partner');
   * ```
   */
  async purge(ref: string, options: ChangeOptions = {}): Promise<ApiKey> {
    text(ref, 'purge: ref');
    check.changeOptions(options, 'purge: options');
    const { key } = await this.deletion(ref);
    this.#guardKey(key);
    return this.#store.deleted.purge(key.id, this.#change(options));
  }

  /**
   * Removes the deleted keys that are past their time. Every change does so as well.
   *
   * @example
   * ```ts
   * await keyring.dropPast();
   * ```
   */
  async dropPast(): Promise<void> {
    return this.#store.deleted.dropPast();
  }

  // Key strings

  /**
   * The verdict on a key string, as an API server would give it. Does not count as use, and does not count against the rate limit. A
   * refused key is a value; it throws only when the store cannot answer. For a server, use {@link verifier}: it is much faster.
   *
   * @example
   * ```ts
   * const verdict = await keyring.verify(keyString, { scopes: ['checkin:read'], environment: 'test' });
   * console.log(verdict.verdict);
   * ```
   */
  async verify(keyString: unknown, needs: Needs = {}): Promise<Verdict> {
    check.needs(needs, 'verify: needs');
    return verifyOnce(this.#store, keyString, needs, this.#now(), this.#mint.peppers);
  }

  /**
   * A verifier of the same store with the peppers of this keyring. Closing either closes the store for both. Throws `usage` for invalid options,
   * and `marks_refused` where it may not record use and `markUsed` is not false.
   *
   * @example
   * ```ts
   * const verifier = await keyring.verifier({ environment: 'test' });
   * const verdict = await verifier.verify(keyString, { scopes: ['checkin:read'] });
   * console.log(verdict.verdict);
   * ```
   */
  async verifier(options: Omit<VerifierOptions, 'peppers' | 'by' | 'now'>): Promise<Verifier> {
    const { Verifier } = await import('../verifier/verifier.js');
    const now = () => this.#now().getTime();
    const given = reading('verifier: options', () => ({ ...options }));
    return Verifier.open(this.#store, { ...given, peppers: this.#mint.peppers, by: this.#by, now });
  }

  /**
   * What a key string says by itself, and the key whose id it contains. This proves nothing: anybody can write a key string with somebody
   * else's key id.
   *
   * @example
   * ```ts
   * const identity = await keyring.identify(keyString);
   * if (identity.recognised) console.log(identity.mode, identity.id, identity.key?.name);
   * ```
   */
  async identify(keyString: string): Promise<Identity> {
    text(keyString, 'identify: keyString');
    return identify(this.#store, keyString);
  }

  /**
   * The key that a leaked key string opens, whatever its status. Throws `usage` for a text that is not a key string or was mistyped,
   * `not_found` where the secret is wrong or there is no such key, and `pepper_missing`.
   *
   * @example
   * ```ts
   * const leaked = await keyring.proveLeaked(keyString);
   * console.log(leaked.name);
   * ```
   */
  async proveLeaked(keyString: string): Promise<ApiKey> {
    return proveLeaked(this.#store, keyString, this.#now(), this.#mint.peppers);
  }

  /**
   * Disables the key of a leaked key string, once the secret is proven: anybody can write a key string that contains somebody else's key
   * id. Idempotent. Throws what {@link proveLeaked} and {@link disable} throw.
   *
   * @example
   * ```ts
   * await keyring.disableLeaked(keyString, { reason: 'pasted into a chat' });
   * ```
   */
  async disableLeaked(keyString: string, options: ChangeOptions & { reason?: string | null } = {}): Promise<Changed> {
    check.disableOptions(options, 'disableLeaked: options');
    return this.disable(await this.proveLeaked(keyString), options);
  }

  /**
   * Makes test keys for jobs that prove who they are by an ID token, for `unlockos-keys issue`. Verifying the token is up to the caller.
   * Throws `pepper_missing`.
   *
   * @example
   * ```ts
   * const issuing = await keyring.issuing();
   * console.log(await issuing.end('bk47xq0d1tz9', { actor: 'ci', proof: { issuer: 'https://ci.example', subject: 'x', job: {} } }));
   * ```
   */
  async issuing(): Promise<Issuing> {
    const { Issuing } = await import('./issuing.js');
    this.#mint.peppers.assertFor(await this.#store.settings.hashScheme());
    return new Issuing({ store: this.#store, mint: this.#mint, by: this.#by, now: this.#now });
  }

  // The catalogue of scopes

  /**
   * Every scope of the catalogue, retired ones included, in its order.
   *
   * @example
   * ```ts
   * const open = (await keyring.scopes()).filter(({ retired }) => !retired);
   * console.log(open.map(({ scope }) => scope));
   * ```
   */
  async scopes(): Promise<CatalogueScope[]> {
    return this.#store.settings.catalogue();
  }

  /**
   * Adds a scope, `category:action`, to the catalogue. `categoryLabel` is the title of a new category. Throws `usage` or `conflict`.
   *
   * @example
   * ```ts
   * await keyring.addScope('report:read', 'Reports');
   * ```
   */
  async addScope(scope: string, categoryLabel?: string, options: ChangeOptions = {}): Promise<CatalogueScope> {
    text(scope, 'addScope: scope');
    if (categoryLabel !== undefined) text(categoryLabel, 'addScope: categoryLabel');
    check.changeOptions(options, 'addScope: options');
    assertScopeForm(scope);
    const label = categoryLabel === undefined ? null : readName(categoryLabel);
    return this.#store.settings.addScope(scope, label, this.#change(options));
  }

  /**
   * Retires a scope: no new key can have it, and keys that have it keep it. Idempotent. Throws `not_found`.
   *
   * @example
   * ```ts
   * const { changed } = await keyring.retireScope('checkin:read');
   * console.log(changed);
   * ```
   */
  async retireScope(scope: string, options: ChangeOptions = {}): Promise<{ scope: CatalogueScope; changed: boolean }> {
    text(scope, 'retireScope: scope');
    check.changeOptions(options, 'retireScope: options');
    return this.#store.settings.retireScope(scope, this.#change(options));
  }

  // The use of keys

  /**
   * When the use of keys was recorded, and by which servers. Look here before you conclude from `lastUsedAt` that nobody uses a key.
   *
   * @example
   * ```ts
   * const { recorders } = await keyring.recording();
   * console.log(recorders.map(({ host, records, seen }) => ({ host, records, seen })));
   * ```
   */
  async recording(): Promise<Recording> {
    return this.#store.use.recording();
  }

  /**
   * How often keys were used and refused: the keys passed in, or all that were, those with the most use first. Servers count it, after the secret is
   * proven; it is a few seconds old.
   *
   * @example
   * ```ts
   * for (const { key, used, refused } of await keyring.usage()) console.log(key.name, used, refused);
   * ```
   */
  async usage(query: UsageQuery = {}): Promise<KeyUse[]> {
    check.usageQuery(query, 'usage: query');
    return usageOf(this.#store, query, this.#now());
  }

  /**
   * How often these keys were used and refused in 30 days, and when use was recorded at all, from one look at the store.
   *
   * @example
   * ```ts
   * const { keys } = await keyring.list({ limit: 50 });
   * const { recording, uses } = await keyring.knownUse(keys);
   * console.log(recording.recorders.length, uses.map(({ key, used }) => `${key.name} ${used}`));
   * ```
   */
  async knownUse(keys: readonly ApiKey[]): Promise<{ recording: Recording; uses: KeyUse[] }> {
    check.lookedUpKeys(keys, 'knownUse: keys');
    return knownUseOf(this.#store, keys, {}, this.#now());
  }

  /**
   * How often a key was used and refused, day by day, the oldest first. Throws what {@link show} throws.
   *
   * @example
   * ```ts
   * const days = await keyring.usageByDay('partner', { since: new Date('2026-11-01') });
   * console.log(days.map(({ day, used, refusals }) => ({ day, used, refusals })));
   * ```
   */
  async usageByDay(ref: KeyRef, query: Pick<UsageQuery, 'since'> = {}): Promise<DayUse[]> {
    check.usageByDayQuery(query, 'usageByDay: query');
    return usageByDay(this.#store, await this.#find(ref), query, this.#now());
  }

  /**
   * Removes the counts of use of days that are over by more than 90 days, and resolves to how many these were. Servers do it as well. It is no change of
   * a key, and leaves no audit row.
   *
   * @example
   * ```ts
   * await keyring.trimUsage();
   * ```
   */
  async trimUsage(): Promise<number> {
    return this.#store.use.trim();
  }

  // The audit log

  /**
   * What was done under an operation id, oldest first; empty when nothing was. Throws `usage` for a malformed id.
   *
   * @example
   * ```ts
   * const events = await keyring.operation('provision-4711');
   * console.log(events.map(({ action, keyName }) => `${action} ${keyName}`));
   * ```
   */
  async operation(operationId: string): Promise<AuditEvent[]> {
    text(operationId, 'operation: operationId');
    return this.#store.audit.operation(readOperationId(operationId));
  }

  /**
   * Audit events that match the query, oldest first; with a `limit`, the newest of them.
   *
   * @example
   * ```ts
   * const events = await keyring.auditList({ action: 'key.disable', limit: 20 });
   * console.log(events.map(({ at, keyName, reason }) => ({ at, keyName, reason })));
   * ```
   */
  async auditList(query: AuditQuery = {}): Promise<ChainedEvent[]> {
    check.auditQuery(query, 'auditList: query');
    return this.#store.audit.events(query);
  }

  /**
   * The next audit events after one that was read before, oldest first, at most `query.limit` (1,000) of those that match. `{ seq: 0 }` begins
   * with the first. Throws `anchor_missing` when the log does not contain that row, with its hash if that is given.
   *
   * @example
   * ```ts
   * for (let at: { seq: number; hash?: string | undefined } = { seq: 0 }, more = true; more; ) {
   *   const page = await keyring.auditAfter(at, { limit: 500 });
   *   for (const { seq, action, hash } of page.events) console.log(seq, action, hash);
   *   ({ next: at, more } = page);
   * }
   * ```
   */
  async auditAfter(after: AuditPosition, query: AuditQuery = {}): Promise<AuditPage> {
    check.auditPosition(after, 'auditAfter: after');
    check.auditQuery(query, 'auditAfter: query');
    const { limit = 1000, ...conditions } = query;
    return this.#store.audit.page(after, conditions, limit);
  }

  /**
   * Hands over the audit events after one that was read before, and then each new one, once and in order, until the signal is aborted. Waits
   * for `take` before it goes on. Throws `anchor_missing` when the log does not contain the last row any more, and what {@link auditAfter}
   * throws the first time; later a store that does not answer is asked again.
   *
   * @example
   * ```ts
   * const ending = new AbortController();
   * await keyring.auditFollow(
   *   { seq: 0 },
   *   (events) => {
   *     for (const event of events) console.log(JSON.stringify(event));
   *     ending.abort(); // in a server: when it stops
   *   },
   *   { signal: ending.signal },
   * );
   * ```
   */
  async auditFollow(
    after: AuditPosition,
    take: (events: readonly ChainedEvent[]) => unknown,
    options: FollowOptions = {},
  ): Promise<void> {
    check.auditPosition(after, 'auditFollow: after');
    callback(take, 'auditFollow: take');
    check.followOptions(options, 'auditFollow: options');
    return followAudit(this.#store, after, take, options);
  }

  /**
   * The key id that `ref` names; also that of a deleted key, by its id or by a name that it had, and that of a key by a former name. Throws
   * what {@link show} throws.
   *
   * @example
   * ```ts
   * const keyId = await keyring.auditKeyId('partner');
   * console.log(await keyring.auditList({ keyId }));
   * ```
   */
  async auditKeyId(ref: string): Promise<string> {
    text(ref, 'auditKeyId: ref');
    try {
      return (await this.show(ref)).id;
    } catch (error) {
      const id = wholeId(ref) ?? readTypedId(ref);
      if (!isKeysError(error, 'not_found')) throw error;
      if (isKeyId(id)) return id;
      const former = await formerKey(this.#store, ref);
      if (former === null) throw error;
      return former;
    }
  }

  /**
   * The last row of the audit log. Note it elsewhere, and pass it to {@link auditVerify} later.
   *
   * @example
   * ```ts
   * const head = await keyring.auditHead();
   * console.log(`${head.seq}:${head.hash}`);
   * ```
   */
  async auditHead(): Promise<AuditHead> {
    return this.#store.audit.head();
  }

  /**
   * The hash of the first row of the audit log, which no two stores share; null when the log is empty.
   *
   * @example
   * ```ts
   * console.log(await keyring.auditBirth());
   * ```
   */
  async auditBirth(): Promise<string | null> {
    const [first] = await this.#store.audit.rows(0, 1);
    return first?.hash ?? null;
  }

  /**
   * Whether the audit log contains a row that was its last one at some time. Quick: the rows before and after it are not checked, as
   * {@link auditVerify} does.
   *
   * @example
   * ```ts
   * const head = await keyring.auditHead();
   * console.log(await keyring.auditContains(head));
   * ```
   */
  async auditContains(head: AuditHead): Promise<boolean> {
    check.auditHead(head, 'auditContains: head');
    if (head.seq === 0) return true;
    const [row] = await this.#store.audit.rows(head.seq - 1, 1);
    return row?.seq === head.seq && row.hash === head.hash;
  }

  /**
   * Signs the end of the audit log with a private key of `audit keygen` or `newSigningKey`. The note goes to somebody else, who checks later with
   * `openSignedHead` that the log still contains it. Throws `usage` for a text that is not such a key.
   *
   * @example
   * ```ts
   * import { newSigningKey, openKeyring, openSignedHead } from 'unlockos-keys';
   *
   * const { privateKey, publicKey } = newSigningKey('example.com/unlockos-keys'); // once; keep the private key in a file of your own
   * const keyring = await openKeyring({ store: './keys.db' });
   * const { note } = await keyring.auditSign(privateKey);
   * console.log(openSignedHead(note, publicKey)?.head.seq);
   * await keyring.close();
   * ```
   */
  async auditSign(privateKey: string): Promise<HeadNote> {
    secretText(privateKey, 'auditSign: privateKey');
    const { NoteSigner } = await import('../domain/signed-note.js');
    const { signAuditHead } = await import('./audit-sign.js');
    return signAuditHead(this.#store, NoteSigner.parse(privateKey, 'auditSign: privateKey'), this.#now());
  }

  /**
   * Checks the chain of the audit log and replays it against the keys and the catalogue. With an `anchor`, a head noted earlier, the log
   * must still contain it. Problems are values. Others may go on changing the store.
   *
   * @example
   * ```ts
   * const { sound, problems } = await keyring.auditVerify();
   * if (!sound) console.error(problems);
   * ```
   */
  async auditVerify(anchor: AuditHead | null = null): Promise<AuditCheck> {
    check.auditAnchor(anchor, 'auditVerify: anchor');
    return checkAudit(this.#store, anchor);
  }

  // The store as a whole

  /**
   * How the secrets of the store's keys are hashed.
   *
   * @example
   * ```ts
   * const { scheme, hashes } = await keyring.storeHash();
   * console.log(scheme, hashes);
   * ```
   */
  async storeHash(): Promise<HashReport> {
    return hashReport(this.#store, this.#mint.peppers);
  }

  /**
   * Sets the scheme of new hashes. Other keys move to it when they are next used. Idempotent. Throws `pepper_missing` for a scheme whose
   * pepper this keyring does not have: it could not check what it hashes.
   *
   * @example
   * ```ts
   * const { changed } = await keyring.setStoreHash('bcrypt');
   * console.log(changed);
   * ```
   */
  async setStoreHash(
    scheme: StoreScheme,
    options: ChangeOptions = {},
  ): Promise<{ scheme: StoreScheme; changed: boolean }> {
    assertStoreScheme(scheme);
    check.changeOptions(options, 'setStoreHash: options');
    this.#mint.peppers.assertFor(scheme);
    return this.#store.settings.setHashScheme(scheme, this.#change(options));
  }

  /**
   * What holds for every new key and every deletion of this store.
   *
   * @example
   * ```ts
   * const { maxLifetime, keepDeleted } = await keyring.storePolicy();
   * console.log(maxLifetime.live, keepDeleted);
   * ```
   */
  async storePolicy(): Promise<StorePolicy> {
    return this.#store.settings.policy();
  }

  /**
   * Changes the policy of the store; what is left out stays, and null means no limit. It applies to keys that are created from then on, whoever
   * makes them. Idempotent. Throws `usage` for what is not a duration; `guarded` where `testOnly` is set, except for the life of test keys.
   *
   * @example
   * ```ts
   * await keyring.setStorePolicy({ maxLifetime: { live: '365d' } });
   * ```
   */
  async setStorePolicy(
    input: PolicyInput,
    options: ChangeOptions = {},
  ): Promise<{ policy: StorePolicy; changed: boolean }> {
    check.policyInput(input, 'setStorePolicy: input');
    check.changeOptions(options, 'setStorePolicy: options');
    if (input.maxLifetime?.live !== undefined || input.keepDeleted !== undefined)
      this.#guard('live', 'what this policy is about');
    return this.#store.settings.setPolicy(input, this.#change(options));
  }

  /**
   * The policy as `setStorePolicy` would make it. Throws as that does.
   *
   * @example
   * ```ts
   * const { keepDeleted } = await keyring.plannedStorePolicy({ maxLifetime: { live: '365d' } });
   * console.log(keepDeleted);
   * ```
   */
  async plannedStorePolicy(input: PolicyInput): Promise<StorePolicy> {
    check.policyInput(input, 'plannedStorePolicy: input');
    return this.#store.settings.plannedPolicy(input);
  }

  /**
   * Checks the database: its integrity, permissions, schema and triggers. Faults are values, one finding for each check.
   *
   * @example
   * ```ts
   * const failed = (await keyring.storeCheck()).filter(({ status }) => status === 'failed');
   * console.log(failed);
   * ```
   */
  async storeCheck(): Promise<Finding[]> {
    return this.#store.check();
  }

  /**
   * The version of the store's schema, and the latest that this package knows.
   *
   * @example
   * ```ts
   * const { version, latest } = await keyring.storeSchema();
   * console.log(version < latest ? 'the next change upgrades the store' : 'up to date');
   * ```
   */
  async storeSchema(): Promise<{ version: number; latest: number }> {
    return this.#store.schema();
  }

  /**
   * Brings an older schema up to date; null when it is. Any change does the same before it, reading never does. A copy of a local store as it
   * was lies beside it. Servers of the version before can go on reading. Throws `store_newer`.
   *
   * @example
   * ```ts
   * const upgrade = await keyring.storeUpgrade();
   * if (upgrade) console.log(`schema ${upgrade.from} became ${upgrade.to}; before: ${upgrade.copy}`);
   * ```
   */
  async storeUpgrade(): Promise<SchemaUpgrade | null> {
    return this.#store.upgrade();
  }

  /**
   * Makes the store of `to`, which must be opened with `receive`, a copy of this one: keys, catalogue, audit log and last-used times; then
   * verifies both. Resumes after an interruption, and can be repeated as long as the target has no changes of its own. `progress` is called
   * with audit rows. Throws `conflict`, `store_corrupt`, or `guarded` for live keys and a target with `testOnly`.
   *
   * @example
   * ```ts
   * const target = await openKeyring({ store: './copy.db', receive: true });
   * const { keys } = await keyring.storeCopy(target, (done, total) => console.log(`${done} of ${total}`));
   * console.log(keys);
   * await target.close();
   * ```
   */
  async storeCopy(to: Keyring, progress?: (done: number, total: number) => void): Promise<CopyResult> {
    if (!reading('storeCopy: to', () => to instanceof Keyring))
      throw new KeysError('usage', 'storeCopy: to must be a keyring that was opened with receive');
    if (progress !== undefined) callback(progress, 'storeCopy: progress');
    if (to.#testOnly)
      for (const keyring of [this, to])
        for (const key of (await keyring.list({ mode: 'live', limit: 1 })).keys) to.#guardKey(key);
    return copyStore(this.#store, to.#store, progress);
  }

  /**
   * Makes an unfinished copy, opened with `receive`, usable as it is, if its log verifies. `finished` is false when it was so before. Run
   * {@link storeCopy} again instead where the source is still there. Throws `store_corrupt`.
   *
   * @example
   * ```ts
   * const copy = await openKeyring({ store: './copy.db', receive: true });
   * await keyring.storeCopy(copy).catch(() => copy.storeFinish()); // the source is gone for good: use what has arrived
   * await copy.close();
   * ```
   */
  async storeFinish(): Promise<{ finished: boolean; head: AuditHead }> {
    return finishCopy(this.#store);
  }

  /**
   * Writes a complete copy of a local store to a new file (0600), consistent even while others write. Throws `conflict` for a file that
   * exists, `usage` for a directory that does not or a remote store.
   *
   * @example
   * ```ts
   * await keyring.storeBackup('./backup.db');
   * ```
   */
  async storeBackup(file: string): Promise<void> {
    filePath(file, 'storeBackup: file');
    return this.#store.backup(file);
  }

  /**
   * Puts a copy of this store, such as a backup, in the place of the local store at `file`. Both its own checks and its audit log must be
   * sound. Safe while servers have the store open: they open the new file within a second. What was there is kept beside it, as `kept`.
   * Throws `store_corrupt`, `store_busy`, `store_foreign`, `unsafe_path`, or `usage` for a remote store.
   *
   * @example
   * ```ts
   * await keyring.storeBackup('./backup.db');
   * const backup = await openKeyring({ store: './backup.db', create: false });
   * const { head, kept } = await backup.storeRestore(keyring.location);
   * console.log(head.seq, kept);
   * await backup.close();
   * ```
   */
  async storeRestore(file: string, options: ChangeOptions = {}): Promise<Replacement> {
    filePath(file, 'storeRestore: file');
    check.changeOptions(options, 'storeRestore: options');
    await assertRestorable(this.#store);
    return this.#store.replace(file, this.#change(options));
  }
}
