import { readFileSync } from 'node:fs';

/** What changes the content of a file. */
type Change =
  | { readonly kind: 'truncate'; readonly path: string; readonly size: number }
  | { readonly kind: 'write'; readonly path: string; readonly at: number; readonly bytes: Buffer };

/** One system call of a run that was recorded with strace. Names are paths; a file that got another name is still the same file. */
export type Call =
  | { readonly kind: 'open' | 'unlink' | 'sync'; readonly path: string }
  | { readonly kind: 'rename' | 'link'; readonly path: string; readonly to: string }
  | Change
  | { readonly kind: 'print'; readonly text: string };

/** The arguments of strace that record what {@link recordedCalls} reads, except for the file. */
export const RECORD = [
  '-f -y -xx -s 200000 --seccomp-bpf',
  '-e trace=openat,pwrite64,write,writev,ftruncate,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,link,linkat',
].flatMap((part) => part.split(' '));

const decoded = (text: string) =>
  Buffer.from(
    text.replace(/\\x([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  );

/** The calls of a recording that concern `directory`, and what was printed, in their order. */
export function recordedCalls(file: string, directory: string): Call[] {
  const pending = new Map<string, string>();
  const calls: Call[] = [];
  for (const line of readFileSync(file, 'latin1').split('\n')) {
    const [, pid = '', rest = ''] = /^(\d+) +(.*)$/.exec(line) ?? [];
    if (rest.endsWith('<unfinished ...>')) pending.set(pid, rest.slice(0, -'<unfinished ...>'.length));
    const whole = rest.replace(/^<\.\.\. \w+ resumed>/, () => pending.get(pid) ?? '');
    const [, name = '', args = '', result = ''] = /^(\w+)\((.*)\) += (-?\d+)/.exec(whole) ?? [];
    if (name === '' || result.startsWith('-')) continue;
    calls.push(...callOf(name, args, Number(result)).filter((call) => concerns(call, directory)));
  }
  return calls;
}

const concerns = (call: Call, directory: string) =>
  call.kind === 'print' || call.path === directory || call.path.startsWith(`${directory}/`);

function callOf(name: string, args: string, result: number): Call[] {
  const strings = [...args.matchAll(/"((?:\\x[0-9a-f]{2})*)"/g)].map(([, text = '']) => decoded(text));
  const [, number = '', named = ''] = /^(\d+)<([^>]*)>/.exec(args) ?? [];
  const path = decoded(named).toString();
  const [first = Buffer.alloc(0), second = Buffer.alloc(0)] = strings;
  switch (name) {
    case 'openat':
      return args.includes('O_CREAT') ? [{ kind: 'open', path: first.toString() }] : [];
    case 'fsync':
    case 'fdatasync':
      return [{ kind: 'sync', path }];
    case 'ftruncate':
      return [{ kind: 'truncate', path, size: Number(/, (\d+)$/.exec(args)?.[1]) }];
    case 'pwrite64':
      return [{ kind: 'write', path, at: Number(/, (\d+)$/.exec(args)?.[1]), bytes: first.subarray(0, result) }];
    case 'write':
    case 'writev':
      return number === '1' || number === '2' ? [{ kind: 'print', text: Buffer.concat(strings).toString() }] : [];
    case 'unlink':
    case 'unlinkat':
      return [{ kind: 'unlink', path: first.toString() }];
    default:
      return [{ kind: name.startsWith('rename') ? 'rename' : 'link', path: first.toString(), to: second.toString() }];
  }
}

interface File {
  /** What is on the disk for certain. */
  durable: Buffer;
  /** What was changed since; each may be on the disk or not, in any order, and a write sector by sector. */
  pending: Change[];
}

const SECTOR = 512;

function written(content: Buffer, at: number, bytes: Buffer): Buffer {
  const grown = Buffer.alloc(Math.max(content.length, at + bytes.length));
  content.copy(grown);
  bytes.copy(grown, at);
  return grown;
}

const resized = (content: Buffer, size: number) => {
  const next = Buffer.alloc(size);
  content.copy(next);
  return next;
};

/**
 * A disk that keeps no more than POSIX promises: the content of a file is safe once the file was synced, and a name once its directory
 * was. Everything else that was done may be lost when the power is cut, or any part of it.
 */
export class Disk {
  readonly #files = new Map<string, File>();
  readonly #durable = new Map<string, File>();
  #renamed: ((names: Map<string, File>) => void)[] = [];

  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  apply(call: Call): void {
    if (call.kind === 'print') return;
    if (call.kind === 'sync' && call.path === this.directory) {
      for (const change of this.#renamed) change(this.#durable);
      this.#renamed = [];
      return;
    }
    if (call.kind === 'open') {
      if (!this.#files.has(call.path)) {
        const file: File = { durable: Buffer.alloc(0), pending: [] };
        this.#name((names) => void names.set(call.path, file));
      }
      return;
    }
    const file = this.#files.get(call.path);
    if (!file) return;
    switch (call.kind) {
      case 'sync':
        file.durable = settled(file, () => true);
        file.pending = [];
        return;
      case 'unlink':
        this.#name((names) => void names.delete(call.path));
        return;
      case 'link':
        this.#name((names) => void names.set(call.to, file));
        return;
      case 'rename':
        this.#name((names) => {
          names.delete(call.path);
          names.set(call.to, file);
        });
        return;
      case 'truncate':
      case 'write':
        file.pending.push(call);
    }
  }

  #name(change: (names: Map<string, File>) => void): void {
    change(this.#files);
    this.#renamed.push(change);
  }

  /** What is found after the power was cut now; `kept` decides for each part that was not safe yet whether it reached the disk. */
  afterCut(kept: () => boolean): Map<string, Buffer> {
    const names = new Map(this.#durable);
    for (const change of this.#renamed) {
      if (!kept()) break; // a directory is a journal in every file system that is in use: names change in their order
      change(names);
    }
    return new Map([...names].map(([path, file]) => [path, settled(file, kept)]));
  }
}

function settled({ durable, pending }: File, kept: () => boolean): Buffer {
  let content = durable;
  for (const change of pending) {
    if (change.kind === 'truncate') {
      if (kept()) content = resized(content, change.size);
      continue;
    }
    for (let from = 0; from < change.bytes.length; from += SECTOR)
      if (kept()) content = written(content, change.at + from, change.bytes.subarray(from, from + SECTOR));
  }
  return content;
}
