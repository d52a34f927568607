import { createHash } from 'node:crypto';
import { type ApiKey, nameKey } from '../domain/api-key.js';
import { isKeysError, KeysError } from '../domain/errors.js';
import { UNDELIVERED } from '../domain/key-store.js';
import type { Labels } from '../domain/labels.js';
import { quoted } from '../domain/text.js';
import type { Keyring } from '../keyring/keyring.js';
import { PENDING, PENDING_LABEL } from './manifest.js';
import { keyOf, makesKey, nameOf, type Plan, type Step } from './plan.js';

/** A step by which a key string comes into being. */
export type MakingStep = Extract<Step, { action: 'create' | 'replace' | 'rotate' }>;

/** Where one new key string goes. */
export interface Receiver {
  deliver(key: ApiKey, keyString: string): Promise<void>;
}

/** Where new key strings go. */
export interface Handout {
  /** Called before the key is made, and leaves nothing behind. Throws when its key string could not be delivered. */
  prepare(step: MakingStep): Promise<Receiver>;
}

/** A step that was taken. */
export interface Done {
  readonly step: Step;
  /** The key as it is now, or as it was when it was deleted; null for a scope. */
  readonly key: ApiKey | null;
  /** The key that another took the place of. */
  readonly retired: ApiKey | null;
}

export interface ApplyOptions {
  /** The run; each step is written under an id that is derived from it. */
  readonly operationId: string;
  /** How long a rotated key goes on working, in milliseconds. */
  readonly overlapMs: number;
  readonly handout: Handout;
  /** Hears of each step that was taken. */
  readonly onDone?: ((done: Done) => void) | undefined;
}

/** The same for the same step of a repeated run, and another for every other step. */
function changeId(operationId: string, step: Step): string {
  const about =
    keyOf(step)?.id ??
    createHash('sha256')
      .update(nameKey(nameOf(step)))
      .digest('hex')
      .slice(0, 16);
  return `${operationId}:${step.action}:${about}`;
}

function withoutPending({ [PENDING_LABEL]: _, ...labels }: Labels): Labels {
  return labels;
}

class Run {
  readonly #keyring: Keyring;
  readonly #options: ApplyOptions;
  /** The keys that this run made, by name. */
  readonly #made = new Map<string, ApiKey>();

  constructor(keyring: Keyring, options: ApplyOptions) {
    this.#keyring = keyring;
    this.#options = options;
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
        return done((await keyring.edit(step.key.id, step.patch, { operationId })).key);
      case 'enable':
        return done((await keyring.enable(step.key.id, { operationId })).key);
      case 'disable': {
        const { id } = step.key ?? (this.#made.get(nameKey(step.name)) as ApiKey);
        const reason = step.pruned ? 'pruned: its manifest does not name it any more' : 'disabled by its manifest';
        return done((await keyring.disable(id, { operationId, reason })).key);
      }
      case 'delete':
        return done(await keyring.delete(step.key, { operationId, asSeen: true }));
      default:
        return this.#make(step, operationId);
    }
  }

  /** Throws `conflict` for a key that somebody enabled, used or changed since the plan was made: it may be needed. */
  async #assertAsPlanned(key: ApiKey): Promise<void> {
    const now = await this.#keyring.show(key.id);
    if (now.updatedAt.getTime() === key.updatedAt.getTime() && now.lastUsedAt?.getTime() === key.lastUsedAt?.getTime())
      return;
    throw new KeysError(
      'conflict',
      `key ${quoted(key.name)} (${key.id}) was changed or used meanwhile`,
      'see what would be done now: unlockos-keys diff',
    );
  }

  async #make(step: MakingStep, operationId: string): Promise<Done> {
    if (step.action === 'replace') await this.#assertAsPlanned(step.key);
    const receiver = await this.#options.handout.prepare(step);
    const { key, keyString, retired } = await this.#mint(step, operationId);
    try {
      await receiver.deliver(key, keyString);
    } catch (cause) {
      throw await this.#undelivered(key, retired, operationId, cause);
    }
    const labels = withoutPending(key.labels);
    const delivered = await this.#keyring.edit(key.id, { labels }, { operationId: `${operationId}:delivered` });
    this.#made.set(nameKey(key.name), delivered.key);
    return { step, key: delivered.key, retired };
  }

  /** Makes the key, marked as not yet handed out. */
  async #mint(
    step: MakingStep,
    operationId: string,
  ): Promise<{ key: ApiKey; keyString: string; retired: ApiKey | null }> {
    if (step.action === 'rotate') {
      const { scopes, expiresAt } = step;
      const key = await this.#keyring.show(step.key.id); // an earlier step may have edited it
      const labels = { ...key.labels, [PENDING_LABEL]: PENDING };
      const { overlapMs } = this.#options;
      return this.#keyring.rotate(key.id, { scopes, expiresAt, labels, overlapMs }, { operationId });
    }
    const wanted = { ...step.wanted, labels: { ...step.wanted.labels, [PENDING_LABEL]: PENDING } };
    const plan = await this.#keyring.plan([wanted], { ifExists: step.action === 'replace' ? 'rotate' : 'fail' });
    const [made] = await this.#keyring.make(plan, { operationId });
    if (!made || made.keyString === null) throw new KeysError('internal', `no key ${quoted(wanted.name)} was made`);
    return { key: made.key, keyString: made.keyString, retired: null };
  }

  /** Disables a key whose key string reached nobody. It keeps its mark, so that the next run makes it anew. */
  async #undelivered(key: ApiKey, retired: ApiKey | null, operationId: string, cause: unknown): Promise<KeysError> {
    const why = isKeysError(cause) ? cause.message : ((cause as NodeJS.ErrnoException).code ?? 'unknown error');
    const disabled = await this.#keyring
      .disable(key.id, {
        operationId: `${operationId}:undelivered`,
        reason: UNDELIVERED,
      })
      .then(
        () => `so it was disabled: ${key.id}`,
        () => `and it could NOT be disabled: unlockos-keys disable ${key.id}`,
      );
    const old = retired?.expiresAt
      ? `\nThe key that it was to replace (${retired.id}) works until ${retired.expiresAt.toISOString()}, no longer`
      : '';
    return new KeysError(
      'delivery_failed',
      `the key string of ${quoted(key.name)} could not be delivered (${why}), ${disabled}${old}`,
      'what was done before it stays done; apply again, and the key is made anew',
      { cause },
    );
  }
}

/**
 * Carries out a plan, one atomic change after another. It stops at the first that fails, and throws its error: what was done by then is
 * whole, and a new plan has the rest. A key string that could not be delivered is `delivery_failed`, its key disabled.
 */
export async function applyPlan(keyring: Keyring, plan: Plan, options: ApplyOptions): Promise<Done[]> {
  const run = new Run(keyring, options);
  const all: Done[] = [];
  for (const step of plan.steps) {
    const done = await run.take(step);
    all.push(done);
    options.onDone?.(done);
  }
  return all;
}

/** True when a plan makes keys, whose key strings must go somewhere. */
export function needsHandout({ steps }: Plan): boolean {
  return steps.some(makesKey);
}
