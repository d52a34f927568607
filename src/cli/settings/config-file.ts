import path from 'node:path';
import { KeysError } from '../../domain/errors.js';
import { quoted } from '../../domain/text.js';
import { lookFor } from '../../files/exists.js';
import type { Context } from '../context.js';
import { readConfigText, unreadable } from './config-text.js';
import { directoryFromEnv, fromEnv } from './global-flags.js';
import type { Config } from './profile.js';

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

/** True when there is no file. A link to a missing file does not count as none: its target may have held guards. */
export function isMissing(ctx: Context, file: string): boolean {
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

/** The configuration; an empty one without a file. Throws `usage` that names every problem by line and column. */
export async function readConfig(ctx: Context): Promise<Config> {
  const file = configFile(ctx);
  if (isMissing(ctx, file)) return { file, defaultProfile: null, profiles: new Map() };
  const text = readConfigText(file, ctx.platform);
  const { parseConfig } = await import('./config-parse.js');
  return parseConfig(text, { file, home: () => ctx.home });
}
