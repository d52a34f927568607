import { existsSync } from 'node:fs';
import path from 'node:path';
import { type ApiKey, statusAt } from '../../domain/api-key.js';
import type { KeyStore } from '../../domain/key-store.js';
import { readConfig } from '../config/config-file.js';
import type { Context } from '../context.js';
import { settle } from '../settings.js';
import { readToken, tokenSource } from '../token.js';

/** A word that may stand where the cursor is, and what it means, where the shell shows that. */
export interface Candidate {
  readonly value: string;
  readonly description: string;
}

/** At most so many of the store's words are offered; who has more types on. */
const MOST = 100;
/** A search finds the word within names and descriptions, too: so much is looked through for names that begin with it. */
const PAGE = 200;
const PAGES = 5;
/** From here on the beginning of an id names a key. */
const MIN_ID = 4;

/** Somebody waits with a finger on TAB: for a lock, and for a server. */
const LOCAL_MS = 200;
const REMOTE_MS = 1000;

/** The store that the line names, which may be a better guess than the environment's. */
export interface Named {
  readonly store?: string;
  readonly profile?: string;
  readonly allowHttp?: boolean;
}

/** `~` and variables as the shell will replace them, where it has exported them: the line is not run yet. */
function expanded(ctx: Context, text: string): string {
  const home = text.startsWith('~/') ? path.join(ctx.home, text.slice(2)) : text;
  return home.replace(/\$(?:(\w+)|\{(\w+)\})/g, (typed, plain, braced) => ctx.env[plain ?? braced] ?? typed);
}

/**
 * Asks the store that a run of the line would use. Opens what is there as it is: it makes none, changes nothing, and runs no token
 * command, which might ask for something. Null: there is none that could be asked. Rejects for whatever goes wrong.
 */
async function asking<T>(ctx: Context, named: Named, ask: (store: KeyStore) => Promise<T>): Promise<T | null> {
  const flags = named.store === undefined ? named : { ...named, store: expanded(ctx, named.store) };
  const settings = settle(ctx, flags, await readConfig(ctx));
  const { store, remote, allowHttp } = settings;
  if (!remote && !existsSync(store.value)) return null;
  if (remote && tokenSource(settings, ctx)?.startsWith('tokenCommand')) return null;
  const token = remote ? readToken(settings, ctx)?.value : undefined;
  const opened = await ctx.openStore(store.value, {
    create: false,
    makeParent: false,
    inspect: true,
    timeoutMs: remote ? REMOTE_MS : LOCAL_MS,
    by: () => ({ actor: null, osUser: ctx.osUser, host: ctx.host, tool: ctx.version }),
    now: ctx.now,
    ...(remote && { token, allowHttp }),
  });
  let limit: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => {
    limit = setTimeout(resolve, REMOTE_MS, null); // the store's own limit is for one try of several
  });
  try {
    return await Promise.race([ask(opened), late]);
  } finally {
    clearTimeout(limit);
    await opened.close();
  }
}

function ofKey(key: ApiKey, value: string, now: Date): Candidate {
  const other = value === key.name ? key.description : key.name;
  const description = `${key.mode}, ${statusAt(key, now)}${other === null ? '' : `: ${other}`}`;
  return { value, description };
}

/** The keys whose names begin with `word`, by name; and by id, where `ids` are wanted too and `word` may be the beginning of one. */
export async function keysBeginning(
  ctx: Context,
  named: Named,
  word: string,
  options: { ids: boolean },
): Promise<Candidate[]> {
  const now = ctx.now();
  const found = await asking(ctx, named, async (store) => {
    const names: Candidate[] = [];
    const ids: Candidate[] = [];
    let cursor: string | undefined;
    for (let page = 0; page < PAGES && names.length < MOST; page++) {
      const search = word === '' ? undefined : word;
      const { keys, next } = await store.list({ search, sort: 'name', limit: PAGE, cursor, now });
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

/** The scopes that a new key can be given. */
export async function openScopes(ctx: Context, named: Named): Promise<Candidate[]> {
  const catalogue = (await asking(ctx, named, (store) => store.catalogue())) ?? [];
  return catalogue
    .filter(({ retired }) => !retired)
    .map(({ scope, categoryLabel }) => ({ value: scope, description: categoryLabel }));
}

export async function profiles(ctx: Context): Promise<Candidate[]> {
  const { profiles: all } = await readConfig(ctx);
  return [...all.values()].map(({ name, store }) => ({ value: name, description: store }));
}
