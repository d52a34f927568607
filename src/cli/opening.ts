import type { Authorship } from '../domain/audit.js';
import type { SchemaUpgrade } from '../domain/key-store.js';
import type { Peppers } from '../domain/peppers.js';
import { KeyReader } from '../keyring/key-reader.js';
import type { Keyring } from '../keyring/keyring.js';
import type { Context } from './context.js';
import type { Printer } from './output/printer.js';
import type { Waiting } from './output/waiting.js';
import type { Settings } from './settings/settings.js';

/** How a store is opened. */
export interface OpenFlags {
  readonly create?: boolean;
  readonly inspect?: boolean;
  readonly receive?: boolean;
  readonly durable?: boolean;
  readonly follow?: boolean;
}

/** What opening a store needs of the run. */
interface Run {
  readonly ctx: Context;
  readonly out: Printer;
  readonly waiting: Waiting;
  /** Esc leaves what the store is asked at the moment. */
  readonly leavable: boolean;
  by(): Authorship;
}

/** An open store: to read its keys, and to manage them. To close one is to close both. */
export interface Opened {
  readonly reader: KeyReader;
  keyring(): Promise<Keyring>;
}

/** Opens the store that the settings name. Says on stderr what takes time, and what it changes. */
export async function openFor(run: Run, settings: Settings, options: OpenFlags): Promise<Opened> {
  const { ctx, out } = run;
  const { store, remote, allowHttp, timeoutMs } = settings;
  out.debug(`store ${store.value} (${store.source})`);
  const opened = await ctx.openStore(store.value, {
    create: options.create === true,
    makeParent: store.source === 'default',
    timeoutMs: timeoutMs.value,
    by: () => run.by(),
    now: ctx.now,
    inspect: options.inspect,
    receive: options.receive,
    durable: options.durable,
    follow: options.follow,
    onUpgrade: (upgrade) => sayUpgrade(out, store.value, upgrade),
    ...(!options.follow && { onWait: (what) => sayWaiting(run, what, settings) }),
    ...(remote && { token: await tokenFor(run, settings), allowHttp }),
  });
  const makeKeyring = async () => {
    const { Keyring } = await import('../keyring/keyring.js');
    return new Keyring(opened, {
      by: () => run.by(),
      now: ctx.now,
      random: ctx.random,
      hashCost: ctx.hashCost,
      testOnly: settings.profile?.value.testOnly === true,
      claim: ctx.claim,
      peppers: await peppersFor(run, settings),
    });
  };
  let keyring: Promise<Keyring> | undefined;
  return {
    reader: new KeyReader(opened, ctx.now),
    keyring: () => {
      keyring ??= makeKeyring();
      return keyring;
    },
  };
}

/** The module for peppers is loaded only where some are configured: most runs need none. */
async function peppersFor({ ctx }: Run, settings: Settings): Promise<Peppers | undefined> {
  const configured = settings.profile?.value.pepperFile ?? ctx.peppers ?? ctx.env.UNLOCKOS_KEYS_PEPPER_FILE;
  return configured ? (await import('./settings/peppers.js')).readPeppers(settings, ctx) : undefined;
}

async function tokenFor({ ctx, out }: Run, settings: Settings): Promise<string | undefined> {
  const { isVariableWithheld, readToken, TOKEN_VARIABLE } = await import('./settings/token.js');
  if (isVariableWithheld(settings, ctx))
    out.remark(`${TOKEN_VARIABLE} is not sent: it is for the server that UNLOCKOS_KEYS_STORE names`);
  const token = await readToken(settings, ctx, out.quiet);
  out.debug(token === null ? 'no token' : `token from ${token.source}`);
  return token?.value;
}

/** What a person is told who waits for a second. */
function sayWaiting(run: Run, what: 'answer' | 'lock', { store, timeoutMs }: Settings): () => void {
  const limit = `up to ${timeoutMs.value / 1000} s`;
  const back = run.leavable ? '; Esc goes back' : '';
  return what === 'answer'
    ? run.waiting.begin(`Waiting for ${new URL(store.value).host} (${limit}${back}) …`)
    : run.waiting.begin(`Waiting for another process that uses the store (${limit}) …`, { now: true });
}

/** Said before it happens. */
function sayUpgrade(out: Printer, store: string, { from, to, copy }: SchemaUpgrade): void {
  const before = copy === null ? 'its server keeps what was before' : `a copy as it was: ${copy}`;
  out.remark(`Upgrading the schema of ${store} from version ${from} to ${to}; ${before}`);
}
