import { readFileSync, realpathSync, type Stats, statSync } from 'node:fs';
import path from 'node:path';
import { KeysError } from '../../domain/errors.js';
import { safeText } from '../../domain/text.js';
import type { Context } from '../context.js';
import { type Format, fromEnv } from '../flags.js';

/** A named store: where it is, how to get in, what is asked of those who change it, and what is meant where a flag says nothing. */
export interface Profile {
  readonly name: string;
  /** An absolute path, or a URL. */
  readonly store: string;
  readonly tokenFile: string | null;
  /** A program and its arguments; no shell. */
  readonly tokenCommand: readonly string[] | null;
  readonly allowHttp: boolean;
  readonly protected: boolean;
  readonly testOnly: boolean;
  readonly defaults: {
    readonly output: Format | null;
    readonly expires: string | null;
    readonly rateLimit: string | null;
  };
}

export interface Config {
  readonly file: string;
  readonly defaultProfile: string | null;
  readonly profiles: ReadonlyMap<string, Profile>;
}

const MAX_BYTES = 256 * 1024;

/** Where the configuration is: XDG on Linux and macOS, roaming application data on Windows. */
export function configFile(ctx: Context): string {
  const own = fromEnv(ctx, 'UNLOCKOS_KEYS_CONFIG_DIR');
  if (own) return path.resolve(ctx.cwd, own, 'config.yaml');
  const xdg = fromEnv(ctx, 'XDG_CONFIG_HOME');
  const base =
    ctx.platform === 'win32'
      ? (fromEnv(ctx, 'APPDATA') ?? path.join(ctx.home, 'AppData', 'Roaming'))
      : xdg && path.isAbsolute(xdg)
        ? xdg
        : path.join(ctx.home, '.config');
  return path.join(base, 'unlockos-keys', 'config.yaml');
}

/** Throws `unsafe_path` for what others can write to: a `tokenCommand` in it is run. */
function assertOurs(file: string, stats: Stats, platform: NodeJS.Platform): void {
  if (platform === 'win32') return;
  const mine = stats.uid === process.getuid?.() || stats.uid === 0;
  const name = safeText(file);
  if (!mine)
    throw new KeysError(
      'unsafe_path',
      `refusing ${name}: it belongs to another user (uid ${stats.uid})`,
      'make it yours, or set UNLOCKOS_KEYS_CONFIG_DIR',
    );
  const sticky = stats.isDirectory() && (stats.mode & 0o1000) !== 0;
  if ((stats.mode & 0o022) !== 0 && !sticky)
    throw new KeysError(
      'unsafe_path',
      `refusing ${name}: others can write to it, and it may name a command to run`,
      `chmod go-w ${name}`,
    );
}

function unreadable(file: string, error: unknown): KeysError {
  const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
  return new KeysError('usage', `cannot read ${safeText(file)} (${code})`, 'make it readable for you');
}

/** The text of the file, or null when there is none. Throws `unsafe_path` or `usage`. */
export function readConfigText(file: string, platform: NodeJS.Platform): string | null {
  let stats: Stats;
  try {
    stats = statSync(file);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return null;
    throw unreadable(file, error);
  }
  if (!stats.isFile()) throw new KeysError('usage', `${safeText(file)} is not a file`, 'move it out of the way');
  assertOurs(file, stats, platform);
  const directory = path.dirname(realpathSync(file));
  assertOurs(directory, statSync(directory), platform);
  if (stats.size > MAX_BYTES)
    throw new KeysError('usage', `${safeText(file)} is too large for a configuration`, 'at most 256 KiB');
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw unreadable(file, error);
  }
}

/** What the file says; without a file, nothing. Throws `usage`, with the line, for whatever it does not understand. */
export async function readConfig(ctx: Context): Promise<Config> {
  const file = configFile(ctx);
  const text = readConfigText(file, ctx.platform);
  if (text === null) return { file, defaultProfile: null, profiles: new Map() };
  const { parseConfig } = await import('./parse.js');
  return parseConfig(text, { file, home: ctx.home, now: ctx.now() });
}
