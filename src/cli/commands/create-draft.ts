import { parseNetworks } from '../../domain/addresses.js';
import type { ApiKey } from '../../domain/api-key.js';
import { KeysError } from '../../domain/errors.js';
import { parseExpiry } from '../../domain/expiry.js';
import { readName } from '../../domain/key-name.js';
import { IF_EXISTS } from '../../domain/key-store.js';
import { type Labels, parseLabels, withoutOwnLabels } from '../../domain/labels.js';
import { DEFAULT_RATE_LIMIT, parseRateLimit, type RateLimit } from '../../domain/rate-limit.js';
import { quoted } from '../../domain/text.js';
import type { CreateInput } from '../../keyring/creation.js';
import type { LikeInput } from '../../keyring/like.js';
import type { Missing } from '../asking/missing.js';
import type { NewKeyDraft } from '../asking/new-key.js';
import type { Delivery, DeliveryFlags } from '../delivery/delivery.js';
import type { FromFlags } from '../issued/from-flags.js';
import type { Session } from '../session.js';
import { readScopeFlags, type ScopeFlags } from '../targets/scope-flags.js';

export interface CreateFlags extends DeliveryFlags, ScopeFlags, FromFlags {
  readonly description?: string;
  readonly testMode?: boolean;
  readonly test?: boolean;
  readonly live?: boolean;
  readonly rateLimit?: string;
  readonly expires?: string;
  readonly allowFrom?: string;
  readonly like?: string;
  readonly ifExists?: string;
  readonly overlap?: string;
  readonly confirm?: string[];
  readonly label?: string[];
}

/** What the flags say of the new keys. The rest is prompted for, or reported as missing. */
export interface Draft extends NewKeyDraft {
  readonly addScopes: readonly string[] | undefined;
  readonly dropScopes: readonly string[] | undefined;
  readonly rateLimit: RateLimit;
  /** Undefined: as long as the store allows. */
  readonly expiresAt: Date | null | undefined;
  readonly labels: Labels;
  /** Undefined: not given. */
  readonly allowFrom: readonly string[] | undefined;
}

/** What a new key does to one of its name: see {@link IF_EXISTS}; `rotate`: the old key keeps working for an overlap. */
export const CHOICES_IF_EXISTS = [...IF_EXISTS, 'rotate'] as const;
export type Choice = (typeof CHOICES_IF_EXISTS)[number];

/** Throws `usage` where it is unknown, or where `skip` would leave a destination unset. */
export function readIfExists(flags: CreateFlags): Choice {
  const { ifExists = 'fail' } = flags;
  const found = CHOICES_IF_EXISTS.find((each) => each === ifExists);
  if (!found)
    throw new KeysError(
      'usage',
      `--if-exists ${quoted(ifExists)} is unknown`,
      `one of: ${CHOICES_IF_EXISTS.join(', ')}`,
    );
  if (flags.overlap !== undefined && found !== 'rotate')
    throw new KeysError('usage', '--overlap goes with --if-exists rotate only', 'pass both, or leave --overlap out');
  if (found === 'skip') refuseUnset(flags);
  return found;
}

/** Destinations that hold nothing from an earlier run, so that a key that is kept would leave them without a key string. */
const FORGETFUL = {
  githubEnv: '--github-env',
  githubOutput: '--github-output',
  pipe: '--pipe',
  copy: '--copy',
} as const;

/** Throws `usage` for a destination that would be left unset, with exit 0, whenever the key exists already. */
function refuseUnset(flags: CreateFlags): void {
  const found = (Object.keys(FORGETFUL) as (keyof typeof FORGETFUL)[]).find((name) => flags[name] !== undefined);
  if (found)
    throw new KeysError(
      'usage',
      `--if-exists skip and ${FORGETFUL[found]} do not go together: when the key exists, its key string cannot be had again`,
      'pass --if-exists rotate for a new key string each time, or keep it: --key-file FILE',
    );
}

/** Throws `usage` for scopes to add or to drop where no other key is named that they could be compared with. */
function refuseBaseless({ like, addScope, dropScope }: CreateFlags): void {
  const flag = addScope ? '--add-scope' : dropScope ? '--drop-scope' : null;
  if (flag !== null && like === undefined)
    throw new KeysError(
      'usage',
      `${flag} compares with another key, and --like names none`,
      'for a key that differs from another: --like KEY; for the scopes of a new key: --scope',
    );
}

/** Throws `usage` for flags that do not go together, and for values that no key can have. */
export function readDraft(session: Session, flags: CreateFlags, names: readonly string[]): Draft {
  const { now, settings } = session;
  const { profile, rateLimit, expires } = settings;
  const testMode = flags.testMode || flags.test;
  if (testMode && flags.live)
    throw new KeysError('usage', '--test-mode and --live do not go together', 'pass one of them');
  refuseBaseless(flags);
  const { scopes = [], addScopes, dropScopes } = readScopeFlags(flags);
  return {
    names: names.map(readName),
    description: flags.description,
    mode: testMode || (profile?.value.testOnly && !flags.live) ? 'test' : flags.live ? 'live' : undefined,
    scopes,
    addScopes,
    dropScopes,
    rateLimit: readRateLimit(flags.rateLimit ?? rateLimit?.value),
    expiresAt: readExpiry(flags.expires ?? expires?.value, now),
    labels: parseLabels(flags.label ?? []),
    allowFrom: flags.allowFrom === undefined ? undefined : parseNetworks(flags.allowFrom),
  };
}

function readRateLimit(text: string | undefined): RateLimit {
  return text === undefined ? DEFAULT_RATE_LIMIT : parseRateLimit(text);
}

function readExpiry(text: string | undefined, now: Date): Date | null | undefined {
  return text === undefined ? undefined : parseExpiry(text, now);
}

/** An input for each name. With `like`, the other key gives whatever the command line leaves out. */
export function inputsFrom(draft: Draft, flags: CreateFlags, like: ApiKey | null): (CreateInput | LikeInput)[] {
  return like ? draft.names.map((name) => likeInput(name, draft, flags, like)) : toInputs(draft);
}

function toInputs(draft: Draft): CreateInput[] {
  const { names, description, mode = 'live', scopes, rateLimit, expiresAt, labels, allowFrom } = draft;
  return names.map((name) => ({ name, description, mode, scopes, rateLimit, expiresAt, labels, allowFrom }));
}

/** Labels of the command line are added to those of the other key. */
function likeInput(name: string, draft: Draft, flags: CreateFlags, like: ApiKey): LikeInput {
  const { description, mode, scopes, addScopes, dropScopes, rateLimit, expiresAt, labels, allowFrom } = draft;
  return {
    name,
    like,
    description,
    mode,
    scopes: scopes.length > 0 ? scopes : undefined,
    addScopes,
    dropScopes,
    rateLimit: flags.rateLimit === undefined ? undefined : rateLimit,
    expiresAt: flags.expires === undefined ? undefined : expiresAt,
    labels: { ...withoutOwnLabels(like.labels), ...labels },
    allowFrom,
  };
}

/** What only a prompt could still give. */
export function missingFrom(flags: CreateFlags, draft: Draft, delivery: Delivery): Missing[] {
  const isOriginal = flags.like === undefined;
  const missing: Missing[] = [];
  if (draft.names.length === 0) missing.push({ what: 'a name', how: 'unlockos-keys create NAME' });
  if (draft.mode === undefined && isOriginal) missing.push({ what: 'the mode', how: '--test-mode or --live' });
  if (draft.scopes.length === 0 && isOriginal)
    missing.push({ what: 'scopes', how: '--scope checkin:read (to see all: unlockos-keys scopes list)' });
  if (delivery.missing) missing.push({ what: 'a destination', how: delivery.missing });
  return missing;
}
