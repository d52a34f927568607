import { type ApiKey, isUndelivered, statusAt } from '../domain/api-key.js';
import { canonicalJson } from '../domain/audit.js';
import { nameKey } from '../domain/key-name.js';
import type { KeyPatch } from '../domain/key-store.js';
import { type Labels, MAX_LABELS } from '../domain/labels.js';
import { DEFAULT_POLICY, type StorePolicy, withinLifetime } from '../domain/policy.js';
import { DEFAULT_RATE_LIMIT, formatRateLimit, type RateLimit, readRateLimit } from '../domain/rate-limit.js';
import type { CatalogueScope } from '../domain/scopes.js';
import { quoted } from '../domain/text.js';
import {
  type Manifest,
  type ManifestKey,
  manifestError,
  OWN_LABELS,
  OWNER_LABEL,
  PENDING_LABEL,
  type Place,
  type Problem,
} from './manifest.js';
import { NewKeyChecks } from './new-key.js';
import { planPrune } from './prune.js';
import { ScopeLookup } from './scope-lookup.js';
import { ACTIONS, type DesiredKey, type Step } from './steps.js';

/** The part of a store that a manifest is compared with: the keys that it names, the keys that it owns, the catalogue, and the policy. */
export interface CurrentState {
  readonly keys: readonly ApiKey[];
  readonly catalogue: readonly CatalogueScope[];
  /** Default: that of a store that was given none. */
  readonly policy?: StorePolicy | undefined;
}

export interface PlanOptions {
  readonly now: Date;
  /** Take over keys of the same name that no manifest owns. Default: such a key is a conflict. */
  readonly adopt?: boolean | undefined;
  /** Take over keys of the same name from the manifest of this name, too. Default: such a key is a conflict. */
  readonly adoptFrom?: string | undefined;
  /** Disable, and in a later run delete, keys that the manifest owns and no longer names; retire scopes that it does not list. */
  readonly prune?: boolean | undefined;
  /** For fields of new keys that the manifest does not set. */
  readonly defaults?:
    | { readonly rateLimit?: RateLimit | string | undefined; readonly expiresAt?: Date | null | undefined }
    | undefined;
}

export interface Plan {
  /** The name of the manifest. */
  readonly manifest: string;
  /** In the order in which they are taken. Empty: the store is as the manifest says. */
  readonly steps: readonly Step[];
  /** What the manifest leaves as it is, for people to know. */
  readonly notes: readonly string[];
}

function isSameSet(a: readonly string[], b: readonly string[]): boolean {
  const members = new Set(b);
  return a.length === b.length && a.every((each) => members.has(each));
}

class Planner {
  readonly steps: Step[] = [];
  readonly notes: string[] = [];
  readonly usage: Problem[] = [];
  readonly conflicts: Problem[] = [];
  readonly #manifest: Manifest;
  readonly #options: PlanOptions;
  readonly #byName: ReadonlyMap<string, ApiKey>;
  readonly #scopes: ScopeLookup;
  readonly #policy: StorePolicy;
  readonly #newKey: NewKeyChecks;

  constructor(manifest: Manifest, current: CurrentState, options: PlanOptions) {
    this.#manifest = manifest;
    this.#options = options;
    this.#policy = current.policy ?? DEFAULT_POLICY;
    this.#byName = new Map(current.keys.map((key) => [nameKey(key.name), key]));
    this.#scopes = new ScopeLookup(
      current.catalogue,
      (manifest.scopes ?? []).map(({ scope }) => scope),
    );
    this.#newKey = new NewKeyChecks(this.#scopes, this.#policy, options.now, this.usage);
  }

  #conflict(place: Place, what: string, advice: string): void {
    this.conflicts.push({ place, what, advice });
  }

  catalogue(): void {
    for (const { scope, label, place } of this.#manifest.scopes ?? []) {
      if (this.#scopes.isRetired(scope))
        this.usage.push({
          place,
          what: `scope ${quoted(scope)} is retired, and cannot be added again`,
          advice: 'remove it',
        });
      else if (!this.#scopes.isInCatalogue(scope)) this.steps.push({ action: 'add-scope', scope, label });
    }
  }

  key(entry: ManifestKey): void {
    const key = this.#byName.get(nameKey(entry.name));
    if (!key) this.#create(entry, null);
    else if (this.#mayChange(entry, key)) this.#change(entry, key);
  }

  /** Notes a conflict for a key that belongs to someone else. */
  #mayChange({ name, place }: ManifestKey, key: ApiKey): boolean {
    const owner = key.labels[OWNER_LABEL];
    const { adopt, adoptFrom } = this.#options;
    if (owner === this.#manifest.name || (owner === undefined ? adopt : owner === adoptFrom)) return true;
    if (owner === undefined)
      this.#conflict(
        place,
        `a key named ${quoted(key.name)} exists (${key.id}), and no manifest created it`,
        'choose another name, or pass --adopt to take it over',
      );
    else
      this.#conflict(
        place,
        `key ${quoted(name)} (${key.id}) belongs to manifest ${quoted(owner)}`,
        `choose another name, or remove it from that manifest and move it here: --adopt-from ${owner}`,
      );
    return false;
  }

  /** The steps that make an existing key what the manifest says. */
  #change(entry: ManifestKey, key: ApiKey): void {
    if (key.labels[OWNER_LABEL] !== undefined && isUndelivered(key)) this.#create(entry, key);
    else if (key.mode !== entry.mode)
      this.#conflict(
        entry.place,
        `key ${quoted(key.name)} (${key.id}) is a ${key.mode} key, and the mode of a key cannot be changed`,
        `choose another name for the ${entry.mode} key`,
      );
    else {
      this.#edit(entry, key);
      if (!this.#rotate(entry, key)) this.#remark(entry, key);
      if (entry.disabled === false && key.status === 'inactive') this.steps.push({ action: 'enable', key });
      if (entry.disabled === true && key.status === 'active')
        this.steps.push({ action: 'disable', key, name: key.name, pruned: false });
    }
  }

  #labels(entry: ManifestKey, before: Labels): Labels {
    const { [PENDING_LABEL]: _, ...kept } = entry.labels ?? before;
    return { ...kept, [OWNER_LABEL]: this.#manifest.name };
  }

  #edit(entry: ManifestKey, key: ApiKey): void {
    const adopts = key.labels[OWNER_LABEL] !== this.#manifest.name;
    const { name, description, rateLimit, allowFrom } = entry;
    const labels = this.#labels(entry, key.labels);
    if (Object.keys(labels).length > MAX_LABELS - 1)
      this.#conflict(
        entry.place,
        `key ${quoted(key.name)} (${key.id}) has too many labels for apply to add its own`,
        `list at most ${MAX_LABELS - OWN_LABELS.length} of them under labels: the others are removed`,
      );
    const patch: KeyPatch = {
      ...(name.normalize('NFC') !== key.name && { name }), // the same name in other letter case
      ...(description !== undefined && description !== key.description && { description }),
      ...(rateLimit !== undefined && formatRateLimit(rateLimit) !== formatRateLimit(key.rateLimit) && { rateLimit }),
      ...(canonicalJson(labels) !== canonicalJson(key.labels) && { labels }),
      ...(allowFrom !== undefined && allowFrom.join() !== key.allowFrom.join() && { allowFrom }),
    };
    if (Object.keys(patch).length > 0) this.steps.push({ action: 'edit', key, patch, adopts });
  }

  /** Scopes and expiry are fixed when a key is created, so a key that differs in them is rotated. True where they differ. */
  #rotate(entry: ManifestKey, key: ApiKey): boolean {
    const scopes = entry.scopes.map(({ scope }) => scope);
    const different = [
      ...(isSameSet(scopes, key.scopes) ? [] : ['scopes']),
      ...(this.#wantsExpiry(entry, key) ? ['expiry'] : []),
    ];
    if (different.length === 0) return false;
    if (this.#mayRotate(entry, key, different)) {
      this.#newKey.scopes(entry);
      this.steps.push({ action: 'rotate', key, scopes, expiresAt: this.#newKey.expiry(entry) });
    }
    return true;
  }

  /** True where the manifest gives another expiry that a new key could have. A time that has passed changes nothing. */
  #wantsExpiry({ expiry }: ManifestKey, key: ApiKey): boolean {
    if (!expiry || !('at' in expiry) || expiry.at?.getTime() === key.expiresAt?.getTime()) return false;
    if (expiry.at === null || expiry.at > this.#options.now) return true;
    this.notes.push(
      `${quoted(key.name)} (${key.id}) does not expire at ${expiry.at.toISOString()}, which has passed; write a later expiresAt`,
    );
    return false;
  }

  #mayRotate({ name, place, disabled }: ManifestKey, key: ApiKey, different: readonly string[]): boolean {
    if (disabled === true || key.status === 'inactive') {
      const state = key.status === 'inactive' ? 'is inactive' : 'is to be disabled';
      this.#conflict(
        place,
        `key ${quoted(name)} (${key.id}) ${state}, and its ${different.join(' and ')} can only change by rotation, which needs an active key`,
        `enable it as it is first, or delete it: unlockos-keys delete ${key.id}`,
      );
      return false;
    }
    if (key.rotatedTo !== null) {
      this.#conflict(
        place,
        `key ${quoted(name)} (${key.id}) was already rotated, to ${key.rotatedTo}`,
        `give the new key its name: unlockos-keys edit ${key.rotatedTo} --name …`,
      );
      return false;
    }
    return true;
  }

  #create(entry: ManifestKey, replaced: ApiKey | null): void {
    const { name, description = replaced?.description ?? null, mode } = entry;
    const { defaults, now } = this.#options;
    const inherited = replaced?.expiresAt && replaced.expiresAt > now ? replaced.expiresAt : null;
    const fallback = replaced ? inherited : (defaults?.expiresAt ?? null);
    if (!replaced) this.#newKey.name(entry);
    this.#newKey.scopes(entry);
    const expiresAt = this.#newKey.expiry(entry);
    const within = (at: Date | null) => withinLifetime(this.#policy, mode, at, now);
    const desired: DesiredKey = {
      name,
      description,
      mode,
      scopes: entry.scopes.map(({ scope }) => scope),
      rateLimit: readRateLimit(entry.rateLimit ?? replaced?.rateLimit ?? defaults?.rateLimit ?? DEFAULT_RATE_LIMIT),
      expiresAt: expiresAt === undefined ? within(fallback) : expiresAt,
      labels: this.#labels(entry, replaced?.labels ?? {}),
      allowFrom: entry.allowFrom ?? replaced?.allowFrom ?? [],
    };
    this.steps.push(replaced ? { action: 'replace', key: replaced, desired } : { action: 'create', desired });
    if (entry.disabled === true) this.steps.push({ action: 'disable', key: null, name, pruned: false });
  }

  #remark({ disabled, expiry }: ManifestKey, key: ApiKey): void {
    const { now } = this.#options;
    if (key.status === 'inactive' && disabled === undefined)
      this.notes.push(
        `${quoted(key.name)} (${key.id}) is inactive and stays inactive; disabled: false would enable it`,
      );
    if (statusAt(key, now) === 'expired')
      this.notes.push(
        `${quoted(key.name)} (${key.id}) expired ${key.expiresAt?.toISOString()}; to renew it, ${
          expiry && 'at' in expiry ? 'write a later expiresAt' : `run unlockos-keys rotate ${key.id}`
        }`,
      );
  }
}

/**
 * Works out the steps that make a store what a manifest says. Pure: the same answer for the same state, and no steps where nothing has to
 * change. Throws `usage` for what no store could do (a scope that does not exist) and `conflict` for keys that are in the way; the
 * error names all of them by line and column.
 */
export function planManifest(manifest: Manifest, current: CurrentState, options: PlanOptions): Plan {
  const planner = new Planner(manifest, current, options);
  planner.catalogue();
  for (const key of manifest.keys) planner.key(key);
  const pruned = options.prune ? planPrune(manifest, current, options.now) : { steps: [], notes: [] };
  const { usage, conflicts } = planner;
  if (usage.length + conflicts.length > 0)
    throw manifestError(manifest.source, [...usage, ...conflicts], usage.length > 0 ? 'usage' : 'conflict');
  const steps = [...planner.steps, ...pruned.steps];
  const inOrder = ACTIONS.flatMap((action) => steps.filter((step) => step.action === action));
  return { manifest: manifest.name, steps: inOrder, notes: [...planner.notes, ...pruned.notes] };
}
