import path from 'node:path';
import { KeysError } from '../../domain/errors.js';
import { quoted } from '../../domain/text.js';
import { readTextFile } from '../../files/private-file.js';
import { isStoreUrl, parseStoreUrl } from '../../store/remote/address.js';
import type { Context } from '../context.js';
import { fromEnv, type Sourced } from './global-flags.js';
import type { Settings } from './settings.js';

/** The variable that holds a token. It is removed from the environment when the tool starts. */
export const TOKEN_VARIABLE = 'UNLOCKOS_KEYS_AUTH_TOKEN';

/** Long enough for a person to touch a sensor or type a PIN. */
const COMMAND_TIMEOUT_MS = 60_000;
const MAX_TOKEN_BYTES = 65_536;

/**
 * True when the token of the environment is for the server of this store. A store that the environment names beside it says whose token it
 * is: `--store URL`, or a profile, must not hand it to another server.
 */
function isForVariable({ store }: Settings, ctx: Context): boolean {
  const beside = fromEnv(ctx, 'UNLOCKOS_KEYS_STORE');
  if (beside === undefined || !isStoreUrl(beside) || !isStoreUrl(store.value)) return true;
  try {
    const [theirs, ours] = [beside, store.value].map((text) => parseStoreUrl(text, { allowHttp: true }));
    return theirs?.host === ours?.host && theirs?.port === ours?.port;
  } catch {
    return false; // what the environment names is not an address
  }
}

/** True when the environment has a token that would be used, were it not for another server. */
export function isVariableWithheld(settings: Settings, ctx: Context): boolean {
  return ctx.authToken !== undefined && tokenSource(settings, ctx) === null && !isForVariable(settings, ctx);
}

/** The source of the token, for `doctor`, without reading the token; null when no source is set. */
export function tokenSource(settings: Settings, ctx: Context): string | null {
  const { profile, isProfileStore } = settings;
  const variable = ctx.authToken === undefined || !isForVariable(settings, ctx) ? null : TOKEN_VARIABLE;
  const own = isProfileStore ? profile?.value : undefined;
  const ofProfile = own?.tokenFile
    ? `tokenFile of profile ${own.name}`
    : own?.tokenCommand
      ? `tokenCommand of profile ${own.name}`
      : null;
  return profile?.source === '--profile' ? (ofProfile ?? variable) : (variable ?? ofProfile);
}

/**
 * Reads the token for the store. A profile's token is used for that profile's store only. Throws `unauthorized` when the source gives no
 * usable token; the message does not repeat its output.
 */
export async function readToken(settings: Settings, ctx: Context, quiet = false): Promise<Sourced<string> | null> {
  const source = tokenSource(settings, ctx);
  if (source === null) return null;
  if (source === TOKEN_VARIABLE) return { value: clean(ctx.authToken ?? '', source), source };
  const { tokenFile, tokenCommand } = settings.profile?.value ?? {};
  const text = tokenFile
    ? fromFile(tokenFile, ctx.platform)
    : await fromCommand(tokenCommand ?? [], settings, ctx, quiet);
  return { value: clean(text, source), source };
}

function clean(text: string, source: string): string {
  const token = text.trim();
  if (token === '') throw new KeysError('unauthorized', `${source} gave no token`, 'it was empty');
  if (/[^\x21-\x7e]/.test(token))
    throw new KeysError(
      'unauthorized',
      `${source} gave a token with a space, a line break or another character that tokens cannot have`,
      'it must give the token and nothing else',
    );
  return token;
}

function fromFile(file: string, platform: NodeJS.Platform): string {
  return readTextFile(file, {
    what: 'the token file',
    code: 'unauthorized',
    maxBytes: MAX_TOKEN_BYTES,
    ownerOnly: platform !== 'win32',
    hint: 'see tokenFile in: unlockos-keys profile show',
  });
}

async function fromCommand(
  words: readonly string[],
  settings: Settings,
  ctx: Context,
  quiet: boolean,
): Promise<string> {
  const { runTokenCommand } = await import('./token-command.js');
  const cwd = path.dirname(settings.config.file);
  try {
    return await runTokenCommand(words, ctx, { cwd, timeoutMs: COMMAND_TIMEOUT_MS, maxBytes: MAX_TOKEN_BYTES, quiet });
  } catch (error) {
    throw new KeysError(
      'unauthorized',
      `the token command ${quoted(words[0] ?? '')} gave no token (${error instanceof Error ? error.message : String(error)})`,
      'run it by hand; see tokenCommand in: unlockos-keys profile show',
    );
  }
}
