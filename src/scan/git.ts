import { type ChildProcess, spawn } from 'node:child_process';
import { KeysError } from '../domain/errors.js';
import { safeText } from '../domain/text.js';
import { Finder, type Hit } from './finder.js';

/** A line that a commit added, or that one would add. */
export interface GitHit {
  /** Null for what is staged. */
  readonly commit: string | null;
  readonly file: string;
  readonly hit: Hit;
}

const DIFF = [
  '--unified=0',
  '--no-color',
  '--no-ext-diff',
  '--no-textconv',
  '--no-renames',
  '--src-prefix=a/',
  '--dst-prefix=b/',
];
/** Names as they are but for quotes and control characters; no settings of the repository that would change the output or run a program. */
const SETTINGS = [
  '-c',
  'core.quotePath=off',
  '-c',
  'diff.noprefix=false',
  '-c',
  'diff.mnemonicPrefix=false',
  '-c',
  'log.showSignature=false',
  '-c',
  'log.showRoot=true',
  '-c',
  'core.fsmonitor=false',
];
const COMMIT = 'unlockos-keys-commit ';

/** Every line that some commit of any branch, tag or remote ever added. For a merge, what it added beyond its parents. */
export function scanHistory(cwd: string): AsyncGenerator<GitHit> {
  return scanDiff(cwd, ['log', '--all', '--cc', `--format=${COMMIT}%H`, '-p', ...DIFF]);
}

/** What `git commit` would add. */
export function scanStaged(cwd: string): AsyncGenerator<GitHit> {
  return scanDiff(cwd, ['diff', '--cached', ...DIFF]);
}

/** Undoes git's quoting of names (as in C, octal bytes included). */
function unquoted(name: string): string {
  if (!name.startsWith('"')) return name;
  const bytes: number[] = [];
  const escapes: Record<string, number> = { a: 7, b: 8, t: 9, n: 10, v: 11, f: 12, r: 13 };
  for (const [, octal, escaped, plain] of name.slice(1, -1).matchAll(/\\([0-7]{3})|\\(.)|([^\\]+)/gs)) {
    if (octal !== undefined) bytes.push(Number.parseInt(octal, 8));
    else if (escaped !== undefined) bytes.push(escapes[escaped] ?? escaped.charCodeAt(0));
    else bytes.push(...Buffer.from(plain ?? '', 'latin1'));
  }
  return Buffer.from(bytes).toString('latin1');
}

function nameFrom(line: string): string {
  const name = unquoted(line.slice('+++ '.length).replace(/\t$/, '')).replace(/^b\//, '');
  return Buffer.from(name, 'latin1').toString('utf8');
}

/** Where a reader of a diff stands. */
class Reader {
  #commit: string | null = null;
  #file = '';
  #line = 0;
  /** How many columns say what became of a line: one for each parent. Zero outside of a hunk. */
  #columns = 0;
  #left = 0;

  /** Reads one line, without its end; as bytes, for a diff may hold any encoding. */
  read(bytes: Buffer): GitHit[] {
    if (this.#columns > 0 && this.#left > 0) return this.#change(bytes);
    const head = bytes.toString('latin1', 0, 4096);
    if (head.startsWith(COMMIT)) this.#commit = head.slice(COMMIT.length);
    else if (head.startsWith('+++ ')) this.#file = nameFrom(bytes.toString('latin1', 0));
    else if (head.startsWith('@@')) this.#hunk(head);
    return [];
  }

  #hunk(head: string): void {
    const ranges = /^(@@+) (.*?) @@/.exec(head);
    const [, line = '0', count] = / ?\+(\d+)(?:,(\d+))?$/.exec(ranges?.[2] ?? '') ?? [];
    this.#columns = (ranges?.[1]?.length ?? 1) - 1;
    this.#line = Number(line);
    this.#left = Number(count ?? 1);
  }

  #change(bytes: Buffer): GitHit[] {
    const columns = bytes.toString('latin1', 0, this.#columns);
    if (columns.includes('-') || columns.startsWith('\\')) return []; // a line that went, or the remark that a line end is missing
    const line = this.#line;
    this.#line += 1;
    this.#left -= 1;
    if (!columns.includes('+')) return [];
    const finder = new Finder();
    const hits = [...finder.feed(bytes.subarray(this.#columns)), ...finder.end()];
    return hits.map((hit) => ({ commit: this.#commit, file: this.#file, hit: { ...hit, line } }));
  }
}

async function* scanDiff(cwd: string, args: readonly string[]): AsyncGenerator<GitHit> {
  const child = spawn('git', [...SETTINGS, ...args], { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = endOf(child);
  const reader = new Reader();
  let rest: Buffer[] = [];
  for await (const part of child.stdout as AsyncIterable<Buffer>) {
    let from = 0;
    for (let at = part.indexOf(10); at >= 0; at = part.indexOf(10, from)) {
      rest.push(part.subarray(from, at));
      yield* reader.read(rest.length === 1 ? (rest[0] as Buffer) : Buffer.concat(rest));
      rest = [];
      from = at + 1;
    }
    if (from < part.length) rest.push(part.subarray(from));
  }
  if (rest.length > 0) yield* reader.read(Buffer.concat(rest));
  const problem = await ended;
  if (problem !== null)
    throw new KeysError('usage', `git cannot tell: ${problem}`, 'run it in a git repository that has commits');
}

/** Null, or what git said last before it failed. */
function endOf(child: ChildProcess): Promise<string | null> {
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (part: string) => {
    said = (said + part).slice(-2000);
  });
  return new Promise((resolve) => {
    child.once('error', (error: NodeJS.ErrnoException) =>
      resolve(error.code === 'ENOENT' ? 'git is not installed' : (error.code ?? 'unknown error')),
    );
    child.once('close', (code) => resolve(code === 0 ? null : safeText(said.trim().split('\n').at(-1) ?? '')));
  });
}
