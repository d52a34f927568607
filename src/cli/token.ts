import { spawnSync } from 'node:child_process';
import { KeysError } from '../domain/errors.js';
import { quoted } from '../domain/text.js';
import { readOwnFile } from '../secret-file.js';
import type { Context } from './context.js';
import type { Sourced } from './flags.js';
import type { Settings } from './settings.js';

/** The variable that holds a token. It is taken out of the environment when the tool starts. */
export const TOKEN_VARIABLE = 'UNLOCKOS_KEYS_AUTH_TOKEN';

/** Long enough for somebody to touch a sensor or type a PIN. */
const COMMAND_TIMEOUT_MS = 60_000;
const MAX_TOKEN_BYTES = 65_536;

/** Where the token comes from, without fetching it; null when there is none. `doctor` names it. */
export function tokenSource({ profile, isProfileStore }: Settings, ctx: Context): string | null {
  const variable = ctx.authToken === undefined ? null : TOKEN_VARIABLE;
  const own = isProfileStore ? profile?.value : undefined;
  const ofProfile = own?.tokenFile
    ? `tokenFile of profile ${own.name}`
    : own?.tokenCommand
      ? `tokenCommand of profile ${own.name}`
      : null;
  return profile?.source === '--profile' ? (ofProfile ?? variable) : (variable ?? ofProfile);
}

/**
 * The token for the store, fetched now. A profile's token goes to that profile's store alone. Throws `unauthorized` for a source that
 * does not give one, without repeating what it gave.
 */
export function readToken(settings: Settings, ctx: Context): Sourced<string> | null {
  const source = tokenSource(settings, ctx);
  if (source === null) return null;
  if (source === TOKEN_VARIABLE) return { value: clean(ctx.authToken ?? '', source), source };
  const { tokenFile, tokenCommand } = settings.profile?.value ?? {};
  const text = tokenFile ? fromFile(tokenFile, ctx.platform) : fromCommand(tokenCommand ?? [], ctx);
  return { value: clean(text, source), source };
}

function clean(text: string, source: string): string {
  const token = text.trim();
  if (token === '') throw new KeysError('unauthorized', `${source} gave no token`, 'it was empty');
  if (/[^\x21-\x7e]/.test(token))
    throw new KeysError(
      'unauthorized',
      `${source} gave a token that holds a blank, a line break or another character that no token has`,
      'it must give the token alone',
    );
  return token;
}

function fromFile(file: string, platform: NodeJS.Platform): string {
  return readOwnFile(
    file,
    platform,
    (why, hint) => new KeysError('unauthorized', `the token file ${quoted(file)} ${why}`, hint),
  );
}

/** No shell: the words are the command's own. It may ask on the terminal; what it prints is the token, and is not repeated. */
function fromCommand(words: readonly string[], ctx: Context): string {
  const [program = '', ...args] = words;
  const { status, signal, error, stdout } = spawnSync(program, args, {
    env: ctx.env as NodeJS.ProcessEnv,
    cwd: ctx.cwd,
    stdio: ['inherit', 'pipe', 'inherit'],
    timeout: COMMAND_TIMEOUT_MS,
    maxBuffer: MAX_TOKEN_BYTES,
    encoding: 'utf8',
  });
  const how = error ? ((error as NodeJS.ErrnoException).code ?? 'unknown error') : (signal ?? `exit ${status}`);
  if (error || status !== 0)
    throw new KeysError(
      'unauthorized',
      `the token command ${quoted(program)} gave no token (${how})`,
      'run it by hand; see tokenCommand in: unlockos-keys profile show',
    );
  return stdout;
}
