import { normalizeNetworks } from '../domain/addresses.js';
import { type ApiKey, isUndelivered } from '../domain/api-key.js';
import type { Change } from '../domain/change.js';
import { isKeysError, KeysError } from '../domain/errors.js';
import { readExpiry } from '../domain/expiry.js';
import { assertNewName, nameKey, readDescription, readName } from '../domain/key-name.js';
import type { IfExists, KeyStore, OnNamesake, Prospect } from '../domain/key-store.js';
import type { Mode } from '../domain/key-string.js';
import { type Labels, normalizeLabels } from '../domain/labels.js';
import { assertLifetime, lastExpiry } from '../domain/policy.js';
import { DEFAULT_RATE_LIMIT, type RateLimit, readRateLimit } from '../domain/rate-limit.js';
import type { ScopeChange } from '../domain/scope-change.js';
import { resolveScopes } from '../domain/scopes.js';
import type { StoreScheme } from '../domain/secret-hash.js';
import { quoted } from '../domain/text.js';
import type { Claim } from './claim.js';
import { EarlierRun } from './earlier-run.js';
import { type CompleteInput, type Mint, mintKeys } from './minting.js';
import { assertAlike, givesWay, nameTaken, sameScopes } from './namesakes.js';

/** A key to create. */
export interface CreateInput {
  /** 1 to 64 characters, beginning with a letter or a digit. Unique in the store, whatever its case. */
  readonly name: string;
  /** Up to 500 characters on one line. Default: none. */
  readonly description?: string | null | undefined;
  /** Which environment the key works in. It never changes. */
  readonly mode: Mode;
  /** At least one. `category:*` is expanded to the scopes of that category that exist now; scopes added later are not included. */
  readonly scopes: readonly string[];
  /** A text such as `600/m`, or the limit and its window: at most 100,000 requests per second. Default: 600 requests per minute. */
  readonly rateLimit?: RateLimit | string | undefined;
  /** When the key stops working, as on the command line: `90d`, `2027-01-31`, `never`. Default: the longest that the store's policy allows. */
  readonly expires?: string | undefined;
  /** When the key stops working, instead of `expires`; null for never. */
  readonly expiresAt?: Date | null | undefined;
  /** Up to 32. Default: none. */
  readonly labels?: Labels | undefined;
  /** The IP addresses and networks that the key works from, such as `10.0.0.0/8`, at most 64. Default: it works from everywhere. */
  readonly allowFrom?: readonly string[] | undefined;
}

/** How keys are created. */
export interface CreateOptions {
  /** What to do when a key has the name already: `fail`, `skip` (keep that key) or `replace` (delete it). Default: `fail`. */
  readonly ifExists?: IfExists | undefined;
  /** 8 to 64 letters, digits, `-` or `_`. Pass the same id again to repeat a run whose outcome you do not know. Default: a random one. */
  readonly operationId?: string | undefined;
  /** Called with the number of secrets hashed so far. */
  readonly progress?: ((done: number) => void) | undefined;
}

/** What `create` would do, as of now. `make` carries it out, and throws `conflict` when the store has changed since. */
export interface CreatePlan {
  /** Complete: names normalised, scopes expanded, defaults filled in. */
  readonly inputs: readonly CompleteInput[];
  readonly ifExists: IfExists;
  /** The operation id to write under; null for a random one. */
  readonly operation: string | null;
  /** Keys that will be deleted for a new one of the same name, because of `ifExists`. */
  readonly replaced: readonly ApiKey[];
  /** Keys that an earlier run created and did not hand out. They will be replaced as well, whatever `ifExists` says. */
  readonly unfinished: readonly ApiKey[];
  /** Keys that stay as they are, because of `ifExists`. Nothing is created for them. */
  readonly kept: readonly ApiKey[];
  /** How the new keys will be hashed. */
  readonly scheme: StoreScheme;
}

/** A key that was created, with the only copy of its key string that will ever exist. */
export interface CreatedKey {
  readonly key: ApiKey;
  /** Null when nothing was created because the name existed (`ifExists: 'skip'`). */
  readonly keyString: string | null;
  /** The key of the same name that was deleted for this one. */
  readonly replaced: ApiKey | null;
  /** How its scopes differ from those of the key that it was to be like. Null where they do not, or where it was like none. */
  readonly scopeChange: ScopeChange | null;
}

/** 60-bit ids hardly ever collide; two writers may race for a name. */
const ATTEMPTS = 3;

/** A key to create, whatever it was to be like. */
type FullInput = CreateInput & Pick<CompleteInput, 'scopeChange'>;

function uniqueNames(inputs: readonly FullInput[]): FullInput[] {
  const seen = new Set<string>();
  return inputs.map((input) => {
    const name = readName(input.name);
    if (seen.has(nameKey(name)))
      throw new KeysError('usage', `the name ${quoted(name)} is given twice`, 'names are unique, whatever their case');
    seen.add(nameKey(name));
    return { ...input, name };
  });
}

/** The keys that an earlier run of this operation created and did not hand out. Throws `conflict` where they cannot be replaced. */
async function unfinishedKeys(
  store: KeyStore,
  run: EarlierRun,
  inputs: readonly CompleteInput[],
  namesakes: readonly ApiKey[],
  now: Date,
): Promise<ApiKey[]> {
  const { created } = run;
  if (created.length === 0) throw run.refusal();
  const keys: ApiKey[] = [];
  for (const event of created) {
    const after = (event.after ?? {}) as { mode?: string; scopes?: string[] };
    const input = inputs.find(({ name }) => nameKey(name) === nameKey(event.keyName ?? ''));
    if (!input || input.mode !== after.mode || !sameScopes(input.scopes, after.scopes ?? []))
      throw run.refusal(`it created ${quoted(event.keyName ?? '')}, and this is another request`);
    const key = namesakes.find(({ id }) => id === event.keyId);
    if (!key) throw run.refusal(`its key ${event.keyId} has been deleted or renamed since`);
    await run.assertNotHandedOut(store, key, event.keyName, now);
    keys.push(key);
  }
  return keys;
}

/** Works out what `create` would do: checks everything, hashes and writes nothing. One read, or a few where a run is repeated. */
export async function planCreation(
  store: KeyStore,
  inputs: readonly FullInput[],
  { ifExists = 'fail', operationId }: CreateOptions,
  now: Date,
  claim?: Claim,
): Promise<CreatePlan> {
  const named = uniqueNames(inputs);
  const prospect = await store.prospect(
    named.map(({ name }) => name),
    operationId ?? null,
  );
  const taken = new Set(prospect.namesakes.map(({ name }) => nameKey(name)));
  const complete = named.map((input) => completed(input, prospect, taken, now));
  const byName = new Map(complete.map((input) => [nameKey(input.name), input]));
  const { operation, namesakes, scheme } = prospect;
  const run = EarlierRun.find(operationId, operation, 'leave --operation-id out to create another key');
  const unfinished = run ? await unfinishedKeys(store, run, complete, namesakes, now) : [];
  const replaced: ApiKey[] = [];
  const kept: ApiKey[] = [];
  for (const existing of namesakes.filter((key) => !unfinished.includes(key))) {
    const wanted = byName.get(nameKey(existing.name));
    if (!wanted) continue;
    if (givesWay(existing, claim)) {
      unfinished.push(existing);
      continue;
    }
    if (ifExists === 'fail') throw nameTaken(existing);
    if (ifExists === 'skip') assertAlike(existing, wanted);
    (ifExists === 'skip' ? kept : replaced).push(existing);
  }
  const id = run?.nextId ?? operationId ?? null;
  return { inputs: complete, ifExists, operation: id, replaced, unfinished, kept, scheme };
}

/** `taken`: the names that keys of the store have, as `nameKey` writes them. */
function completed(
  input: FullInput,
  { catalogue, policy }: Prospect,
  taken: ReadonlySet<string>,
  now: Date,
): CompleteInput {
  if (!taken.has(nameKey(input.name))) assertNewName(input.name);
  const scopes = resolveScopes(input.scopes, catalogue);
  if (scopes.length === 0)
    throw new KeysError('missing_input', 'a key needs at least one scope', 'unlockos-keys scopes list shows them all');
  const given = readExpiry(input, now);
  const expiresAt = given === undefined ? lastExpiry(policy, input.mode, now) : given;
  assertLifetime(policy, { ...input, expiresAt }, now);
  return {
    name: input.name,
    mode: input.mode,
    scopes,
    description: readDescription(input.description ?? ''),
    rateLimit: readRateLimit(input.rateLimit ?? DEFAULT_RATE_LIMIT),
    expiresAt,
    labels: normalizeLabels(input.labels ?? {}),
    allowFrom: normalizeNetworks(input.allowFrom ?? []),
    scopeChange: input.scopeChange,
  };
}

/** Decides about existing names, under the store's lock, as the plan did. A key that took a name since is neither replaced nor, unlike, kept. */
function namesakeRule({ ifExists, replaced, unfinished }: CreatePlan, guard: (key: ApiKey) => void): OnNamesake {
  return (existing, wanted) => {
    const planned = [...replaced, ...unfinished].find(({ id }) => id === existing.id);
    if (planned && isUndelivered(planned) && !isUndelivered(existing)) return 'refuse'; // delivered meanwhile
    if (planned) {
      guard(existing);
      return 'replace';
    }
    if (ifExists === 'replace')
      throw new KeysError(
        'conflict',
        `a key named ${quoted(existing.name)} has been created meanwhile (${existing.id})`,
        'run the command again',
      );
    if (ifExists !== 'skip') return 'refuse';
    assertAlike(existing, wanted);
    return 'keep';
  };
}

/** What carrying out a plan needs besides the store. */
interface Making {
  readonly mint: Mint;
  readonly change: () => Change;
  /** Throws for a key that must not be replaced; asked about the key that is stored, whatever the plan says of it. */
  readonly guard: (key: ApiKey) => void;
  readonly progress?: ((done: number) => void) | undefined;
}

/** Carries out a plan. When it resolves, the keys are stored and were read back. */
export async function makeKeys(
  store: KeyStore,
  plan: CreatePlan,
  { mint, change, guard, progress }: Making,
): Promise<CreatedKey[]> {
  const keptNames = new Set(plan.kept.map(({ name }) => nameKey(name)));
  const wanted = plan.inputs.filter(({ name }) => !keptNames.has(nameKey(name)));
  for (let attempt = 1; ; attempt++) {
    const minted = await mintKeys(wanted, plan.scheme, mint, progress);
    try {
      const rows = minted.map(({ row }) => row);
      const stored = rows.length === 0 ? [] : await store.create(rows, change(), namesakeRule(plan, guard));
      const made = stored.map(({ key, created, replaced }, i) => ({
        key,
        keyString: created ? (minted[i]?.keyString ?? null) : null,
        replaced,
        scopeChange: (created && wanted[i]?.scopeChange) || null,
      }));
      const kept = plan.kept.map((key) => ({ key, keyString: null, replaced: null, scopeChange: null }));
      const all = [...made, ...kept];
      const byName = new Map(all.map((each) => [nameKey(each.key.name), each]));
      return plan.inputs.flatMap(({ name }) => byName.get(nameKey(name)) ?? []);
    } catch (error) {
      if (!isKeysError(error, 'conflict') || attempt === ATTEMPTS) throw error;
    }
  }
}
