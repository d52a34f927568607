import { createHash, randomUUID } from 'node:crypto';
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import type { AuditHead } from '../../domain/audit.js';
import { explainErrno } from '../../files/errno.js';
import { lookFor } from '../../files/exists.js';
import { readBytes } from '../../files/private-file.js';
import type { Context } from '../context.js';
import { directoryFromEnv } from './global-flags.js';

/** The end of an audit log as it was seen last. */
export interface SeenHead {
  /** The path or URL of the store. */
  readonly location: string;
  /** The hash of the first row of its log, which no two stores share. */
  readonly birth: string;
  readonly head: AuditHead;
  /** When that was, in ISO-8601. */
  readonly at: string;
}

/** More files than this are not kept: the oldest are of stores that nobody uses any more. */
const MOST_FILES = 500;
const HASH = /^[0-9a-f]{64}$/;
/** How a file is called until it is written: for a moment. */
const NEW = '.new-';
const HOUR_MS = 3_600_000;

/** True for what belongs to us and nobody else can write. On Windows, the user's own directories are so. */
function isOurs({ uid, mode }: Stats): boolean {
  return process.platform === 'win32' || (uid === process.getuid?.() && (mode & 0o022) === 0);
}

/** A link of ours counts as what it leads to. */
function isOurDirectory(name: string): boolean {
  const entry = lstatSync(name);
  const isOurLink = entry.isSymbolicLink() && (process.platform === 'win32' || entry.uid === process.getuid?.());
  const directory = isOurLink ? statSync(name) : entry;
  return directory.isDirectory() && isOurs(directory);
}

function nameOf(location: string): string {
  return createHash('sha256').update(location).digest('hex').slice(0, 24);
}

/** The nearest directory above that exists. */
function nearest(directory: string): string {
  return lookFor(directory) || path.dirname(directory) === directory ? directory : nearest(path.dirname(directory));
}

function discard(file: string): void {
  try {
    rmSync(file, { force: true });
  } catch {
    // its directory cannot be reached any more
  }
}

/** A store by its real path, or its URL. */
export function realLocation(location: string): string {
  try {
    return location.includes('://') ? location : realpathSync(location);
  } catch {
    return location;
  }
}

function readSeen(file: string): SeenHead | null {
  try {
    const bytes = readBytes(file, {
      what: 'what was remembered',
      code: 'usage',
      maxBytes: 16_384,
      noLinks: true,
      check(stats) {
        if (!isOurs(stats) || stats.nlink !== 1) throw new Error('not ours');
      },
    });
    const { location, birth, seq, hash, at } = JSON.parse(bytes.toString('utf8'));
    if (![location, birth, hash, at].every((each) => typeof each === 'string')) return null;
    if (!HASH.test(hash) || !HASH.test(birth) || !Number.isSafeInteger(seq) || seq < 1) return null;
    return { location, birth, head: { seq, hash }, at };
  } catch {
    return null;
  }
}

/**
 * Where this user saw each audit log end last, in the state directory. Every end is a new file, whose name holds its number: two processes
 * never write the same file, and the highest number counts. What belongs to somebody else is not believed, and nothing here ever throws.
 */
export class HeadMemory {
  /** Where the files are; null with `why` where nothing can be remembered. */
  readonly #directory: string | null;
  readonly #why: string = '';
  readonly #now: () => Date;

  constructor(ctx: Context) {
    this.#now = ctx.now;
    try {
      const state =
        ctx.platform === 'win32'
          ? (directoryFromEnv(ctx, 'LOCALAPPDATA') ?? path.join(ctx.home, 'AppData', 'Local'))
          : (directoryFromEnv(ctx, 'XDG_STATE_HOME') ?? path.join(ctx.home, '.local', 'state'));
      const directory = path.join(state, 'unlockos-keys', 'audit-heads');
      const above = nearest(directory);
      if (isOurDirectory(above)) this.#directory = directory;
      else {
        this.#directory = null;
        this.#why = `${above} is not a directory that only you can write to`;
      }
    } catch (error) {
      this.#directory = null;
      this.#why = error instanceof Error && 'code' in error ? explainErrno(error) : 'there is no home directory';
    }
  }

  /** Why nothing is remembered; empty where it is. */
  get why(): string {
    return this.#why;
  }

  #files(): string[] {
    try {
      return this.#directory === null
        ? []
        : readdirSync(this.#directory).filter((name) => /^[0-9a-f]{24}-\d{15}$/.test(name));
    } catch {
      return [];
    }
  }

  #read(names: readonly string[]): SeenHead[] {
    return names.flatMap((name) => readSeen(path.join(this.#directory ?? '', name)) ?? []);
  }

  /** What was seen at this place last; null when nothing was. */
  at(location: string): SeenHead | null {
    const place = realLocation(location);
    const names = this.#files()
      .filter((name) => name.startsWith(`${nameOf(place)}-`))
      .sort()
      .reverse();
    return this.#read(names).find((seen) => seen.location === place) ?? null;
  }

  /** What was seen last of this store at places where there is nothing now: it was moved from there. */
  movedFrom(birth: string): SeenHead | null {
    const gone = ({ location }: SeenHead) => {
      try {
        return !location.includes('://') && lookFor(location) === null;
      } catch {
        return false;
      }
    };
    const seen = this.#read(this.#files()).filter((each) => each.birth === birth && gone(each));
    return seen.sort((a, b) => b.head.seq - a.head.seq)[0] ?? null;
  }

  /**
   * Remembers an end of a log. The caller has made sure that it contains what was remembered before, or passes `instead`: the end takes the
   * place of a later one, too. Answers whether it was remembered.
   */
  note(location: string, birth: string, head: AuditHead, { instead = false } = {}): boolean {
    if (this.#directory === null || head.seq < 1) return false;
    const place = realLocation(location);
    const prefix = nameOf(place);
    const name = `${prefix}-${String(head.seq).padStart(15, '0')}`;
    const file = path.join(this.#directory, name);
    const fresh = path.join(this.#directory, `${NEW}${randomUUID()}`);
    try {
      mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
      if (!isOurs(lstatSync(this.#directory))) return false;
      const text = JSON.stringify({ location: place, birth, ...head, at: this.#now().toISOString() });
      writeFileSync(fresh, `${text}\n`, { flag: 'wx', mode: 0o600 });
      renameSync(fresh, file);
      const all = this.#files().filter((each) => each.startsWith(`${prefix}-`));
      const kept = instead ? name : all.sort().at(-1); // another process may have noted a later end meanwhile
      const others = all.filter((each) => each !== kept);
      for (const each of [...others, ...this.#oldest(), ...this.#cutOff()])
        rmSync(path.join(this.#directory, each), { force: true });
      return true;
    } catch {
      discard(fresh);
      return false;
    }
  }

  /** What a process that was killed had begun to write. */
  #cutOff(): string[] {
    const directory = this.#directory ?? '';
    const isOld = (name: string) => {
      const stats = lookFor(path.join(directory, name));
      return stats && this.#now().getTime() - stats.mtimeMs > HOUR_MS;
    };
    return readdirSync(directory).filter((name) => name.startsWith(NEW) && isOld(name));
  }

  #oldest(): string[] {
    const names = this.#files();
    if (names.length <= MOST_FILES) return [];
    const age = (name: string) => lstatSync(path.join(this.#directory ?? '', name)).mtimeMs;
    return names
      .map((name) => [age(name), name] as const)
      .sort()
      .slice(0, names.length - MOST_FILES)
      .map(([, name]) => name);
  }
}
