import { KeysError } from './errors.js';
import { durationMs, LAST_INSTANT } from './expiry.js';
import { MODES, type Mode } from './key-string.js';
import { quoted } from './text.js';

/** What holds for every new key and every deletion of a store, whoever makes it. Times are durations such as `365d`. */
export interface StorePolicy {
  /** The longest that a new key may live, for each mode; null for no limit. */
  readonly maxLifetime: Readonly<Record<Mode, string | null>>;
  /** How long a deleted key can be restored; `0` for not at all. */
  readonly keepDeleted: string;
}

/** What to change of a policy. What is left out stays. */
export interface PolicyInput {
  readonly maxLifetime?: { readonly live?: string | null | undefined; readonly test?: string | null | undefined };
  readonly keepDeleted?: string | undefined;
}

/** The policy of a store that was given none. */
export const DEFAULT_POLICY: StorePolicy = { maxLifetime: { live: null, test: null }, keepDeleted: '7d' };

/** A policy as settings of the store: a name and a text each. A setting that is missing is the default. */
export type PolicySettings = Readonly<Record<string, string | null>>;

const LIFETIME: Readonly<Record<Mode, string>> = { live: 'max-lifetime-live', test: 'max-lifetime-test' };
const KEEP_DELETED = 'keep-deleted';

/** The names of the settings that make a policy. */
export const POLICY_SETTINGS = [...MODES.map((mode) => LIFETIME[mode]), KEEP_DELETED];

/** Deleted keys are not kept for longer: their hashes are secrets that nobody needs. */
export const MAX_KEEP_MS = 365 * 86_400_000;

/** The settings of a policy; null for what has the default. */
export function settingsOf({ maxLifetime, keepDeleted }: StorePolicy): PolicySettings {
  return {
    ...Object.fromEntries(MODES.map((mode) => [LIFETIME[mode], maxLifetime[mode]])),
    [KEEP_DELETED]: keepDeleted === DEFAULT_POLICY.keepDeleted ? null : keepDeleted,
  };
}

/** The flags with which `store policy` sets each setting again. */
const FLAGS: Readonly<Record<string, string>> = {
  [LIFETIME.live]: '--max-lifetime TIME --mode live',
  [LIFETIME.test]: '--max-lifetime TIME --mode test',
  [KEEP_DELETED]: '--keep-deleted TIME',
};

function isSound(name: string, text: string | null | undefined): boolean {
  return text == null || durationMs(text) !== null || (name === KEEP_DELETED && text === '0');
}

/**
 * The policy in the settings of a store. Throws `store_corrupt` for settings that say nothing: they may have been a limit. The hint is what
 * sets all of them again, because one command must.
 */
export function policyFrom(settings: PolicySettings): StorePolicy {
  const damaged = POLICY_SETTINGS.filter((name) => !isSound(name, settings[name]));
  if (damaged.length > 0) {
    const both = MODES.every((mode) => damaged.includes(LIFETIME[mode]));
    const flags = damaged.map((name) => FLAGS[name]).filter((flag) => !both || flag === FLAGS[KEEP_DELETED]);
    throw new KeysError(
      'store_corrupt',
      `the policy of this store cannot be read: ${damaged.join(', ')} is not a duration`,
      `set it again: unlockos-keys store policy ${[...(both ? ['--max-lifetime TIME'] : []), ...flags].join(' ')}`,
    );
  }
  return {
    maxLifetime: { live: settings[LIFETIME.live] ?? null, test: settings[LIFETIME.test] ?? null },
    keepDeleted: settings[KEEP_DELETED] ?? DEFAULT_POLICY.keepDeleted,
  };
}

function assertDuration(text: string, what: string): void {
  if (durationMs(text) === null)
    throw new KeysError(
      'usage',
      `${what} ${quoted(text)} is not a duration`,
      'a whole number and a unit, m h d or w: 12h, 90d, 52w',
    );
}

/** How long the settings of a store keep a deleted key. One that cannot be read is the default, because it must not stop a deletion. */
export function keepDeletedIn(settings: PolicySettings): string {
  const text = settings[KEEP_DELETED];
  return text != null && isSound(KEEP_DELETED, text) ? text : DEFAULT_POLICY.keepDeleted;
}

/**
 * The policy in the settings of a store, with other values. Throws `usage` for a text that is not a duration, and for deleted keys that are
 * kept for over a year; `store_corrupt` for damaged settings that get no other value.
 */
export function changedPolicy(settings: PolicySettings, { maxLifetime = {}, keepDeleted }: PolicyInput): StorePolicy {
  for (const mode of MODES) if (maxLifetime[mode] != null) assertDuration(maxLifetime[mode], `the longest life`);
  if (keepDeleted !== undefined && keepDeleted !== '0') {
    assertDuration(keepDeleted, 'the time to keep deleted keys');
    if (keepMs(keepDeleted) > MAX_KEEP_MS)
      throw new KeysError('usage', `deleted keys are kept for 365d at most, not for ${keepDeleted}`, 'choose less');
  }
  return policyFrom({
    ...settings,
    ...Object.fromEntries(
      MODES.filter((mode) => maxLifetime[mode] !== undefined).map((mode) => [
        LIFETIME[mode],
        maxLifetime[mode] ?? null,
      ]),
    ),
    ...(keepDeleted !== undefined && { [KEEP_DELETED]: keepDeleted }),
  });
}

/** How long deleted keys are kept, in milliseconds. `0` (not at all) is not a duration. */
export function keepMs(keepDeleted: string): number {
  return durationMs(keepDeleted) ?? 0;
}

/** The latest time at which a key that is made at `now` may expire; null for no limit. */
export function lastExpiry({ maxLifetime }: StorePolicy, mode: Mode, now: Date): Date | null {
  const text = maxLifetime[mode];
  return text === null ? null : new Date(Math.min(now.getTime() + (durationMs(text) ?? 0), LAST_INSTANT));
}

/** `expiresAt`, or the latest time that the policy allows where that is earlier. Null means never. */
export function withinLifetime(policy: StorePolicy, mode: Mode, expiresAt: Date | null, now: Date): Date | null {
  const last = lastExpiry(policy, mode, now);
  return last !== null && (expiresAt === null || expiresAt > last) ? last : expiresAt;
}

/** What is wrong with an expiry that the policy does not allow; null where it does. */
export function lifetimeProblem(policy: StorePolicy, mode: Mode, expiresAt: Date | null, now: Date): string | null {
  if (withinLifetime(policy, mode, expiresAt, now)?.getTime() === expiresAt?.getTime()) return null;
  const end = expiresAt === null ? 'would never expire' : `would live until ${expiresAt.toISOString()}`;
  return `${end}, and the store lets new ${mode} keys live ${policy.maxLifetime[mode]} at most`;
}

/** Throws `guarded` for a new key that would live longer than the policy allows. */
export function assertLifetime(
  policy: StorePolicy,
  { name, mode, expiresAt }: { readonly name: string; readonly mode: Mode; readonly expiresAt: Date | null },
  now: Date,
): void {
  const problem = lifetimeProblem(policy, mode, expiresAt, now);
  if (problem !== null)
    throw new KeysError(
      'guarded',
      `the key ${quoted(name)} ${problem}`,
      `pass --expires ${policy.maxLifetime[mode]} or less; without it the key gets the longest life allowed`,
    );
}
