import path from 'node:path';
import { KeysError } from '../../domain/errors.js';
import { parseTimeout } from '../../domain/expiry.js';
import { quoted } from '../../domain/text.js';
import { readStorePath } from '../../store/local/store-path.js';
import { isStoreUrl, parseStoreUrl } from '../../store/remote/address.js';
import type { Context } from '../context.js';
import { defaultStorePath, type Format, formatFlag, fromEnv, type GlobalFlags, type Sourced } from './global-flags.js';
import type { Config, Profile } from './profile.js';

const LOCAL_TIMEOUT_MS = 5000;
const REMOTE_TIMEOUT_MS = 10_000;

/**
 * The settings of one run, each with where it was set. A flag wins over a profile that a flag names, then come the environment, the
 * default profile, and the built-in default.
 */
export interface Settings {
  readonly config: Config;
  /** Null when no profile was named and there is no default profile. */
  readonly profile: Sourced<Profile> | null;
  /** An absolute path, or a URL without credentials. */
  readonly store: Sourced<string>;
  readonly remote: boolean;
  /** The store is the profile's own, so the profile's token and peppers apply to it. */
  readonly isProfileStore: boolean;
  readonly allowHttp: boolean;
  readonly timeoutMs: Sourced<number>;
  readonly format: Sourced<Format>;
  readonly expires: Sourced<string> | null;
  readonly rateLimit: Sourced<string> | null;
}

function named(config: Config, name: string, source: string): Sourced<Profile> {
  const value = config.profiles.get(name);
  if (!value)
    throw new KeysError(
      'usage',
      `there is no profile ${quoted(name)} (${source})`,
      config.profiles.size === 0
        ? 'add one: unlockos-keys profile add NAME --store URL'
        : `profiles: ${[...config.profiles.keys()].join(', ')}`,
    );
  return { value, source };
}

/** The default profile does not apply when a store was named: its settings are for another store. */
function chooseProfile(ctx: Context, flags: GlobalFlags, config: Config): Sourced<Profile> | null {
  if (flags.profile !== undefined) return named(config, flags.profile, '--profile');
  const fromEnvironment = fromEnv(ctx, 'UNLOCKOS_KEYS_PROFILE');
  if (fromEnvironment !== undefined) return named(config, fromEnvironment, 'UNLOCKOS_KEYS_PROFILE');
  if (flags.store !== undefined || fromEnv(ctx, 'UNLOCKOS_KEYS_STORE') !== undefined) return null;
  return config.defaultProfile === null ? null : named(config, config.defaultProfile, path.basename(config.file));
}

function chooseStore(ctx: Context, flags: GlobalFlags, profile: Sourced<Profile> | null): Sourced<string> {
  if (flags.store !== undefined) return { value: flags.store, source: '--store' };
  const ofProfile = profile && {
    value: profile.value.store,
    source: `profile ${profile.value.name}, ${profile.source}`,
  };
  const environment = fromEnv(ctx, 'UNLOCKOS_KEYS_STORE');
  const explicit = profile?.source === '--profile';
  if (environment !== undefined && !explicit) return { value: environment, source: 'UNLOCKOS_KEYS_STORE' };
  return ofProfile ?? { value: defaultStorePath(ctx), source: 'default' };
}

/** The store as an absolute path or an accepted URL. Throws `usage`. */
function resolveStore(ctx: Context, text: string, allowHttp: boolean): string {
  return isStoreUrl(text)
    ? parseStoreUrl(text, { allowHttp }).location
    : readStorePath(text, path.isAbsolute(text) ? path.sep : ctx.cwd);
}

/** A default of the profile, for a value that no flag sets. */
function ofProfile(profile: Sourced<Profile> | null, value: string | null | undefined): Sourced<string> | null {
  return profile && value != null ? { value, source: `profile ${profile.value.name}` } : null;
}

/**
 * The settings for a store that is named by an argument: the name of a profile, a path or a URL. For the path or URL of a profile's
 * store, that profile's token and guards apply. Throws `usage`.
 */
export function settingsForStore(ctx: Context, flags: GlobalFlags, config: Config, text: string): Settings {
  const owner = config.profiles.get(text) ?? [...config.profiles.values()].find(({ store }) => store === text);
  const { store: _, profile: __, ...others } = flags;
  return owner
    ? resolveSettings(ctx, { ...others, profile: owner.name }, config)
    : resolveSettings(ctx, { ...others, store: text }, config, false); // a profile that the environment names is for another store
}

/**
 * Combines flags, environment and configuration file. Without `withProfile` no profile is used: the commands that manage profiles must
 * work while the named one is missing. Throws `usage`.
 */
export function resolveSettings(ctx: Context, flags: GlobalFlags, config: Config, withProfile = true): Settings {
  const profile = withProfile ? chooseProfile(ctx, flags, config) : null;
  const chosen = chooseStore(ctx, flags, profile);
  const isProfileStore = profile !== null && chosen.value === profile.value.store;
  const allowHttp = flags.allowHttp === true || (isProfileStore && profile.value.allowHttp);
  const remote = isStoreUrl(chosen.value);
  const store = { ...chosen, value: resolveStore(ctx, chosen.value, allowHttp) };
  return {
    config,
    profile,
    store,
    remote,
    isProfileStore,
    allowHttp,
    timeoutMs:
      flags.timeout === undefined
        ? { value: remote ? REMOTE_TIMEOUT_MS : LOCAL_TIMEOUT_MS, source: 'default' }
        : { value: parseTimeout(flags.timeout), source: '--timeout' },
    format: formatFlag(ctx, flags, ofProfile(profile, profile?.value.defaults.output)),
    expires: ofProfile(profile, profile?.value.defaults.expires),
    rateLimit: ofProfile(profile, profile?.value.defaults.rateLimit),
  };
}

/** The settings of a run that opens no store, and so needs neither a profile nor the file with them. */
export function settingsWithoutStore(ctx: Context, flags: GlobalFlags): Settings {
  return {
    config: { file: '', defaultProfile: null, profiles: new Map() },
    profile: null,
    get store(): never {
      throw new Error('this run has no store');
    },
    remote: false,
    isProfileStore: false,
    allowHttp: false,
    timeoutMs:
      flags.timeout === undefined
        ? { value: REMOTE_TIMEOUT_MS, source: 'default' }
        : { value: parseTimeout(flags.timeout), source: '--timeout' },
    format: formatFlag(ctx, flags, null),
    expires: null,
    rateLimit: null,
  };
}
