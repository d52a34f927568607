import { type ApiKey, nameKey, statusAt } from '../domain/api-key.js';
import { canonicalJson } from '../domain/audit.js';
import type { KeyPatch } from '../domain/key-store.js';
import type { Mode } from '../domain/key-string.js';
import { type Labels, MAX_LABELS } from '../domain/labels.js';
import { DEFAULT_RATE_LIMIT, formatRateLimit, type RateLimit } from '../domain/rate-limit.js';
import { type CatalogueScope, didYouMean } from '../domain/scopes.js';
import { quoted } from '../domain/text.js';
import {
  type Manifest,
  type ManifestKey,
  OWN_LABELS,
  OWNER_LABEL,
  PENDING,
  PENDING_LABEL,
  type Place,
  type Problem,
} from './manifest.js';
import { manifestError } from './parse.js';

/** What of a store a manifest is compared with: the keys that it names, the keys that carry its name, and the catalogue. */
export interface Present {
  readonly keys: readonly ApiKey[];
  readonly catalogue: readonly CatalogueScope[];
}

export interface PlanOptions {
  readonly now: Date;
  /** Take in keys of the same name that no manifest owns. */
  readonly adopt?: boolean | undefined;
  /** Disable, later delete, what the manifest owns and does not name any more; retire scopes that it does not list. */
  readonly prune?: boolean | undefined;
  /** For new keys of which the manifest does not say it. */
  readonly defaults?: { readonly rateLimit?: RateLimit | undefined; readonly expiresAt?: Date | null | undefined };
}

/** Everything about a key that is to be made. */
export interface Wanted {
  readonly name: string;
  readonly description: string | null;
  readonly mode: Mode;
  readonly scopes: readonly string[];
  readonly rateLimit: RateLimit;
  readonly expiresAt: Date | null;
  readonly labels: Labels;
}

/** The fields in which something differs, as it is and as it shall be. */
export type Changes = Readonly<Record<string, { readonly before: unknown; readonly after: unknown }>>;

/** One atomic change. */
export type Step =
  | { readonly action: 'add-scope'; readonly scope: string; readonly label: string | null }
  | { readonly action: 'edit'; readonly key: ApiKey; readonly patch: KeyPatch; readonly adopts: boolean }
  | { readonly action: 'enable'; readonly key: ApiKey }
  | { readonly action: 'create'; readonly wanted: Wanted }
  /** A key whose key string reached nobody, and a new one in its place. */
  | { readonly action: 'replace'; readonly key: ApiKey; readonly wanted: Wanted }
  | {
      readonly action: 'rotate';
      readonly key: ApiKey;
      readonly scopes: readonly string[];
      /** Undefined: as long as the old key was made for. */
      readonly expiresAt: Date | null | undefined;
    }
  /** `key` is null for one that an earlier step makes. */
  | { readonly action: 'disable'; readonly key: ApiKey | null; readonly name: string; readonly pruned: boolean }
  | { readonly action: 'delete'; readonly key: ApiKey }
  | { readonly action: 'retire-scope'; readonly scope: string };

export type Action = Step['action'];

/** The order in which steps are taken: what later ones stand on comes first, what cannot be undone last. */
export const ACTIONS: readonly Action[] = [
  'add-scope',
  'edit',
  'enable',
  'create',
  'replace',
  'rotate',
  'disable',
  'delete',
  'retire-scope',
];

export interface Plan {
  readonly manifest: string;
  /** In the order in which they are taken; none: everything is as the manifest says. */
  readonly steps: readonly Step[];
  /** What the manifest leaves as it is, and somebody may want to know of. */
  readonly notes: readonly string[];
}

/** The name of the key, or the scope. */
export function nameOf(step: Step): string {
  switch (step.action) {
    case 'add-scope':
    case 'retire-scope':
      return step.scope;
    case 'create':
      return step.wanted.name;
    case 'disable':
      return step.name;
    default:
      return step.key.name;
  }
}

/** The key that a step is about; null for one that is not there yet, and for scopes. */
export function keyOf(step: Step): ApiKey | null {
  return 'key' in step ? step.key : null;
}

export function modeOf(step: Step): Mode | null {
  return 'wanted' in step ? step.wanted.mode : (keyOf(step)?.mode ?? null);
}

/** True for a step by which a key string comes into being. */
export function makesKey(step: Step): step is Extract<Step, { action: 'create' | 'replace' | 'rotate' }> {
  return step.action === 'create' || step.action === 'replace' || step.action === 'rotate';
}

/** The fields that a step changes, in the form of JSON output. */
export function changesOf(step: Step): Changes {
  switch (step.action) {
    case 'add-scope':
      return { scope: { before: null, after: step.scope } };
    case 'retire-scope':
      return { retired: { before: false, after: true } };
    case 'edit':
      return difference(fieldsOf(step.key), fieldsOf({ ...step.key, ...defined(step.patch) }));
    case 'enable':
      return { status: { before: 'inactive', after: 'active' } };
    case 'disable':
      return { status: { before: 'active', after: 'inactive' } };
    case 'create':
      return difference({}, fieldsOf(step.wanted));
    case 'replace':
      return difference(fieldsOf(step.key), fieldsOf(step.wanted));
    case 'rotate': {
      const { key, scopes, expiresAt = key.expiresAt } = step;
      return difference(fieldsOf(key), fieldsOf({ ...key, scopes, expiresAt }));
    }
    case 'delete':
      return { name: { before: step.key.name, after: null } };
  }
}

function defined(patch: KeyPatch): Partial<Wanted> {
  return Object.fromEntries(Object.entries(patch).filter(([, value]) => value !== undefined));
}

function fieldsOf(key: Wanted): Record<string, unknown> {
  const { [PENDING_LABEL]: _, ...labels } = key.labels;
  return {
    description: key.description,
    mode: key.mode,
    scopes: key.scopes,
    rateLimit: formatRateLimit(key.rateLimit),
    expiresAt: key.expiresAt?.toISOString() ?? null,
    labels,
  };
}

function difference(before: Record<string, unknown>, after: Record<string, unknown>): Changes {
  const changed = Object.keys(after).filter(
    (field) => canonicalJson(before[field] ?? null) !== canonicalJson(after[field]),
  );
  return Object.fromEntries(
    changed.map((field) => [field, { before: before[field] ?? null, after: after[field] ?? null }]),
  );
}

function sameSet(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((each) => b.includes(each));
}

/** True for a key whose key string was made and, as far as anybody can know, never handed out. */
function isPending(key: ApiKey): boolean {
  return key.labels[PENDING_LABEL] === PENDING && key.lastUsedAt === null;
}

class Planner {
  readonly steps: Step[] = [];
  readonly notes: string[] = [];
  readonly usage: Problem[] = [];
  readonly conflicts: Problem[] = [];
  readonly #manifest: Manifest;
  readonly #present: Present;
  readonly #options: PlanOptions;
  readonly #byName: ReadonlyMap<string, ApiKey>;

  constructor(manifest: Manifest, present: Present, options: PlanOptions) {
    this.#manifest = manifest;
    this.#present = present;
    this.#options = options;
    this.#byName = new Map(present.keys.map((key) => [nameKey(key.name), key]));
  }

  #conflict(place: Place, what: string, advice: string): void {
    this.conflicts.push({ place, what, advice });
  }

  catalogue(): void {
    for (const { scope, label, place } of this.#manifest.scopes ?? []) {
      const known = this.#present.catalogue.find((entry) => entry.scope === scope);
      if (known?.retired)
        this.usage.push({ place, what: `scope ${quoted(scope)} is retired for good`, advice: 'take it out' });
      if (!known) this.steps.push({ action: 'add-scope', scope, label });
    }
  }

  key(wanted: ManifestKey): void {
    const key = this.#byName.get(nameKey(wanted.name));
    if (!key) this.#create(wanted, null);
    else if (this.#isOurs(wanted, key)) this.#bring(wanted, key);
  }

  /** Notes why not, where the key is somebody else's. */
  #isOurs({ name, place }: ManifestKey, key: ApiKey): boolean {
    const owner = key.labels[OWNER_LABEL];
    if (owner === this.#manifest.name || (owner === undefined && this.#options.adopt)) return true;
    if (owner === undefined)
      this.#conflict(
        place,
        `a key named ${quoted(key.name)} exists (${key.id}), and no manifest made it`,
        'choose another name, or take it in with --adopt',
      );
    else
      this.#conflict(
        place,
        `key ${quoted(name)} (${key.id}) belongs to manifest ${quoted(owner)}`,
        'choose another name, or take it out of that one first',
      );
    return false;
  }

  /** What it takes to have a key as it is wanted. */
  #bring(wanted: ManifestKey, key: ApiKey): void {
    if (key.labels[OWNER_LABEL] !== undefined && isPending(key)) this.#create(wanted, key);
    else if (key.mode !== wanted.mode)
      this.#conflict(
        wanted.place,
        `key ${quoted(key.name)} (${key.id}) is a ${key.mode} key, and the mode never changes`,
        `choose another name for the ${wanted.mode} key`,
      );
    else {
      this.#edit(wanted, key);
      if (!this.#rotate(wanted, key)) this.#remark(wanted, key);
      if (wanted.disabled === false && key.status === 'inactive') this.steps.push({ action: 'enable', key });
      if (wanted.disabled === true && key.status === 'active')
        this.steps.push({ action: 'disable', key, name: key.name, pruned: false });
    }
  }

  #labels(wanted: ManifestKey, before: Labels): Labels {
    const { [PENDING_LABEL]: _, ...kept } = wanted.labels ?? before;
    return { ...kept, [OWNER_LABEL]: this.#manifest.name };
  }

  #edit(wanted: ManifestKey, key: ApiKey): void {
    const adopts = key.labels[OWNER_LABEL] === undefined;
    const { description, rateLimit } = wanted;
    const labels = this.#labels(wanted, key.labels);
    if (Object.keys(labels).length > MAX_LABELS - 1)
      this.#conflict(
        wanted.place,
        `key ${quoted(key.name)} (${key.id}) has too many labels for apply to set its own`,
        `write ${MAX_LABELS - OWN_LABELS.length} of them under labels: those stay`,
      );
    const patch: KeyPatch = {
      ...(description !== undefined && description !== key.description && { description }),
      ...(rateLimit !== undefined && formatRateLimit(rateLimit) !== formatRateLimit(key.rateLimit) && { rateLimit }),
      ...(canonicalJson(labels) !== canonicalJson(key.labels) && { labels }),
    };
    if (Object.keys(patch).length > 0) this.steps.push({ action: 'edit', key, patch, adopts });
  }

  /** Scopes and an expiry that differ: both are fixed when a key is made, so another takes its place. True where they differ. */
  #rotate(wanted: ManifestKey, key: ApiKey): boolean {
    const { name, place, expiry } = wanted;
    const scopes = wanted.scopes.map(({ scope }) => scope);
    const differ = [
      ...(sameSet(scopes, key.scopes) ? [] : ['scopes']),
      ...(expiry && 'at' in expiry && expiry.at?.getTime() !== key.expiresAt?.getTime() ? ['expiry'] : []),
    ];
    if (differ.length === 0) return false;
    if (wanted.disabled === true || key.status === 'inactive') {
      this.#conflict(
        place,
        `key ${quoted(name)} (${key.id}) ${key.status === 'inactive' ? 'is inactive' : 'is to be disabled'} and has another ${differ.join(' and ')}, which only a new, active key could take`,
        `enable it first as it is, or delete it: unlockos-keys delete ${key.id}`,
      );
      return true;
    }
    if (key.rotatedTo !== null) {
      this.#conflict(
        place,
        `key ${quoted(name)} (${key.id}) was rotated already, to ${key.rotatedTo}`,
        `give that one its name: unlockos-keys edit ${key.rotatedTo} --name …`,
      );
      return true;
    }
    this.#openScopes(wanted);
    this.steps.push({ action: 'rotate', key, scopes, expiresAt: this.#expiry(wanted) });
    return true;
  }

  #create(wanted: ManifestKey, replaced: ApiKey | null): void {
    const { name, description = replaced?.description ?? null, mode } = wanted;
    const { defaults, now } = this.#options;
    const inherited = replaced?.expiresAt && replaced.expiresAt > now ? replaced.expiresAt : null;
    const fallback = replaced ? inherited : (defaults?.expiresAt ?? null);
    this.#openScopes(wanted);
    const expiresAt = this.#expiry(wanted);
    const made: Wanted = {
      name,
      description,
      mode,
      scopes: wanted.scopes.map(({ scope }) => scope),
      rateLimit: wanted.rateLimit ?? replaced?.rateLimit ?? defaults?.rateLimit ?? DEFAULT_RATE_LIMIT,
      expiresAt: expiresAt === undefined ? fallback : expiresAt,
      labels: this.#labels(wanted, replaced?.labels ?? {}),
    };
    this.steps.push(replaced ? { action: 'replace', key: replaced, wanted: made } : { action: 'create', wanted: made });
    if (wanted.disabled === true) this.steps.push({ action: 'disable', key: null, name, pruned: false });
  }

  /** When a key that is made now expires; undefined where the manifest does not say. */
  #expiry({ expiry }: ManifestKey): Date | null | undefined {
    const { now } = this.#options;
    if (!expiry) return undefined;
    if ('after' in expiry) return expiry.after === null ? null : new Date(now.getTime() + expiry.after);
    if (expiry.at !== null && expiry.at <= now)
      this.usage.push({
        place: expiry.place,
        what: `${expiry.at.toISOString()} has passed: the new key could not be used`,
        advice: 'write a later expiresAt',
      });
    return expiry.at;
  }

  /** Notes each scope that a new key cannot take. */
  #openScopes({ scopes }: ManifestKey): void {
    const added = this.#manifest.scopes ?? [];
    const { catalogue } = this.#present;
    for (const { scope, place } of scopes) {
      const known = catalogue.find((entry) => entry.scope === scope);
      if (known ? !known.retired : added.some((entry) => entry.scope === scope)) continue;
      const open = catalogue.filter(({ retired }) => !retired).map((entry) => entry.scope);
      const guess = didYouMean(scope, [...open, ...added.map((entry) => entry.scope)]);
      this.usage.push(
        known
          ? { place, what: `scope ${quoted(scope)} is retired`, advice: 'no new key can take it: take it out' }
          : {
              place,
              what: `scope ${quoted(scope)} is not in the catalogue${guess ? `, did you mean ${guess}?` : ''}`,
              advice: 'write one that is (unlockos-keys scopes list), or add it under scopes',
            },
      );
    }
  }

  #remark({ disabled }: ManifestKey, key: ApiKey): void {
    const { now } = this.#options;
    if (key.status === 'inactive' && disabled === undefined)
      this.notes.push(`${quoted(key.name)} (${key.id}) is inactive and stays so; disabled: false would enable it`);
    if (statusAt(key, now) === 'expired')
      this.notes.push(
        `${quoted(key.name)} (${key.id}) expired ${key.expiresAt?.toISOString()}; unlockos-keys rotate ${key.id} renews it`,
      );
  }

  /** Keys of this manifest that it does not name any more: what works is disabled, what does not is deleted. */
  prune(): void {
    const { keys, name, scopes } = this.#manifest;
    const { now } = this.#options;
    const named = new Set(keys.map((key) => nameKey(key.name)));
    for (const key of this.#present.keys) {
      if (key.labels[OWNER_LABEL] !== name || named.has(nameKey(key.name))) continue;
      const works = statusAt(key, now) === 'active';
      if (works && key.rotatedTo !== null)
        this.notes.push(
          `${quoted(key.name)} (${key.id}) is not pruned: it was rotated, and works until ${key.expiresAt?.toISOString()}`,
        );
      else if (works) this.steps.push({ action: 'disable', key, name: key.name, pruned: true });
      else this.steps.push({ action: 'delete', key });
    }
    if (scopes === null) return;
    const listed = new Set([
      ...scopes.map(({ scope }) => scope),
      ...keys.flatMap((key) => key.scopes.map(({ scope }) => scope)),
    ]);
    for (const { scope, retired } of this.#present.catalogue)
      if (!retired && !listed.has(scope)) this.steps.push({ action: 'retire-scope', scope });
  }
}

/**
 * Works out what must be done for a store to be as a manifest says. Pure: the same answer for the same store, and no steps where there
 * is nothing to do. Throws `usage` for what no store could do (a scope that is none) and `conflict` for keys that stand in the way,
 * each naming all of them by line and column.
 */
export function planManifest(manifest: Manifest, present: Present, options: PlanOptions): Plan {
  const planner = new Planner(manifest, present, options);
  planner.catalogue();
  for (const key of manifest.keys) planner.key(key);
  if (options.prune) planner.prune();
  const { usage, conflicts, steps, notes } = planner;
  if (usage.length + conflicts.length > 0)
    throw manifestError(manifest.source, [...usage, ...conflicts], usage.length > 0 ? 'usage' : 'conflict');
  const inOrder = ACTIONS.flatMap((action) => steps.filter((step) => step.action === action));
  return { manifest: manifest.name, steps: inOrder, notes };
}
