import path from 'node:path';
import { type ApiKey, statusAt } from '../../domain/api-key.js';
import { relativeTime } from '../../domain/relative-time.js';
import { isThere } from '../../files/exists.js';
import type { Keyring } from '../../keyring/keyring.js';
import { isStoreUrl, parseStoreUrl } from '../../store/remote/address.js';
import type { Context } from '../context.js';
import { readConfig } from '../settings/config-file.js';
import { fromEnv } from '../settings/global-flags.js';
import { resolveSettings, type Settings } from '../settings/settings.js';
import { readToken, tokenSource } from '../settings/token.js';

/** A word that may complete the line, and its description for shells that show one. */
export interface Candidate {
  readonly value: string;
  readonly description: string;
}

/** The most words of a store that are offered. */
const MOST = 100;
/** A search also matches inside names and descriptions, so this many keys are searched for names that begin with the word. */
const PAGE = 200;
const PAGES = 5;
/** The shortest start of an id that names a key. */
const MIN_ID = 4;

/** Someone is waiting for the completion: time limits for a lock and for a server. */
const LOCAL_MS = 200;
const REMOTE_MS = 1000;

/** The store that the line names, if it does. */
export interface Named {
  readonly store?: string;
  readonly profile?: string;
  readonly allowHttp?: boolean;
}

/** Replaces `~` and exported variables as the shell will: the line has not been run yet. */
function expanded(ctx: Context, text: string): string {
  const home = text.startsWith('~/') ? path.join(ctx.home, text.slice(2)) : text;
  return home.replace(/\$(?:(\w+)|\{(\w+)\})/g, (typed, plain, braced) => ctx.env[plain ?? braced] ?? typed);
}

/**
 * True when the token may be sent while the line is still being typed: no command must run for it, and it goes only to a server that the
 * environment or a profile names. A URL on the line may be a mistake or somebody else's until Enter is pressed.
 */
function mayAuthenticate(ctx: Context, settings: Settings): boolean {
  if (tokenSource(settings, ctx)?.startsWith('tokenCommand')) return false;
  const isTyped = settings.store.source === '--store' && !settings.isProfileStore;
  return ctx.authToken === undefined || !isTyped || settings.store.value === environmentStore(ctx);
}

/** The URL in UNLOCKOS_KEYS_STORE, in the form of settings; undefined without one. */
function environmentStore(ctx: Context): string | undefined {
  const text = fromEnv(ctx, 'UNLOCKOS_KEYS_STORE');
  if (text === undefined || !isStoreUrl(text)) return undefined;
  return parseStoreUrl(text, { allowHttp: true }).location;
}

/**
 * Queries the store that the line would use. Creates no store, changes nothing, and runs no token command, which might prompt. Null
 * when there is no store to query. Rejects on any error.
 */
async function asking<T>(ctx: Context, named: Named, ask: (keyring: Keyring) => Promise<T>): Promise<T | null> {
  const flags = named.store === undefined ? named : { ...named, store: expanded(ctx, named.store) };
  const settings = resolveSettings(ctx, flags, await readConfig(ctx));
  const { store, remote, allowHttp } = settings;
  if (!remote && !isThere(store.value)) return null;
  if (remote && !mayAuthenticate(ctx, settings)) return null;
  const token = remote ? (await readToken(settings, ctx))?.value : undefined;
  const by = () => ({ actor: null, osUser: ctx.osUser, host: ctx.host, tool: ctx.version });
  const opened = await ctx.openStore(store.value, {
    create: false,
    makeParent: false,
    inspect: true,
    timeoutMs: remote ? REMOTE_MS : LOCAL_MS,
    by,
    now: ctx.now,
    ...(remote && { token, allowHttp }),
  });
  const { Keyring } = await import('../../keyring/keyring.js');
  const keyring = new Keyring(opened, { by, now: ctx.now });
  let limit: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => {
    limit = setTimeout(resolve, REMOTE_MS, null); // the store's own time limit is for one of several attempts
  });
  try {
    return await Promise.race([ask(keyring), late]);
  } finally {
    clearTimeout(limit);
    await keyring.close();
  }
}

function ofKey(key: ApiKey, value: string, now: Date): Candidate {
  const other = value === key.name ? key.description : key.name;
  const description = `${key.mode}, ${statusAt(key, now)}${other === null ? '' : `: ${other}`}`;
  return { value, description };
}

/** The names that begin with `word`; with `ids`, also the ids that do. */
export async function keysBeginning(
  ctx: Context,
  named: Named,
  word: string,
  options: { ids: boolean },
): Promise<Candidate[]> {
  const now = ctx.now();
  const found = await asking(ctx, named, async (keyring) => {
    const names: Candidate[] = [];
    const ids: Candidate[] = [];
    let cursor: string | undefined;
    for (let page = 0; page < PAGES && names.length < MOST; page++) {
      const search = word === '' ? undefined : word;
      const { keys, next } = await keyring.list({ search, sort: 'name', limit: PAGE, cursor });
      for (const key of keys) {
        if (key.name.startsWith(word)) names.push(ofKey(key, key.name, now));
        else if (key.id.startsWith(word)) ids.push(ofKey(key, key.id, now));
      }
      if (next === null) break;
      cursor = next;
    }
    return [...names, ...(options.ids && (names.length === 0 || word.length >= MIN_ID) ? ids : [])].slice(0, MOST);
  });
  return found ?? [];
}

/** The names of the deleted keys that can be restored, and the ids of those whose name does not begin with `word`. */
export async function deletedBeginning(ctx: Context, named: Named, word: string): Promise<Candidate[]> {
  const deletions = (await asking(ctx, named, (keyring) => keyring.deletions())) ?? [];
  const now = ctx.now();
  const values = deletions.flatMap(({ key, deletedAt }): Candidate[] => {
    const value = [key.name, key.id].find((each) => each.startsWith(word));
    const description = `${key.mode}, deleted ${relativeTime(deletedAt, now)}`;
    return value === undefined ? [] : [{ value, description }];
  });
  return [...new Map(values.map((each) => [each.value, each])).values()].slice(0, MOST);
}

/** The scopes that a key has; none where no key has this name. */
export async function scopesOf(ctx: Context, named: Named, ref: string): Promise<Candidate[]> {
  const key = await asking(ctx, named, (keyring) => keyring.show(ref));
  return (key?.scopes ?? []).map((scope) => ({ value: scope, description: '' }));
}

/** The scopes that a new key can have. */
export async function openScopes(ctx: Context, named: Named): Promise<Candidate[]> {
  const catalogue = (await asking(ctx, named, (keyring) => keyring.scopes())) ?? [];
  return catalogue
    .filter(({ retired }) => !retired)
    .map(({ scope, categoryLabel }) => ({ value: scope, description: categoryLabel }));
}

export async function profiles(ctx: Context): Promise<Candidate[]> {
  const { profiles: all } = await readConfig(ctx);
  return [...all.values()].map(({ name, store }) => ({ value: name, description: store }));
}
