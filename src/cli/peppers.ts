import { appendFileSync, closeSync, constants, existsSync, openSync } from 'node:fs';
import { KeysError } from '../domain/errors.js';
import { newPepper, Peppers } from '../domain/peppers.js';
import { quoted } from '../domain/text.js';
import { readPepperFile } from '../secret-file.js';
import type { Context } from './context.js';
import { fromEnv } from './flags.js';
import type { Settings } from './settings.js';

/** The variable that holds peppers themselves. Like a token, it is taken out of the environment when the tool starts. */
export const PEPPERS_VARIABLE = 'UNLOCKOS_KEYS_PEPPERS';

/** Where peppers come from. A profile's file goes with that profile's store alone. */
export type PepperSource =
  | { readonly kind: 'variable'; readonly source: string }
  | { readonly kind: 'file'; readonly file: string; readonly source: string };

/** Null where nothing was said: most stores need none. */
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
 * The peppers at hand. A file that is not there holds none: what needs one says so. Throws `usage` or `unsafe_path` for a file that
 * holds something else, or that others can read.
 */
export function readPeppers(settings: Settings, ctx: Context): Peppers {
  const found = pepperSource(settings, ctx);
  if (found === null) return Peppers.none;
  if (found.kind === 'variable') return Peppers.parse(ctx.peppers ?? '', found.source);
  return existsSync(found.file) ? readPepperFile(found.file, ctx.platform) : Peppers.none;
}

/**
 * Makes a pepper and adds it to a file: a new one is born for its owner alone, one that exists is read first. Answers all the ids that it
 * then holds. Throws `unsafe_path` or `usage`, and leaves a file alone that is none of peppers.
 */
export function addPepperTo(file: string, platform: NodeJS.Platform): { id: string; ids: readonly string[] } {
  const { id, line } = newPepper();
  const flags = constants.O_WRONLY | constants.O_APPEND | (constants.O_NOFOLLOW ?? 0);
  const add = (how: number): void => {
    const descriptor = openSync(file, how, 0o600);
    try {
      appendFileSync(descriptor, line);
    } finally {
      closeSync(descriptor);
    }
  };
  try {
    if (!existsSync(file)) add(flags | constants.O_CREAT | constants.O_EXCL);
    else {
      readPepperFile(file, platform);
      add(flags);
    }
  } catch (error) {
    if (error instanceof KeysError) throw error;
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    throw new KeysError(
      'unsafe_path',
      `cannot write the pepper file ${quoted(file)} (${code})`,
      'a file of your own, in a directory that exists',
    );
  }
  return { id, ids: readPepperFile(file, platform).ids };
}
