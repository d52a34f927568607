import { expect } from 'vitest';
import { KeysError } from '../../src/domain/errors.js';
import { nameKey } from '../../src/domain/key-name.js';
import type { Destination, NewKey } from '../../src/keyring/delivery.js';
import type { Keyring } from '../../src/keyring/keyring.js';
import { type ApplyOptions, applyPlan, type Done } from '../../src/manifest/apply.js';
import { readCurrentState } from '../../src/manifest/current-state.js';
import type { Manifest } from '../../src/manifest/manifest.js';
import { parseManifest } from '../../src/manifest/parse.js';
import { type Plan, type PlanOptions, planManifest } from '../../src/manifest/plan.js';
import type { Clock } from './stores.js';

export const HOUR = 3_600_000;
export const DAY = 24 * HOUR;

/** The manifest `m`; by default each key is a test key for plan:read. */
export function manifestOf(keys: readonly object[], more: object = {}): Manifest {
  const whole = keys.map((key) => ({ mode: 'test', scopes: ['plan:read'], ...key }));
  return parseManifest(JSON.stringify({ version: 1, name: 'm', ...more, keys: whole }), 'keys.json');
}

export interface Failure {
  /** `silence`: nothing more happens, as in a process that was killed. */
  readonly at: 'probe' | 'deliver' | 'silence';
  /** The number of key strings that are delivered before it. */
  readonly after: number;
}

/** The recipients of key strings. */
export class People {
  /** The last key string that each name got. */
  readonly strings = new Map<string, string>();
  /** Resolves when a key string was made that will not be delivered. */
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

  readonly destinationOf: ApplyOptions['destinationOf'] = () => {
    const failing = this.#count++ === this.#failure?.after ? this.#failure.at : null;
    const destination: Destination<NewKey> = {
      probe() {
        if (failing === 'probe') throw new KeysError('usage', 'there is no directory');
      },
      deliver: async ({ key, keyString }) => {
        if (failing !== null) this.#fail();
        if (failing === 'deliver') throw Object.assign(new Error('write'), { code: 'ENOSPC' });
        if (failing === 'silence') return new Promise<void>(() => {});
        this.strings.set(nameKey(key.name), keyString ?? '');
      },
      abandon() {},
    };
    return destination;
  };
}

type Options = Pick<PlanOptions, 'adopt' | 'prune' | 'defaults'>;

export async function planOf(keyring: Keyring, manifest: Manifest, now: Date, options: Options = {}): Promise<Plan> {
  return planManifest(manifest, await readCurrentState(keyring, manifest), { now, ...options });
}

let runs = 0;

export async function applied(
  keyring: Keyring,
  manifest: Manifest,
  clock: Clock,
  people: Pick<People, 'destinationOf'> = new People(),
  options: Options & { overlapMs?: number; onDone?: (done: Done) => void } = {},
): Promise<Done[]> {
  runs += 1;
  return applyPlan(keyring, await planOf(keyring, manifest, clock.now, options), {
    operationId: `apply-run-${runs}`,
    overlapMs: options.overlapMs ?? DAY,
    destinationOf: people.destinationOf,
    onDone: options.onDone,
  });
}

/** The KeysError that `work` rejects with; anything else fails the test. */
export async function refused(work: Promise<unknown>): Promise<KeysError> {
  const error = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(KeysError);
  return error as KeysError;
}
