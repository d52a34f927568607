import { type ChildProcess, spawn } from 'node:child_process';
import { KeysError } from '../domain/errors.js';
import { safeText } from '../domain/text.js';
import { Finder, type Hit } from './finder.js';

/** A line that a commit added, or that one would add; or a part of the history that could not be read. */
export type GitFinding =
  /** `commit` is null for what is staged. */
  | { readonly kind: 'hit'; readonly commit: string | null; readonly file: string; readonly hit: Hit }
  | { readonly kind: 'unreadable'; readonly file: string; readonly why: string };
type GitHit = Extract<GitFinding, { kind: 'hit' }>;

/** `--text`: a `-diff` or `binary` in `.gitattributes` (bundles, lock files) hides nothing. */
const DIFF = [
  '--unified=0',
  '--text',
  '--no-color',
  '--no-ext-diff',
  '--no-textconv',
  '--no-renames',
  '--src-prefix=a/',
  '--dst-prefix=b/',
  '-O/dev/null',
];
/**
 * Names as they are but for quotes and control characters; no settings of the repository that would change the output, hide a part of
 * it, or run a program.
 */
const SETTINGS = [
  '--no-replace-objects',
  ...[
    'core.quotePath=off',
    'diff.noprefix=false',
    'diff.mnemonicPrefix=false',
    'diff.relative=false',
    'diff.submodule=short',
    'log.showSignature=false',
    'log.showRoot=true',
    'core.fsmonitor=false',
  ].flatMap((setting) => ['-c', setting]),
];
const COMMIT = 'unlockos-keys-commit ';

/**
 * Every line that some commit of any branch, tag or remote ever added. For a merge, what it added beyond its parents. Throws `usage`
 * where there is no repository.
 */
export async function* scanHistory(cwd: string): AsyncGenerator<GitFinding> {
  const shallow = await isShallow(cwd);
  yield* scanDiff(cwd, ['log', '--all', '--cc', `--format=${COMMIT}%H`, '-p', ...DIFF]);
  if (shallow) yield { kind: 'unreadable', file: 'older commits', why: 'this clone is shallow: git fetch --unshallow' };
}

/** What `git commit` would add. Throws `usage` where there is no repository. */
export async function* scanStaged(cwd: string): AsyncGenerator<GitFinding> {
  await isShallow(cwd); // outside of a repository `git diff` is another command
  yield* scanDiff(cwd, ['diff', '--cached', ...DIFF]);
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

const LINE_END = 10;
const PREFIX = 'unlk_';
/** The same in UTF-16, whichever byte comes first. */
const WIDE_PREFIX = [...PREFIX].join('\0');
/** Longer than any header of a diff; of a longer line no more is kept. */
const LONG = 1 << 16;

function withoutNuls(bytes: Buffer): Buffer {
  return bytes.includes(0) ? Buffer.from(bytes.filter((byte) => byte !== 0)) : bytes;
}

/** Searches one line that comes in pieces, as it is and, where that finds nothing, as the UTF-16 that it may be. */
class LineSearch {
  readonly #plain = new Finder();
  readonly #wide = new Finder();
  readonly #hits: Hit[] = [];
  readonly #wideHits: Hit[] = [];

  feed(piece: Buffer): void {
    this.#hits.push(...this.#plain.feed(piece));
    this.#wideHits.push(...this.#wide.feed(withoutNuls(piece)));
  }

  end(): Hit[] {
    this.#hits.push(...this.#plain.end());
    this.#wideHits.push(...this.#wide.end());
    return this.#hits.length > 0 ? this.#hits : this.#wideHits;
  }
}

/** Reads a diff that comes in pieces, as bytes, for it may hold any encoding. A line of any length costs no more memory than {@link LONG}. */
class Reader {
  /** Git has said something. */
  begun = false;
  #commit: string | null = null;
  #file = '';
  #line = 0;
  /** How many columns say what became of a line: one for each parent. Zero outside of a hunk. */
  #columns = 0;
  #left = 0;
  /** The line so far. */
  #rest: Buffer[] = [];
  #length = 0;
  /** What became of a line that is too long to keep: its search, or null where it is not searched. */
  #long: { readonly search: LineSearch | null } | undefined;

  *feed(part: Buffer): Generator<GitHit> {
    this.begun = true;
    for (let from = 0; ; ) {
      const at = part.indexOf(LINE_END, from);
      if (at < 0) {
        this.#keep(part.subarray(from));
        return;
      }
      yield* this.#endOfLine(part.subarray(from, at));
      from = at + 1;
    }
  }

  /** The last line may have no end. */
  *end(): Generator<GitHit> {
    if (this.#long || this.#length > 0) yield* this.#endOfLine(Buffer.alloc(0));
  }

  #keep(piece: Buffer): void {
    if (this.#long) {
      this.#long.search?.feed(piece);
      return;
    }
    this.#rest.push(piece);
    this.#length += piece.length;
    if (this.#length <= LONG) return;
    const start = Buffer.concat(this.#rest);
    const search = this.#isInHunk && this.#isAdded(start) ? new LineSearch() : null;
    search?.feed(start.subarray(this.#columns));
    this.#long = { search };
    this.#rest = [start.subarray(0, this.#columns)];
  }

  #endOfLine(piece: Buffer): GitHit[] {
    const whole = this.#rest.length === 0 ? piece : Buffer.concat([...this.#rest, piece]);
    const long = this.#long;
    if (long) long.search?.feed(piece);
    this.#rest = [];
    this.#length = 0;
    this.#long = undefined;
    if (this.#isInHunk) return this.#change(whole, long?.search);
    if (!long) this.#header(whole);
    return [];
  }

  get #isInHunk(): boolean {
    return this.#columns > 0 && this.#left > 0;
  }

  #isAdded(line: Buffer): boolean {
    const columns = line.toString('latin1', 0, this.#columns);
    return columns.includes('+') && !columns.includes('-');
  }

  #header(line: Buffer): void {
    const head = line.toString('latin1');
    if (head.startsWith(COMMIT)) this.#commit = head.slice(COMMIT.length);
    else if (head.startsWith('+++ ')) this.#file = nameFrom(head);
    else if (head.startsWith('@@')) this.#hunk(head);
  }

  #hunk(head: string): void {
    const ranges = /^(@@+) (.*?) @@/.exec(head);
    const [, line = '0', count] = / ?\+(\d+)(?:,(\d+))?$/.exec(ranges?.[2] ?? '') ?? [];
    this.#columns = (ranges?.[1]?.length ?? 1) - 1;
    this.#line = Number(line);
    this.#left = Number(count ?? 1);
  }

  #change(bytes: Buffer, long: LineSearch | null | undefined): GitHit[] {
    const columns = bytes.toString('latin1', 0, this.#columns);
    if (columns.includes('-') || columns.startsWith('\\')) return []; // a line that went, or the remark that a line end is missing
    const line = this.#line;
    this.#line += 1;
    this.#left -= 1;
    if (!columns.includes('+')) return [];
    const hits = long?.end() ?? this.#search(bytes.subarray(this.#columns));
    return hits.map((hit) => ({ kind: 'hit', commit: this.#commit, file: this.#file, hit: { ...hit, line } }));
  }

  #search(bytes: Buffer): Hit[] {
    if (!bytes.includes(PREFIX, 0, 'latin1') && !bytes.includes(WIDE_PREFIX, 0, 'latin1')) return [];
    const search = new LineSearch();
    search.feed(bytes);
    return search.end();
  }
}

function gitIn(cwd: string, args: readonly string[]) {
  return spawn('git', [...SETTINGS, ...args], { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
}

async function isShallow(cwd: string): Promise<boolean> {
  const child = gitIn(cwd, ['rev-parse', '--is-shallow-repository']);
  const ended = endOf(child);
  let said = '';
  for await (const part of child.stdout) said += part;
  const problem = await ended;
  if (problem !== null) throw cannotTell(problem);
  return said.trim() === 'true';
}

/** Throws only where git failed before it said anything: what was found until then is to be told. */
async function* scanDiff(cwd: string, args: readonly string[]): AsyncGenerator<GitFinding> {
  const child = gitIn(cwd, args);
  const ended = endOf(child);
  const reader = new Reader();
  for await (const part of child.stdout as AsyncIterable<Buffer>) yield* reader.feed(part);
  yield* reader.end();
  const problem = await ended;
  if (problem === null) return;
  if (!reader.begun) throw cannotTell(problem);
  yield { kind: 'unreadable', file: 'the rest of the repository', why: problem };
}

function cannotTell(problem: string): KeysError {
  return new KeysError('usage', `git cannot tell: ${problem}`, 'run it in a git repository that is whole');
}

/** Null, or why git failed: its first fatal line, or the last that it said. */
function endOf(child: ChildProcess): Promise<string | null> {
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (part: string) => {
    said = (said + part).slice(-4000);
  });
  return new Promise((resolve) => {
    child.once('error', (error: NodeJS.ErrnoException) =>
      resolve(error.code === 'ENOENT' ? 'git is not installed' : (error.code ?? 'unknown error')),
    );
    child.once('close', (code, signal) => {
      const lines = said.trim().split('\n');
      const why = lines.find((line) => line.startsWith('fatal: ')) ?? lines.at(-1);
      resolve(code === 0 ? null : safeText(why || `it ended with ${code ?? signal}`));
    });
  });
}
