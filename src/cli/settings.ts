import path from 'node:path';
import { KeysError } from '../domain/errors.js';
import { parseTimeout } from '../domain/expiry.js';
import { quoted } from '../domain/text.js';
import { readStorePath } from '../store/local/store-path.js';
import { isStoreUrl, parseStoreUrl } from '../store/remote/address.js';
import type { Config, Profile } from './config/config-file.js';
import type { Context } from './context.js';
import { defaultStorePath, type Format, formatFlag, fromEnv, type GlobalFlags, type Sourced } from './flags.js';

const LOCAL_TIMEOUT_MS = 5000;
const REMOTE_TIMEOUT_MS = 10_000;

/** What one run is to work with, each value with who said so: flag, then profile named by flag, environment, default profile, default. */
export interface Settings {
  readonly config: Config;
  /** Null: none was named, and none is the default. */
  readonly profile: Sourced<Profile> | null;
  /** An absolute path, or a URL without credentials. */
  readonly store: Sourced<string>;
  readonly remote: boolean;
  /** The store is the profile's own, so what the profile says of its token holds. */
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
        ? 'none was made yet: unlockos-keys profile add NAME --store URL'
        : `there are: ${[...config.profiles.keys()].join(', ')}`,
    );
  return { value, source };
}

/** The default profile stands back where a store was named: it is about another store then. */
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

/** The store as an absolute path or a URL that may be used. Throws `usage`. */
function settleStore(ctx: Context, text: string, allowHttp: boolean): string {
  return isStoreUrl(text) ? parseStoreUrl(text, { allowHttp }).location : readStorePath(text, ctx.cwd);
}

/** A default of the profile, for a value that no flag gave. */
function ofProfile(profile: Sourced<Profile> | null, value: string | null | undefined): Sourced<string> | null {
  return profile && value != null ? { value, source: `profile ${profile.value.name}` } : null;
}

/**
 * A store that a command names by an argument: the name of a profile, or a path or URL, which a profile's token and guards go with
 * when it is that profile's store. Throws `usage`.
 */
export function settleArgument(ctx: Context, flags: GlobalFlags, config: Config, text: string): Settings {
  const owner = config.profiles.get(text) ?? [...config.profiles.values()].find(({ store }) => store === text);
  const { store: _, profile: __, ...others } = flags;
  return owner
    ? settle(ctx, { ...others, profile: owner.name }, config)
    : settle(ctx, { ...others, store: text }, config, false); // a profile of the environment is about another store
}

/**
 * Settles what the flags, the environment and the configuration file say together. Without `withProfile` no profile counts: the commands
 * that manage them must work when the one that is named is not there. Throws `usage`.
 */
export function settle(ctx: Context, flags: GlobalFlags, config: Config, withProfile = true): Settings {
  const profile = withProfile ? chooseProfile(ctx, flags, config) : null;
  const chosen = chooseStore(ctx, flags, profile);
  const isProfileStore = profile !== null && chosen.value === profile.value.store;
  const allowHttp = flags.allowHttp === true || (isProfileStore && profile.value.allowHttp);
  const remote = isStoreUrl(chosen.value);
  const store = { ...chosen, value: settleStore(ctx, chosen.value, allowHttp) };
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
