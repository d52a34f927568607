import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readFileSync,
  realpathSync,
  type Stats,
  statSync,
} from 'node:fs';
import path from 'node:path';
import { KeysError } from '../../domain/errors.js';
import { quoted, safeText } from '../../domain/text.js';
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
  /** The file of peppers for its keys. */
  readonly pepperFile: string | null;
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

/** Throws `unsafe_path` when others can write to the directory that `file` stands in, which must be there. */
export function assertDirectoryOurs(file: string, platform: NodeJS.Platform): void {
  const directory = path.dirname(file);
  assertOurs(directory, statSync(directory), platform);
}

/** Throws `usage` for more bytes than a configuration has. */
export function assertSize(file: string, bytes: number): void {
  if (bytes > MAX_BYTES)
    throw new KeysError('usage', `${safeText(file)} is too large for a configuration`, 'at most 256 KiB');
}

function unreadable(file: string, error: unknown): KeysError {
  const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
  const hint = code === 'ENOENT' ? 'it is a link to what is not there' : 'make it readable for you';
  return new KeysError('usage', `cannot read ${safeText(file)} (${code})`, hint, { cause: error });
}

/** True when nothing stands there. A link to nothing is something: guards were named there, and are gone. */
function isMissing(ctx: Context, file: string): boolean {
  try {
    return lstatSync(file, { throwIfNoEntry: false }) === undefined; // an error thrown for nothing costs half a millisecond
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOTDIR') throw unreadable(file, error);
    const own = fromEnv(ctx, 'UNLOCKOS_KEYS_CONFIG_DIR');
    if (own === undefined) return true; // HOME=/dev/null, as services have it
    throw new KeysError(
      'usage',
      `UNLOCKOS_KEYS_CONFIG_DIR ${quoted(own)} is not a directory`,
      'it names the directory that config.yaml is in',
    );
  }
}

/** The text of the configuration file, or null when there is none. Throws `unsafe_path` or `usage`. */
export function readConfigText(ctx: Context): string | null {
  const file = configFile(ctx);
  if (isMissing(ctx, file)) return null;
  let descriptor: number | undefined;
  try {
    for (const name of new Set([file, realpathSync(file)])) assertDirectoryOurs(name, ctx.platform);
    descriptor = openSync(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)); // else a named pipe holds us up
    const stats = fstatSync(descriptor);
    if (!stats.isFile()) throw new KeysError('usage', `${safeText(file)} is not a file`, 'move it out of the way');
    assertOurs(file, stats, ctx.platform);
    assertSize(file, stats.size);
    return decoded(file, readFileSync(descriptor));
  } catch (error) {
    throw error instanceof KeysError ? error : unreadable(file, error);
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

/** What is no text is refused rather than read with holes in it. */
function decoded(file: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw new KeysError('usage', `${safeText(file)} is not UTF-8`, 'save it as UTF-8', { cause: error });
  }
}

/** What the file says; without a file, nothing. Throws `usage`, with the line, for whatever it does not understand. */
export async function readConfig(ctx: Context): Promise<Config> {
  const file = configFile(ctx);
  const text = readConfigText(ctx);
  if (text === null) return { file, defaultProfile: null, profiles: new Map() };
  const { parseConfig } = await import('./parse.js');
  return parseConfig(text, { file, home: ctx.home });
}
