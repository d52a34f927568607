import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  realpathSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';

// V8's compiled form of the files that a command loads, kept between runs: with it, V8 neither parses nor compiles them. It is executable
// code, and V8 believes what it is given, so nothing is read that this user did not write, and nothing that is not whole
// (docs/decisions/0006-bundle.md). Whatever is wrong, the files are compiled as usual: nothing here ever throws.

/** The command for which the build makes a form in any case. */
const ALWAYS = 'list';
const MOST_BYTES = 16_777_216;
const MOST_HEADER_BYTES = 16_384;
const SCRATCH_BYTES = 65_536;
const UNUSED_MS = 90 * 86_400_000;

/** What one run loads of a file that was compiled before, and what it gives back. */
export interface Script {
  readonly cachedDataRejected?: boolean | undefined;
  createCachedData(): Buffer;
}

/** Where compiled forms are. */
interface Place {
  readonly folder: string;
  /** Who alone can write there. */
  readonly owner: number;
  /** Whether this process puts some there. */
  readonly writes: boolean;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Names a file as it is now: another content has another time of change, which nobody can set. */
export function identityOf({ dev, ino, size, mtimeMs, ctimeMs }: Stats): string {
  return `${dev}:${ino}:${size}:${mtimeMs}:${ctimeMs}`;
}

/** The exact Node that runs: V8 compares only its own version, and crashes on what another build of that version wrote. `name`: most of it, for a file name. */
function runningNode(): { readonly identity: string; readonly name: string } {
  const { version, arch, platform, versions, execPath } = process;
  const binary = statSync('/proc/self/exe', { throwIfNoEntry: false }) ?? statSync(execPath);
  return {
    identity: `${version} ${versions.v8} ${platform} ${arch} ${identityOf(binary)}`,
    name: `${version}-${binary.ino}-${binary.ctimeMs}`,
  };
}

function ancestorsOf(folder: string): string[] {
  const above = dirname(folder);
  return above === folder ? [folder] : [...ancestorsOf(above), folder];
}

/** Nobody but this user and root can make, rename or replace something in it; in a sticky folder, only their own. */
function isGuarded(folder: string, user: number): boolean {
  const { uid, mode } = lstatSync(folder);
  if (uid !== 0 && uid !== user) return false;
  if ((mode & constants.S_IFMT) === constants.S_IFLNK) return true; // the real path is looked at as well
  return (mode & 0o022) === 0 || (mode & 0o1000) !== 0;
}

/** This user's own folder that nobody else can read or write, at a path that nobody else can change. */
function isPrivate(folder: string, user: number): boolean {
  const stats = lstatSync(folder, { throwIfNoEntry: false });
  if (!stats?.isDirectory() || stats.uid !== user || (stats.mode & 0o077) !== 0) return false;
  const all = new Set([...ancestorsOf(folder), ...ancestorsOf(realpathSync.native(folder))]);
  return [...all].every((each) => isGuarded(each, user));
}

/** The nearest folder above that exists. */
function nearest(folder: string): string {
  return statSync(folder, { throwIfNoEntry: false }) ? folder : nearest(dirname(folder));
}

/**
 * The place of this user, in the cache directory (XDG). Null without a cache directory, where somebody else could write to it, and where
 * Node is told to keep no compiled code. In CI nothing is kept: caches are restored there from other jobs, and most homes are new.
 */
function placeOfUser(env: Environment): Place | null {
  const user = process.geteuid?.();
  if (user === undefined || user !== process.getuid?.()) return null;
  if (env.CI && env.CI !== 'false') return null;
  const { XDG_CACHE_HOME: cache = '', HOME: home = '' } = env;
  const base = isAbsolute(cache) ? cache : isAbsolute(home) ? join(home, '.cache') : null;
  if (base === null) return null;
  const folder = join(base, 'unlockos-keys');
  const there = nearest(folder);
  const isSound =
    there === folder ? isPrivate(folder, user) : [...ancestorsOf(there)].every((each) => isGuarded(each, user));
  return isSound ? { folder, owner: user, writes: true } : null;
}

/** What the build put beside the bundle, for the Node that built it: whoever can write there can change the code itself. */
function placeOfBuild(bundle: string, ending: string): Place | null {
  const folder = join(bundle, 'compiled');
  if (!statSync(join(folder, `${ALWAYS}${ending}`), { throwIfNoEntry: false })) return null;
  return { folder, owner: statSync(bundle).uid, writes: false };
}

interface Header {
  readonly identity: string;
  /** Name, identity and length of each file, in the order in which their forms follow. */
  readonly files: readonly (readonly [name: string, identity: string, length: number])[];
}

/** Where the forms of a file are among the others, and how long each of the two is. */
interface Kept {
  readonly from: number;
  readonly length: number;
}

/** The compiled forms of what one command loads: one file with a header, and all forms twice, for V8 does not notice a changed byte. */
export class CompiledForms {
  readonly #place: Place;
  readonly #file: string;
  readonly #identity: string;
  /** The file while this process runs. */
  #descriptor: number | null = null;
  /** By the name of each file and its identity. */
  readonly #kept = new Map<string, Kept>();
  readonly #scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES);
  /** How far behind the first form of a file its second one is. */
  #apart = 0;
  /** Those of which both forms were read, and were alike. */
  readonly #sound = new Set<string>();

  private constructor(place: Place, name: string, identity: string) {
    this.#place = place;
    this.#identity = identity;
    this.#file = join(place.folder, name);
  }

  /** For a command of the bundle in this folder. `build` names what was built. Null where nothing is kept. */
  static open(bundle: string, command: string, build: string, env: Environment): CompiledForms | null {
    if (env.NODE_DISABLE_COMPILE_CACHE || env.NODE_V8_COVERAGE) return null;
    try {
      const node = runningNode();
      const ending = `.${build.slice(0, 12)}-${node.name}.v8`;
      const place = placeOfBuild(bundle, ending) ?? placeOfUser(env);
      if (place === null) return null;
      const forms = new CompiledForms(place, `${command}${ending}`, `${build} ${node.identity}`);
      try {
        forms.#open();
      } catch {
        forms.#kept.clear(); // what cannot be read is written again
      }
      return forms;
    } catch {
      return null;
    }
  }

  #open(): void {
    this.#descriptor = openOrNull(this.#file, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));
    if (this.#descriptor === null) return;
    const stats = fstatSync(this.#descriptor);
    const isOurs = stats.isFile() && stats.uid === this.#place.owner && (stats.mode & 0o022) === 0;
    if (!isOurs || stats.nlink !== 1 || stats.size > MOST_BYTES) return;
    const start = this.#scratch;
    const read = readSync(this.#descriptor, start, 0, MOST_HEADER_BYTES, 0);
    const end = start.subarray(0, read).indexOf(0x0a);
    const { identity, files } = JSON.parse(start.toString('latin1', 0, Math.max(end, 0))) as Header;
    if (identity !== this.#identity) return;
    let from = end + 1;
    for (const [name, is, length] of files) {
      if (!Number.isSafeInteger(length) || length < 0) throw new RangeError('a length of the header is damaged');
      this.#kept.set(`${name} ${is}`, { from, length });
      from += length;
    }
    this.#apart = from - (end + 1);
    if (stats.size !== from + this.#apart) this.#kept.clear();
  }

  /** The compiled form of a file, as it is now. */
  of(name: string, identity: string): Buffer | undefined {
    return this.#form(`${name} ${identity}`);
  }

  #form(name: string): Buffer | undefined {
    const kept = this.#kept.get(name);
    const descriptor = this.#descriptor;
    if (kept === undefined || descriptor === null) return undefined;
    const { from, length } = kept;
    try {
      const form = Buffer.allocUnsafeSlow(length);
      if (readSync(descriptor, form, 0, length, from) !== length) return undefined;
      if (!this.#isAgainAt(from + this.#apart, form, descriptor)) return undefined;
      this.#sound.add(name);
      return form;
    } catch {
      return undefined; // a disk that fails
    }
  }

  /** Whether the file holds these bytes there as well. In pieces: memory that is touched for the first time costs more than to read. */
  #isAgainAt(from: number, form: Buffer, descriptor: number): boolean {
    for (let at = 0; at < form.length; ) {
      const length = readSync(descriptor, this.#scratch, 0, Math.min(SCRATCH_BYTES, form.length - at), from + at);
      if (length === 0 || this.#scratch.compare(form, at, at + length, 0, length) !== 0) return false;
      at += length;
    }
    return true;
  }

  /** Keeps what was loaded, if any of it had no form. What was kept before stays, for other runs of the command. */
  keep(loaded: ReadonlyMap<string, Script>): void {
    if (!this.#place.writes) return;
    try {
      const isKept = (name: string) => this.#sound.has(name) || this.#form(name) !== undefined;
      if ([...loaded].every(([name, script]) => !script.cachedDataRejected && isKept(name))) return;
      const forms = new Map<string, Buffer>();
      for (const name of this.#kept.keys()) {
        const form = this.#form(name);
        if (form) forms.set(name, form);
      }
      for (const [name, script] of loaded) forms.set(name, script.createCachedData());
      this.#write(forms);
    } catch {
      // a full disk, a folder of somebody else: the next run compiles as this one did
    }
  }

  #write(forms: ReadonlyMap<string, Buffer>): void {
    const { folder, owner } = this.#place;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    if (!isPrivate(folder, owner)) return;
    const files = [...forms].map(([name, form]) => {
      const space = name.lastIndexOf(' ');
      return [name.slice(0, space), name.slice(space + 1), form.length] as const;
    });
    const header: Header = { identity: this.#identity, files };
    const all = [...forms.values()];
    const start = Buffer.from(`${JSON.stringify(header)}\n`, 'latin1');
    const bytes = Buffer.concat([start, ...all, ...all]);
    if (start.length > MOST_HEADER_BYTES || bytes.length > MOST_BYTES) return;
    const next = `${this.#file}.${process.pid}`;
    const descriptor = openSync(
      next,
      constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
      0o600,
    );
    try {
      for (let written = 0; written < bytes.length; ) written += writeSync(descriptor, bytes, written);
      closeSync(descriptor);
      renameSync(next, this.#file);
    } catch (error) {
      rmSync(next, { force: true });
      throw error;
    }
    this.#clear();
  }

  /** Removes what no Node and no version of the tool has written for long. */
  #clear(): void {
    const { folder } = this.#place;
    for (const name of readdirSync(folder)) {
      const file = join(folder, name);
      if (/\.v8(?:\.\d+)?$/.test(name) && Date.now() - lstatSync(file).mtimeMs > UNUSED_MS)
        rmSync(file, { force: true });
    }
  }
}

function openOrNull(file: string, flags: number): number | null {
  try {
    return openSync(file, flags);
  } catch {
    return null;
  }
}
