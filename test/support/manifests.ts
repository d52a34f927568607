import { expect } from 'vitest';
import { nameKey } from '../../src/domain/api-key.js';
import { KeysError } from '../../src/domain/errors.js';
import type { Keyring } from '../../src/keyring/keyring.js';
import { applyPlan, type Done, type Handout } from '../../src/manifest/apply.js';
import type { Manifest } from '../../src/manifest/manifest.js';
import { parseManifest } from '../../src/manifest/parse.js';
import { type Plan, type PlanOptions, planManifest } from '../../src/manifest/plan.js';
import { readPresent } from '../../src/manifest/present.js';
import type { Clock } from './stores.js';

export const HOUR = 3_600_000;
export const DAY = 24 * HOUR;

/** The manifest `m`; each key is a test key for plan:read where nothing else is said. */
export function manifestOf(keys: readonly object[], more: object = {}): Manifest {
  const whole = keys.map((key) => ({ mode: 'test', scopes: ['plan:read'], ...key }));
  return parseManifest(JSON.stringify({ version: 1, name: 'm', ...more, keys: whole }), 'keys.json');
}

export interface Failure {
  /** `silence`: nothing is ever heard again, as from a process that was killed. */
  readonly at: 'prepare' | 'deliver' | 'silence';
  /** So many key strings are handed out before it. */
  readonly after: number;
}

/** Those who are given key strings. */
export class People implements Handout {
  /** The last key string that each name was given. */
  readonly strings = new Map<string, string>();
  /** Resolves when a key string was made and will not be handed out. */
  readonly failed: Promise<void>;
  readonly #failure: Failure | null;
  #fail = () => {};
  #count = 0;

  constructor(failure: Failure | null = null) {
    this.#failure = failure;
    this.failed = new Promise((resolve) => {
      this.#fail = resolve;
    });
  }

  async prepare() {
    const failing = this.#count++ === this.#failure?.after ? this.#failure.at : null;
    if (failing === 'prepare') throw new KeysError('usage', 'there is no directory');
    return {
      deliver: async ({ name }: { name: string }, keyString: string) => {
        if (failing !== null) this.#fail();
        if (failing === 'deliver') throw Object.assign(new Error('write'), { code: 'ENOSPC' });
        if (failing === 'silence') return new Promise<void>(() => {});
        this.strings.set(nameKey(name), keyString);
      },
    };
  }
}

type Options = Pick<PlanOptions, 'adopt' | 'prune' | 'defaults'>;

export async function planOf(keyring: Keyring, manifest: Manifest, now: Date, options: Options = {}): Promise<Plan> {
  return planManifest(manifest, await readPresent(keyring, manifest), { now, ...options });
}

let runs = 0;

export async function applied(
  keyring: Keyring,
  manifest: Manifest,
  clock: Clock,
  people: Handout = new People(),
  options: Options & { overlapMs?: number; onDone?: (done: Done) => void } = {},
): Promise<Done[]> {
  runs += 1;
  return applyPlan(keyring, await planOf(keyring, manifest, clock.now, options), {
    operationId: `apply-run-${runs}`,
    overlapMs: options.overlapMs ?? DAY,
    handout: people,
    onDone: options.onDone,
  });
}

/** What a piece of work is refused with; none, or something that nobody foresaw, is a failure of the test. */
export async function refused(work: Promise<unknown>): Promise<KeysError> {
  const error = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(KeysError);
  return error as KeysError;
}
