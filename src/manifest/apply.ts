import { createHash } from 'node:crypto';
import type { ApiKey } from '../domain/api-key.js';
import { isKeysError, KeysError } from '../domain/errors.js';
import { nameKey } from '../domain/key-name.js';
import { quoted } from '../domain/text.js';
import type { Destination, NewKey } from '../keyring/delivery.js';
import type { Keyring } from '../keyring/keyring.js';
import type { Plan } from './plan.js';
import { keyOf, type MakingStep, makesKey, nameOf, type Step } from './steps.js';

/** The key that a step created, and the key that it replaced. */
interface MadeKey extends NewKey {
  readonly retired: ApiKey | null;
}

/** A step that was taken. */
export interface Done {
  readonly step: Step;
  /** The key as it is now, or as it was before it was deleted; null for a scope. */
  readonly key: ApiKey | null;
  /** The key that was replaced by rotation. */
  readonly retired: ApiKey | null;
}

export interface ApplyOptions {
  /** Identifies the run; the operation id of each step is derived from it. */
  readonly operationId: string;
  /** How long a rotated key keeps working, in milliseconds. */
  readonly overlapMs: number;
  /** Where the key string that a step makes is delivered. */
  readonly destinationOf: (step: MakingStep) => Destination<NewKey>;
  /** Once it is aborted, a key that was not delivered is disabled, and no other step is taken. */
  readonly signal?: AbortSignal | undefined;
  /** Called after each step. */
  readonly onDone?: ((done: Done) => void) | undefined;
}

/** The same id for the same step of a repeated run, and a different one for every other step. */
function changeId(operationId: string, step: Step): string {
  const about =
    keyOf(step)?.id ??
    createHash('sha256')
      .update(nameKey(nameOf(step)))
      .digest('hex')
      .slice(0, 16);
  return `${operationId}:${step.action}:${about}`;
}

class Run {
  readonly #keyring: Keyring;
  readonly #options: ApplyOptions;
  /** The keys that this run created, by name. */
  readonly #created = new Map<string, ApiKey>();
  /** The keys that this run changed, as it left them, by id. */
  readonly #latest = new Map<string, ApiKey>();

  constructor(keyring: Keyring, options: ApplyOptions) {
    this.#keyring = keyring;
    this.#options = options;
  }

  /** The key as it was planned, or as an earlier step of this run left it: nobody else may have changed it. */
  #seen(planned: ApiKey): ApiKey {
    return this.#latest.get(planned.id) ?? planned;
  }

  #changed({ key }: { readonly key: ApiKey }): ApiKey {
    this.#latest.set(key.id, key);
    return key;
  }

  async take(step: Step): Promise<Done> {
    const operationId = changeId(this.#options.operationId, step);
    const keyring = this.#keyring;
    const done = (key: ApiKey | null, retired: ApiKey | null = null): Done => ({ step, key, retired });
    switch (step.action) {
      case 'add-scope':
        await keyring.addScope(step.scope, step.label ?? undefined, { operationId });
        return done(null);
      case 'retire-scope':
        await keyring.retireScope(step.scope, { operationId });
        return done(null);
      case 'edit':
        return done(this.#changed(await keyring.edit(this.#seen(step.key), step.patch, { operationId, asSeen: true })));
      case 'enable':
        return done(this.#changed(await keyring.enable(this.#seen(step.key), { operationId, asSeen: true })));
      case 'disable': {
        const key = step.key ? this.#seen(step.key) : (this.#created.get(nameKey(step.name)) as ApiKey);
        const reason = step.pruned ? 'pruned: its manifest no longer names it' : 'disabled by its manifest';
        return done(this.#changed(await keyring.disable(key, { operationId, reason, asSeen: true })));
      }
      case 'delete':
        return done(await keyring.delete(step.key, { operationId, asSeen: true }));
      default:
        return this.#make(step, operationId);
    }
  }

  /** Throws `conflict` for a key that was enabled, used or changed after the plan was made: someone may need it. */
  async #assertAsPlanned(key: ApiKey): Promise<void> {
    const now = await this.#keyring.show(key.id);
    if (now.updatedAt.getTime() === key.updatedAt.getTime() && now.lastUsedAt?.getTime() === key.lastUsedAt?.getTime())
      return;
    throw new KeysError(
      'conflict',
      `key ${quoted(key.name)} (${key.id}) was changed or used after the plan was made`,
      'to see what apply would do now: unlockos-keys diff',
    );
  }

  async #make(step: MakingStep, operationId: string): Promise<Done> {
    if (step.action === 'replace') await this.#assertAsPlanned(step.key);
    let made: MadeKey | undefined;
    const mint = async () => {
      made = await this.#mint(step, operationId);
      return made;
    };
    const destination = this.#options.destinationOf(step);
    const { signal } = this.#options;
    const { key, retired } = await this.#keyring
      .deliver(destination, mint, { operationId: `${operationId}:delivery`, signal })
      .catch((error: unknown) => {
        if (isKeysError(error, 'delivery_failed')) throw undelivered(error, made?.retired ?? null);
        throw isKeysError(error, 'name_taken') ? takenMeanwhile(error) : error;
      });
    this.#created.set(nameKey(key.name), key);
    return { step, key, retired };
  }

  /** Creates the key, marked as not yet delivered. */
  async #mint(step: MakingStep, operationId: string): Promise<MadeKey> {
    if (step.action === 'rotate') {
      const { scopes, expiresAt } = step;
      const key = this.#seen(step.key);
      const { overlapMs } = this.#options;
      const plan = await this.#keyring.planRotation(key, { scopes, expiresAt, overlapMs }, { operationId });
      return this.#keyring.makeRotation(plan, { operationId, toDeliver: true });
    }
    const { desired } = step;
    const plan = await this.#keyring.plan([desired], { ifExists: step.action === 'replace' ? 'replace' : 'fail' });
    const [made] = await this.#keyring.make(plan, { operationId, toDeliver: true });
    if (!made || made.keyString === null) throw new KeysError('internal', `no key ${quoted(desired.name)} was created`);
    return { ...made, retired: null };
  }
}

/** The plan knew no key of this name: it may be that of the same apply, run at the same time. */
function takenMeanwhile(error: KeysError): KeysError {
  const hint = 'it was made after the plan was; run apply again to see what is left to do';
  return new KeysError('name_taken', error.message, hint, { cause: error });
}

/** The key keeps its mark, so that the next run replaces it. */
function undelivered(error: KeysError, retired: ApiKey | null): KeysError {
  const old = retired?.expiresAt
    ? `\nThe key that it was to replace (${retired.id}) works only until ${retired.expiresAt.toISOString()}`
    : '';
  return new KeysError(
    'delivery_failed',
    `${error.message}${old}`,
    'earlier steps stay done; run apply again to replace the key',
    { cause: error },
  );
}

/**
 * Carries out a plan, one atomic change after another. It stops at the first step that fails and throws its error: the steps before it
 * are complete, and a new plan has the rest. When a key string cannot be delivered, its key is disabled and the error is `delivery_failed`.
 */
export async function applyPlan(keyring: Keyring, plan: Plan, options: ApplyOptions): Promise<Done[]> {
  const run = new Run(keyring, options);
  const all: Done[] = [];
  for (const step of plan.steps) {
    options.signal?.throwIfAborted();
    const done = await run.take(step);
    all.push(done);
    options.onDone?.(done);
  }
  return all;
}

/** True when a plan creates or rotates keys, so that there are key strings to deliver. */
export function needsHandout({ steps }: Plan): boolean {
  return steps.some(makesKey);
}
