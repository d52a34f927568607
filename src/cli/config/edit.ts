import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { KeysError } from '../../domain/errors.js';
import { safeText } from '../../domain/text.js';
import type { Context } from '../context.js';
import { configFile, readConfigText } from './config-file.js';
import { parseConfig } from './parse.js';
import { type Document, isMap, parseDocument } from './yaml.js';

/** An edit takes milliseconds: a lock that stands longer was left by somebody who was killed. */
const LOCK_ATTEMPTS = 100;
const LOCK_PAUSE_MS = 20;

const HEADER = `# Profiles of unlockos-keys: named stores for --profile NAME. "default" is the one that is meant when none is named.
#
#   store         a path, or the URL of a libSQL server (libsql://, https://, wss://)
#   tokenFile     a file with the token for it, that only you can read; or
#   tokenCommand  a command that prints it, as a list: [op, read, "op://ops/unlockos/token"]
#   protected     true: disabling and deleting want the key's name typed (scripts: --confirm NAME)
#   testOnly      true: live keys are neither made nor changed
#   allowHttp     true: speak to a server unencrypted
#   defaults      output, expires, rateLimit: what is meant where no flag says it
profiles:
`;

function openLock(lock: string): number | null {
  try {
    return openSync(lock, 'wx', 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return null;
    throw unwritable(lock, error);
  }
}

function unwritable(file: string, error: unknown): KeysError {
  const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
  return new KeysError('usage', `cannot write ${safeText(file)} (${code})`, 'its directory must be yours to write');
}

/** The new file is its own lock: whoever makes it may write, and the others wait until it has taken the old one's place. */
async function takeLock(lock: string): Promise<number> {
  for (let attempt = 0; attempt < LOCK_ATTEMPTS; attempt++) {
    const descriptor = openLock(lock);
    if (descriptor !== null) return descriptor;
    await pause(LOCK_PAUSE_MS);
  }
  throw new KeysError(
    'conflict',
    `another command is changing the configuration: ${safeText(lock)} exists`,
    'when no other is running, one was killed half-way: remove that file',
  );
}

/** The file itself where it is a symbolic link, as those who keep their configuration elsewhere have it. */
function realFile(file: string): string {
  try {
    mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
    return existsSync(file) ? realpathSync(file) : file;
  } catch (error) {
    throw unwritable(file, error);
  }
}

/** Ends with the file as `change` made it, checked as a whole before anything is written. */
function changedText(
  text: string,
  source: Parameters<typeof parseConfig>[1],
  change: (document: Document) => void,
): string {
  parseConfig(text, source);
  const document = parseDocument(text);
  if (document.contents === null) document.contents = document.createNode({}) as never;
  const profiles = document.get('profiles');
  if (!isMap(profiles) || profiles.items.length === 0) document.set('profiles', document.createNode({})); // not in {}, in lines
  change(document as Document);
  const changed = document.toString({ lineWidth: 0 });
  parseConfig(changed, source);
  return changed;
}

/**
 * Changes the configuration file in place, with its comments and its order kept: read, changed, checked, written to a new file (0600)
 * that then takes the old one's place. Throws what reading throws, and `conflict` for a lock that nobody takes away.
 */
export async function editConfig(ctx: Context, change: (document: Document) => void): Promise<string> {
  const named = configFile(ctx);
  const file = realFile(named);
  const lock = `${file}.lock`;
  const descriptor = await takeLock(lock);
  try {
    const text = readConfigText(file, ctx.platform) ?? HEADER;
    writeFileSync(descriptor, changedText(text, { file: named, home: ctx.home, now: ctx.now() }, change));
    fsyncSync(descriptor);
    renameSync(lock, file);
    return named;
  } catch (error) {
    rmSync(lock, { force: true });
    throw error;
  } finally {
    closeSync(descriptor);
  }
}
