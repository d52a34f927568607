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
import { type Document, isMap, type Node, type Pair, parseDocument, type YAMLMap } from '../../yaml.js';
import type { Context } from '../context.js';
import { assertDirectoryOurs, assertSize, type Config, configFile, readConfigText } from './config-file.js';
import { parseConfig, type Source } from './parse.js';

/** An edit takes milliseconds: a lock that stands longer was left by somebody who was killed. */
const LOCK_ATTEMPTS = 100;
const LOCK_PAUSE_MS = 20;

const HEADER = `# Profiles of unlockos-keys: named stores for --profile NAME. "default" is the one that is meant when none is named.
#
#   store         a path, or the URL of a libSQL server (libsql://, https://, wss://)
#   tokenFile     a file with the token for it, that only you can read; or
#   tokenCommand  a command that prints it, as a list: [op, read, "op://ops/unlockos/token"]
#   pepperFile    a file with the peppers for its keys, that only you can read (store hash)
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

/** The lines `profiles:` and below, made where there are none yet; what was noted beside an empty one is kept. */
function withProfiles(document: Document): YAMLMap {
  if (!isMap(document.contents)) document.contents = document.createNode({}) as YAMLMap;
  const top = document.contents as YAMLMap;
  const old = top.get('profiles', true) as Node | undefined;
  if (isMap(old) && old.items.length > 0) return top;
  const fresh = document.createNode({}) as YAMLMap; // not in {}, in lines
  fresh.commentBefore = [old?.commentBefore, old?.comment].filter(Boolean).join('\n') || null;
  top.set('profiles', fresh);
  return top;
}

/** Ends with the file as `change` made it, checked as a whole before anything is written. */
function changed(text: string, source: Source, change: ConfigChange): { text: string; config: Config } {
  const before = parseConfig(text, source);
  const document = parseDocument(text) as Document;
  const top = withProfiles(document);
  const first = top.items[0] as Pair<Node>;
  change(document, before);
  const next = top.items[0] as Pair<Node> | undefined;
  // What stands above the first line is about the file, and stays when that line goes.
  if (next && !top.items.includes(first))
    next.key.commentBefore = [first.key.commentBefore, next.key.commentBefore].filter(Boolean).join('\n') || null;
  const result = document.toString({ lineWidth: 0 });
  assertSize(source.file, Buffer.byteLength(result));
  return { text: result, config: parseConfig(result, { ...source, isDraft: true }) };
}

/** Changes the document; throws what it will not do. It is handed what the file says at that moment, which nobody else changes meanwhile. */
export type ConfigChange = (document: Document, config: Config) => void;

/**
 * Changes the configuration file in place, with its comments and its order kept: read, changed, checked, written to a new file (0600)
 * that then takes the old one's place. The answer is what it says now, or with `dryRun`, when nothing is written, what it would say.
 * Throws what reading and `change` throw, and `conflict` for a lock that nobody takes away.
 */
export async function editConfig(
  ctx: Context,
  change: ConfigChange,
  options: { dryRun?: boolean } = {},
): Promise<Config> {
  const named = configFile(ctx);
  const apply = () => changed(readConfigText(ctx) ?? HEADER, { file: named, home: ctx.home }, change);
  if (options.dryRun) return apply().config;
  const file = realFile(named);
  assertDirectoryOurs(file, ctx.platform);
  const lock = `${file}.lock`;
  const descriptor = await takeLock(lock);
  try {
    const { text, config } = apply();
    replace(descriptor, text, lock, file);
    return config;
  } catch (error) {
    rmSync(lock, { force: true });
    throw error;
  } finally {
    closeSync(descriptor);
  }
}

/** Writes the new file, the lock until now, and puts it in place of the old one. */
function replace(descriptor: number, text: string, lock: string, file: string): void {
  try {
    writeFileSync(descriptor, text);
    fsyncSync(descriptor);
    renameSync(lock, file);
  } catch (error) {
    throw unwritable(file, error);
  }
}
