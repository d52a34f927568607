import { lstatSync, realpathSync, type Stats, statSync } from 'node:fs';
import path from 'node:path';
import { KeysError } from '../../domain/errors.js';
import { quoted, safeText } from '../../domain/text.js';
import { explainErrno } from '../../files/errno.js';
import { lookFor } from '../../files/exists.js';
import { readTextFile } from '../../files/private-file.js';
import type { Context } from '../context.js';
import { directoryFromEnv, fromEnv } from './global-flags.js';
import { type Config, MAX_CONFIG_BYTES } from './profile.js';

/** The place of the configuration: XDG on Linux and macOS, roaming application data on Windows. */
export function configFile(ctx: Context): string {
  const own = fromEnv(ctx, 'UNLOCKOS_KEYS_CONFIG_DIR');
  if (own !== undefined) {
    if (path.isAbsolute(own)) return path.join(own, 'config.yaml');
    throw new KeysError(
      'usage',
      `UNLOCKOS_KEYS_CONFIG_DIR ${quoted(own)} is not an absolute path`,
      "set it to one: a file of the working directory may be somebody else's",
    );
  }
  const base =
    ctx.platform === 'win32'
      ? (directoryFromEnv(ctx, 'APPDATA') ?? path.join(ctx.home, 'AppData', 'Roaming'))
      : (directoryFromEnv(ctx, 'XDG_CONFIG_HOME') ?? path.join(ctx.home, '.config'));
  return path.join(base, 'unlockos-keys', 'config.yaml');
}

/** Throws `unsafe_path` for what belongs neither to us nor to root. */
function assertOwned(name: string, stats: Stats): void {
  if (stats.uid !== process.getuid?.() && stats.uid !== 0)
    throw new KeysError(
      'unsafe_path',
      `refusing ${name}: it belongs to another user (uid ${stats.uid})`,
      'make it yours, or set UNLOCKOS_KEYS_CONFIG_DIR',
    );
}

/** Throws `unsafe_path` for a file or directory that others can write to: a `tokenCommand` in it is run. */
function assertOurs(file: string, stats: Stats, platform: NodeJS.Platform): void {
  if (platform === 'win32') return;
  const name = safeText(file);
  assertOwned(name, stats);
  const sticky = stats.isDirectory() && (stats.mode & 0o1000) !== 0;
  if ((stats.mode & 0o022) !== 0 && !sticky)
    throw new KeysError(
      'unsafe_path',
      `refusing ${name}: others can write to it, and it may name a command to run`,
      `chmod go-w ${name}`,
    );
}

/** Throws `unsafe_path` when others can write to the directory of `file`, which must exist. */
export function assertDirectoryOurs(file: string, platform: NodeJS.Platform): void {
  const directory = path.dirname(file);
  assertOurs(directory, statSync(directory), platform);
}

/** Throws `unsafe_path` when a link on the way to the file is somebody else's: it may lead to any file of ours, such as one of a repository. */
function assertLinksOurs(file: string, platform: NodeJS.Platform): void {
  if (platform === 'win32') return;
  for (let at = file; at !== path.dirname(at); at = path.dirname(at)) {
    const stats = lstatSync(at);
    if (stats.isSymbolicLink()) assertOwned(safeText(at), stats);
  }
}

/** Throws `usage` for a file that is too large. */
export function assertSize(file: string, bytes: number): void {
  if (bytes > MAX_CONFIG_BYTES)
    throw new KeysError('usage', `${safeText(file)} is too large for a configuration`, 'at most 256 KiB');
}

function unreadable(file: string, error: unknown): KeysError {
  const { code } = error as NodeJS.ErrnoException;
  const hint = code === 'ENOENT' ? 'it is a link to a file that does not exist' : 'make it readable for you';
  return new KeysError('usage', `cannot read ${safeText(file)}: ${explainErrno(error)}`, hint, { cause: error });
}

/** True when there is no file. A link to a missing file does not count as none: its target may have held guards. */
function isMissing(ctx: Context, file: string): boolean {
  try {
    return lookFor(file) === null; // a needless error costs half a millisecond
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOTDIR') throw unreadable(file, error);
    const own = fromEnv(ctx, 'UNLOCKOS_KEYS_CONFIG_DIR');
    if (own === undefined) return true; // services run with HOME=/dev/null
    throw new KeysError(
      'usage',
      `UNLOCKOS_KEYS_CONFIG_DIR ${quoted(own)} is not a directory`,
      'set it to the directory that holds config.yaml',
    );
  }
}

/** The text of the configuration file, or null without one. Throws `unsafe_path` or `usage`. */
export function readConfigText(ctx: Context): string | null {
  const file = configFile(ctx);
  if (isMissing(ctx, file)) return null;
  try {
    assertLinksOurs(file, ctx.platform);
    for (const name of new Set([file, realpathSync(file)])) assertDirectoryOurs(name, ctx.platform);
  } catch (error) {
    throw error instanceof KeysError ? error : unreadable(file, error);
  }
  return readTextFile(file, {
    what: 'the configuration',
    code: 'usage',
    maxBytes: MAX_CONFIG_BYTES,
    check: (stats) => assertOurs(file, stats, ctx.platform),
  });
}

/** The configuration; an empty one without a file. Throws `usage` that names every problem by line and column. */
export async function readConfig(ctx: Context): Promise<Config> {
  const file = configFile(ctx);
  const text = readConfigText(ctx);
  if (text === null) return { file, defaultProfile: null, profiles: new Map() };
  const { parseConfig } = await import('./config-parse.js');
  return parseConfig(text, { file, home: () => ctx.home });
}
