import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsyncSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  type Stats,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import type { ErrorCode } from '../domain/error-codes.js';
import { KeysError } from '../domain/errors.js';
import { quoted } from '../domain/text.js';
import { errnoOf, explainErrno } from './errno.js';
import { decodeText, NotText, SAVE_AS_UTF8 } from './text.js';

const NOFOLLOW = constants.O_NOFOLLOW ?? 0;
const CREATE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | NOFOLLOW;

/** What a file must be to be read. */
export interface ReadRules {
  /** What the file is, as messages name it: `the manifest`. */
  readonly what: string;
  /** How messages name the file, where a shorter name was typed than the path that is read. */
  readonly shown?: string | undefined;
  /** The code of every error. */
  readonly code: ErrorCode;
  /** The hint for an error that has none of its own. */
  readonly hint?: string | undefined;
  readonly maxBytes: number;
  /** Refuse a file that other users can read. Default: false. */
  readonly ownerOnly?: boolean | undefined;
  /** Read a pipe or a device as well, and wait for its other end. Default: false, because nothing should wait for a mistaken path. */
  readonly pipes?: boolean | undefined;
  /** Refuse a symbolic link. Default: false. */
  readonly noLinks?: boolean | undefined;
  /** Keep a byte-order mark, for a text that is written back. Default: false. */
  readonly keepMark?: boolean | undefined;
  /** Looks at the open file, and throws what it refuses. */
  readonly check?: ((stats: Stats) => void) | undefined;
}

/** `1 MiB`, `64 KiB` */
function sizeText(bytes: number): string {
  return bytes % 1_048_576 === 0 ? `${bytes / 1_048_576} MiB` : `${Math.floor(bytes / 1024)} KiB`;
}

/** All bytes, but never more than `limit` of them: the size that a file reports may be wrong or may change. */
function readUpTo(descriptor: number, limit: number): Buffer {
  const pieces: Buffer[] = [];
  for (let total = 0; total < limit; ) {
    const piece = Buffer.allocUnsafe(Math.min(65_536, limit - total));
    const length = readSync(descriptor, piece);
    if (length === 0) break;
    pieces.push(piece.subarray(0, length));
    total += length;
  }
  return Buffer.concat(pieces);
}

/**
 * Reads a text file whole. Throws a {@link KeysError} with `rules.code` for a file that cannot be read, is not
 * UTF-8 or is against the rules. No message repeats what the file holds.
 */
export function readTextFile(file: string, rules: ReadRules): string {
  const bytes = readBytes(file, rules);
  try {
    return decodeText(bytes, { keepMark: rules.keepMark === true });
  } catch (error) {
    if (!(error instanceof NotText)) throw error;
    const { code, what, shown = file } = rules;
    throw new KeysError(code, `cannot read ${what} ${quoted(shown)}: ${error.message}`, SAVE_AS_UTF8, { cause: error });
  }
}

/** Reads a file whole, whatever it holds. Throws as {@link readTextFile} does. */
export function readBytes(file: string, rules: ReadRules): Buffer {
  const { what, code, hint, maxBytes } = rules;
  const refuse = (why: string, ownHint = hint, cause?: unknown) =>
    new KeysError(code, `cannot read ${what} ${quoted(rules.shown ?? file)}: ${why}`, ownHint, { cause });
  let descriptor: number | undefined;
  try {
    const wait = rules.pipes ? 0 : (constants.O_NONBLOCK ?? 0);
    descriptor = openSync(file, constants.O_RDONLY | wait | (rules.noLinks ? NOFOLLOW : 0));
    const stats = fstatSync(descriptor);
    if (!stats.isFile() && !(rules.pipes && !stats.isDirectory())) throw refuse('it is not a regular file');
    rules.check?.(stats);
    if (rules.ownerOnly && (stats.mode & 0o077) !== 0) throw refuse('other users can read it', `chmod 600 ${file}`);
    const bytes = readUpTo(descriptor, maxBytes + 1);
    if (bytes.length > maxBytes) throw refuse(`it is larger than ${sizeText(maxBytes)}`);
    return bytes;
  } catch (error) {
    if (error instanceof KeysError) throw error;
    throw refuse(explainErrno(error), hint, error);
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

/** The error for a file that could not be created or written: `conflict` where something is there already, `usage` otherwise. */
export function cannotWrite(error: unknown, what: string, file: string, hint: string): KeysError {
  return new KeysError(
    errnoOf(error) === 'EEXIST' ? 'conflict' : 'usage',
    `cannot write ${what} ${quoted(file)}: ${explainErrno(error, { creating: true })}`,
    hint,
    { cause: error },
  );
}

/** A new file, created for its owner alone (0600) and still empty. */
export interface NewFile {
  /** Writes the text and closes the file. When it returns, the disk has the file and its name; when it throws, the file is gone. */
  fill(text: string): void;
  /** As {@link fill}, and then gives the file the name `target`, in place of whatever has that name. */
  replace(target: string, text: string | Buffer): void;
  /** Gives the file the owner, the group and the mode of another. Throws what the file system says. */
  resemble(other: Stats): void;
  /** Closes the file and deletes it. Does nothing after a {@link replace}. */
  discard(): void;
}

/** Writes all of the text and waits until the disk has it. */
export function writeDurably(descriptor: number, text: string | Buffer): void {
  const bytes = typeof text === 'string' ? Buffer.from(text) : text;
  for (let offset = 0; offset < bytes.length; ) offset += writeSync(descriptor, bytes, offset);
  fsyncSync(descriptor);
}

/** Throws where Node lets nobody flush a file, whatever else is allowed: under its permission model. Asked before something is made. */
export function assertFlushes(descriptor: number): void {
  if (process.permission !== undefined) fsyncSync(descriptor);
}

/** Some file systems cannot do this, and a directory may be writable but not readable: the file itself is on the disk by then. */
const NO_DIRECTORY_SYNC = ['EACCES', 'EINVAL', 'EISDIR', 'ENOTSUP', 'EPERM'];

/** Waits until the disk has the names in the directory of `file`: a new file could otherwise be lost with its name. */
export function syncDirectory(file: string): void {
  try {
    const descriptor = openSync(path.dirname(file), constants.O_RDONLY);
    try {
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    if (!NO_DIRECTORY_SYNC.includes(errnoOf(error))) throw error;
  }
}

/**
 * Creates a file, never over another one and never through a link. Throws what the file system says (see {@link cannotWrite}); so do the
 * methods of the file.
 */
export function createPrivateFile(file: string): NewFile {
  let descriptor: number | undefined = openSync(file, CREATE, 0o600);
  let moved = false;
  const close = () => {
    if (descriptor !== undefined) closeSync(descriptor);
    descriptor = undefined;
  };
  const discard = () => {
    close();
    if (!moved) rmSync(file, { force: true });
  };
  const finish = (text: string | Buffer, target?: string) => {
    if (descriptor === undefined) throw new Error('the file was filled already');
    try {
      writeDurably(descriptor, text);
      close();
      if (target !== undefined) renameSync(file, target);
      moved = target !== undefined;
      syncDirectory(file);
    } catch (error) {
      discard();
      throw error;
    }
  };
  const resemble = ({ uid, gid, mode }: Stats) => {
    if (descriptor === undefined) throw new Error('the file was filled already');
    const own = fstatSync(descriptor);
    if (own.uid !== uid || own.gid !== gid) fchownSync(descriptor, uid, gid);
    fchmodSync(descriptor, mode & 0o7777);
  };
  try {
    assertFlushes(descriptor);
  } catch (error) {
    discard();
    throw error;
  }
  return { fill: (text) => finish(text), replace: (target, text) => finish(text, target), resemble, discard };
}
