import { type ApiKey, nameKey, readDescription, readName } from '../domain/api-key.js';
import { KeysError } from '../domain/errors.js';
import type { AuditEvent, IfExists, KeyStore, NewKey, OnNamesake, Prospect } from '../domain/key-store.js';
import type { Mode } from '../domain/key-string.js';
import { type Labels, settleLabels } from '../domain/labels.js';
import { DEFAULT_RATE_LIMIT, type RateLimit } from '../domain/rate-limit.js';
import { resolveScopes } from '../domain/scopes.js';
import type { StoreScheme } from '../domain/secret-hash.js';
import { quoted } from '../domain/text.js';
import type { SettledInput } from './minting.js';

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
  readonly labels?: Labels | undefined;
}

export interface CreateOptions {
  readonly ifExists?: IfExists | undefined;
  /** The same again for a run that is repeated because its outcome was unknown. */
  readonly operationId?: string | undefined;
  /** Hears of each secret hashed. */
  readonly progress?: ((done: number) => void) | undefined;
}

/** What `create` is going to do, as of now; `make` carries it out, or refuses when the store has moved on meanwhile. */
export interface CreatePlan {
  /** Settled: names normalised, scopes written out, defaults filled in. */
  readonly inputs: readonly SettledInput[];
  readonly ifExists: IfExists;
  readonly operation: string | null;
  /** Keys that will be deleted for a new one of the same name, because `ifExists` says so. */
  readonly replaced: readonly ApiKey[];
  /** Keys that an earlier run of this operation made and did not hand out: they will be replaced as well. */
  readonly unfinished: readonly ApiKey[];
  /** Keys that stay as they are, nothing being made. */
  readonly kept: readonly ApiKey[];
  /** What the new keys will be hashed by. */
  readonly scheme: StoreScheme;
}

/** Long enough for any pipeline to be run again, too short for a key that somebody put to use meanwhile. */
const FINISH_WITHIN_MS = 86_400_000;

function settleInputs(inputs: readonly CreateInput[]): (CreateInput & { name: string })[] {
  const seen = new Set<string>();
  return inputs.map((input) => {
    const name = readName(input.name);
    if (seen.has(nameKey(name)))
      throw new KeysError('usage', `the name ${quoted(name)} is given twice`, 'names are unique, whatever their case');
    seen.add(nameKey(name));
    return { ...input, name };
  });
}

function sameScopes(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((scope) => b.includes(scope));
}

/** Throws unless a key that is to be kept is what was asked for: a script that wanted a test key must not go on with a live one. */
function assertAlike(existing: ApiKey, wanted: Pick<NewKey, 'mode' | 'scopes'>): void {
  const differs = [
    existing.mode === wanted.mode ? '' : `its mode is ${existing.mode}`,
    sameScopes(existing.scopes, wanted.scopes) ? '' : `its scopes are ${existing.scopes.join(', ')}`,
  ].filter(Boolean);
  if (differs.length > 0)
    throw new KeysError(
      'name_taken',
      `a key named ${quoted(existing.name)} exists (${existing.id}), and is another: ${differs.join('; ')}`,
      'choose another name, or replace it: --if-exists rotate',
    );
}

export function nameTaken(existing: ApiKey): KeysError {
  return new KeysError(
    'name_taken',
    `a key named ${quoted(existing.name)} exists (${existing.id})`,
    `choose another name, or see it: unlockos-keys show ${existing.id}`,
  );
}

function doneBefore(operation: string, why: string): KeysError {
  return new KeysError(
    'conflict',
    `operation ${operation} was already carried out: ${why}`,
    'leave --operation-id out to make another key; unlockos-keys audit list shows what was done',
  );
}

/**
 * The keys that an earlier run of this operation made, whose key strings that run did not hand out: they are replaced. Throws
 * `conflict` where that cannot be: the run was about something else, or its keys are in use or a day old.
 */
function keysOfEarlierRun(
  operation: string,
  events: readonly AuditEvent[],
  inputs: readonly SettledInput[],
  namesakes: readonly ApiKey[],
  now: Date,
): ApiKey[] {
  const gone = new Set(events.filter(({ action }) => action === 'key.delete').map(({ keyId }) => keyId));
  const made = events.filter(({ action, keyId }) => action === 'key.create' && !gone.has(keyId));
  if (made.length === 0) throw doneBefore(operation, `${events[0]?.action}`);
  return made.map((event) => {
    const after = (event.after ?? {}) as { mode?: string; scopes?: string[] };
    const input = inputs.find(({ name }) => nameKey(name) === nameKey(event.keyName ?? ''));
    if (!input || input.mode !== after.mode || !sameScopes(input.scopes, after.scopes ?? []))
      throw doneBefore(operation, `it made ${quoted(event.keyName ?? '')}, and this is another request`);
    const key = namesakes.find(({ id }) => id === event.keyId);
    if (!key) throw doneBefore(operation, `its key ${event.keyId} was deleted or renamed since`);
    if (key.lastUsedAt !== null) throw doneBefore(operation, `its key ${key.id} is in use`);
    if (now.getTime() - key.createdAt.getTime() > FINISH_WITHIN_MS)
      throw doneBefore(operation, `its key ${key.id} is more than a day old`);
    return key;
  });
}

/** Works out what `create` would do: checks everything, hashes and writes nothing. One read of the store. */
export async function planCreation(
  store: KeyStore,
  inputs: readonly CreateInput[],
  { ifExists = 'fail', operationId }: CreateOptions,
  now: Date,
): Promise<CreatePlan> {
  const named = settleInputs(inputs);
  const prospect = await store.prospect(
    named.map(({ name }) => name),
    operationId ?? null,
  );
  const settled = named.map((input) => settle(input, prospect));
  const { operation, namesakes, scheme } = prospect;
  const unfinished =
    operation.length > 0 && operationId !== undefined
      ? keysOfEarlierRun(operationId, operation, settled, namesakes, now)
      : [];
  const replaced: ApiKey[] = [];
  const kept: ApiKey[] = [];
  for (const existing of namesakes.filter((key) => !unfinished.includes(key))) {
    const wanted = settled.find(({ name }) => nameKey(name) === nameKey(existing.name));
    if (!wanted) continue;
    if (ifExists === 'fail') throw nameTaken(existing);
    if (ifExists === 'skip') assertAlike(existing, wanted);
    (ifExists === 'skip' ? kept : replaced).push(existing);
  }
  const runs = new Set(operation.map(({ op }) => op.replace(/\/\d+$/, '')));
  const id = operationId !== undefined && runs.size > 0 ? `${operationId}.${runs.size + 1}` : (operationId ?? null);
  return { inputs: settled, ifExists, operation: id, replaced, unfinished, kept, scheme };
}

function settle(input: CreateInput, { catalogue }: Prospect): SettledInput {
  const scopes = resolveScopes(input.scopes, catalogue);
  if (scopes.length === 0)
    throw new KeysError(
      'missing_input',
      'a key needs at least one scope',
      'unlockos-keys scopes list shows what there is',
    );
  return {
    name: input.name,
    mode: input.mode,
    scopes,
    description: readDescription(input.description ?? ''),
    rateLimit: input.rateLimit ?? DEFAULT_RATE_LIMIT,
    expiresAt: input.expiresAt ?? null,
    labels: settleLabels(input.labels ?? {}),
  };
}

/** Settles names under the store's lock as the plan did. A key that took a name meanwhile is neither replaced nor, unlike, kept. */
export function namesakeRule({ ifExists, replaced, unfinished }: CreatePlan): OnNamesake {
  return (existing, wanted) => {
    if ([...replaced, ...unfinished].some(({ id }) => id === existing.id)) return 'replace';
    if (ifExists === 'rotate')
      throw new KeysError(
        'conflict',
        `a key named ${quoted(existing.name)} was made meanwhile (${existing.id})`,
        'run the command again',
      );
    if (ifExists !== 'skip') return 'refuse';
    assertAlike(existing, wanted);
    return 'keep';
  };
}
