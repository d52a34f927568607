import { realpathSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { KeysError } from '../../domain/errors.js';
import { safeText } from '../../domain/text.js';
import { errnoOf, explainErrno } from '../../files/errno.js';
import { makeDirectory } from '../../files/make-directory.js';
import { createPrivateFile, type NewFile } from '../../files/private-file.js';
import { type Document, isMap, type Node, type Pair, parseDocument, type YAMLMap } from '../../yaml/yaml.js';
import type { Context } from '../context.js';
import { configFile, isMissing } from './config-file.js';
import { parseConfig, type Source } from './config-parse.js';
import { assertDirectoryOurs, assertSize, readConfigText } from './config-text.js';
import type { Config } from './profile.js';

/** An edit takes milliseconds: a lock that is older was left by a command that was killed. */
const LOCK_ATTEMPTS = 100;
const LOCK_PAUSE_MS = 20;

const HEADER = `# Profiles of unlockos-keys: named stores for --profile NAME. "default" is the profile that is used when none is named.
#
#   store         a path, or the URL of a libSQL server (libsql://, https://, wss://)
#   tokenFile     a file with the token for it, that only you can read; or
#   tokenCommand  a command that prints it, as a list: [op, read, "op://ops/unlockos/token"]
#   pepperFile    a file with the peppers for its keys, that only you can read (store hash)
#   protected     true: disabling or deleting a key needs its name (scripts: --confirm NAME)
#   testOnly      true: live keys are neither created nor changed
#   allowHttp     true: a connection to the server may be unencrypted
#   defaults      output, expires, rateLimit: what applies where no flag is given
profiles:
`;

function openLock(lock: string): NewFile | null {
  try {
    return createPrivateFile(lock);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return null;
    throw unwritable(lock, error);
  }
}

function unwritable(file: string, error: unknown): KeysError {
  const why = explainErrno(error, { creating: true });
  return new KeysError('usage', `cannot write ${safeText(file)}: ${why}`, 'its directory must be writable for you', {
    cause: error,
  });
}

/** The new file is its own lock: the command that creates it may write, and others wait until it has replaced the old file. */
async function takeLock(lock: string): Promise<NewFile> {
  for (let attempt = 0; attempt < LOCK_ATTEMPTS; attempt++) {
    const created = openLock(lock);
    if (created !== null) return created;
    await pause(LOCK_PAUSE_MS);
  }
  throw new KeysError(
    'conflict',
    `another command is changing the configuration: ${safeText(lock)} exists`,
    'if no other command is running, one was killed: remove that file',
  );
}

/** The target of the file where it is a symbolic link: some people keep their configuration elsewhere. */
function realFile(file: string): string {
  try {
    makeDirectory(path.dirname(file));
    return realpathSync(file);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return file; // a link to nothing is refused when it is read
    throw unwritable(file, error);
  }
}

/** The top of the document, with a `profiles` mapping that is written in lines. Comments beside an empty one are kept. */
function withProfiles(document: Document): YAMLMap {
  if (!isMap(document.contents)) document.contents = document.createNode({}) as YAMLMap;
  const top = document.contents as YAMLMap;
  const old = top.get('profiles', true) as Node | undefined;
  if (isMap(old) && old.items.length > 0) return top;
  const fresh = document.createNode({}) as YAMLMap; // written in lines, not as {}
  fresh.commentBefore = [old?.commentBefore, old?.comment].filter(Boolean).join('\n') || null;
  top.set('profiles', fresh);
  return top;
}

/** The text after `change`, checked as a whole before anything is written. */
function changed(text: string, source: Source, change: ConfigChange): { text: string; config: Config } {
  const before = parseConfig(text, source);
  const document = parseDocument(text) as Document;
  const top = withProfiles(document);
  const first = top.items[0] as Pair<Node>;
  change(document, before);
  const next = top.items[0] as Pair<Node> | undefined;
  // A comment above the first line is about the file, and stays when that line is removed.
  if (next && !top.items.includes(first))
    next.key.commentBefore = [first.key.commentBefore, next.key.commentBefore].filter(Boolean).join('\n') || null;
  const result = document.toString({ lineWidth: 0 });
  assertSize(source.file, Buffer.byteLength(result));
  return { text: result, config: parseConfig(result, { ...source, isDraft: true }) };
}

/** Changes the document, or throws. `config` is what the file says now; no other command changes it meanwhile. */
export type ConfigChange = (document: Document, config: Config) => void;

/**
 * Changes the configuration file and keeps its comments and order. The result is checked, then written to a new file (0600) that replaces
 * the old one. Resolves to the configuration after the change; with `dryRun`, nothing is written. Throws what reading and `change` throw,
 * and `conflict` for a lock that is not released.
 */
export async function editConfig(
  ctx: Context,
  change: ConfigChange,
  options: { dryRun?: boolean } = {},
): Promise<Config> {
  const named = configFile(ctx);
  const read = () => (isMissing(ctx, named) ? HEADER : readConfigText(named, ctx.platform));
  const apply = () => changed(read(), { file: named, home: () => ctx.home }, change);
  if (options.dryRun) return apply().config;
  const file = realFile(named);
  assertDirectoryOurs(file, ctx.platform);
  const lock = `${file}.lock`;
  const created = await takeLock(lock);
  try {
    const { text, config } = apply();
    replace(created, file, text);
    return config;
  } catch (error) {
    created.discard();
    throw error;
  }
}

/** Writes the new file, which was the lock until now, and replaces the old one with it. */
function replace(created: NewFile, file: string, text: string): void {
  try {
    created.replace(file, text);
  } catch (error) {
    throw unwritable(file, error);
  }
}
