import { closeSync, constants, openSync } from 'node:fs';
import { KeysError } from '../../domain/errors.js';
import { newPepper, Peppers } from '../../domain/peppers.js';
import { isThere } from '../../files/exists.js';
import { readPepperFile } from '../../files/pepper-file.js';
import { cannotWrite, createPrivateFile, writeDurably } from '../../files/private-file.js';
import type { Context } from '../context.js';
import { fromEnv } from './global-flags.js';
import type { Settings } from './settings.js';

/** The variable that holds peppers. Like the token, it is removed from the environment when the tool starts. */
export const PEPPERS_VARIABLE = 'UNLOCKOS_KEYS_PEPPERS';

/** The source of peppers. A profile's file is used for that profile's store only. */
export type PepperSource =
  | { readonly kind: 'variable'; readonly source: string }
  | { readonly kind: 'file'; readonly file: string; readonly source: string };

/** Null when none is configured: most stores need no pepper. */
export function pepperSource({ profile, isProfileStore }: Settings, ctx: Context): PepperSource | null {
  const own = isProfileStore ? profile?.value.pepperFile : null;
  const ofProfile = own
    ? ({ kind: 'file', file: own, source: `pepperFile of profile ${profile?.value.name}` } as const)
    : null;
  if (ofProfile && profile?.source === '--profile') return ofProfile;
  if (ctx.peppers !== undefined) return { kind: 'variable', source: PEPPERS_VARIABLE };
  const file = fromEnv(ctx, 'UNLOCKOS_KEYS_PEPPER_FILE');
  return file === undefined ? ofProfile : { kind: 'file', file, source: 'UNLOCKOS_KEYS_PEPPER_FILE' };
}

/**
 * Reads the peppers. A missing file counts as empty: a command that needs a pepper reports it. Throws `usage` or `unsafe_path` for a
 * file with other content, or one that others can read.
 */
export function readPeppers(settings: Settings, ctx: Context): Peppers {
  const found = pepperSource(settings, ctx);
  if (found === null) return Peppers.none;
  if (found.kind === 'variable') return Peppers.parse(ctx.peppers ?? '', found.source);
  return isThere(found.file, 'unsafe_path') ? readPepperFile(found.file, ctx.platform) : Peppers.none;
}

/**
 * Makes a pepper and adds it to a file. A new file gets mode 0600; an existing one is checked first, and stays unchanged if it holds
 * anything but peppers. Returns the id of the new pepper and all ids in the file. Throws `unsafe_path` or `usage`.
 */
export function addPepperTo(file: string, platform: NodeJS.Platform): { id: string; ids: readonly string[] } {
  const { id, line } = newPepper();
  try {
    if (!isThere(file, 'unsafe_path')) createPrivateFile(file).fill(line);
    else {
      readPepperFile(file, platform);
      append(file, line);
    }
  } catch (error) {
    if (error instanceof KeysError) throw error;
    const { message } = cannotWrite(error, 'the pepper file', file, '');
    throw new KeysError('unsafe_path', message, 'name a file of your own, in a directory that exists', {
      cause: error,
    });
  }
  return { id, ids: readPepperFile(file, platform).ids };
}

function append(file: string, line: string): void {
  const descriptor = openSync(file, constants.O_WRONLY | constants.O_APPEND | (constants.O_NOFOLLOW ?? 0));
  try {
    writeDurably(descriptor, line);
  } finally {
    closeSync(descriptor);
  }
}
