import { type ChildProcess, spawn } from 'node:child_process';
import { KeysError } from '../domain/errors.js';
import { safeText } from '../domain/text.js';
import { absolutePath } from '../files/search-path.js';

/**
 * The variables that git sets for its hooks to name the repository, index and objects. No other variable of git is passed on: the others
 * set options, name programs, or say where to write a trace.
 */
const KEPT_VARIABLES: ReadonlySet<string> = new Set([
  'GIT_DIR',
  'GIT_COMMON_DIR',
  'GIT_WORK_TREE',
  'GIT_INDEX_FILE',
  'GIT_OBJECT_DIRECTORY',
  'GIT_ALTERNATE_OBJECT_DIRECTORIES',
  'GIT_QUARANTINE_PATH',
  'GIT_CEILING_DIRECTORIES',
  'GIT_DISCOVERY_ACROSS_FILESYSTEM',
]);

/** With these, git fetches, prompts, writes, replaces and grafts nothing, even when the repository is configured to. */
const VARIABLES = {
  GIT_NO_LAZY_FETCH: '1',
  GIT_ALLOW_PROTOCOL: 'none',
  GIT_PROTOCOL_FROM_USER: '0',
  GIT_TERMINAL_PROMPT: '0',
  GIT_OPTIONAL_LOCKS: '0',
  GIT_NO_REPLACE_OBJECTS: '1',
  GIT_GRAFT_FILE: '/dev/null',
  GIT_ATTR_NOSYSTEM: '1',
  GIT_PAGER: 'cat',
  GIT_SSH_COMMAND: 'false',
  GIT_ASKPASS: 'false',
  LC_ALL: 'C',
};

/** Overrides settings that run a program or hide a part of the repository. Only plumbing commands are used, which read few settings. */
const SETTINGS = [
  '--no-pager',
  '--no-replace-objects',
  ...[
    'core.fsmonitor=false',
    'core.hooksPath=/dev/null',
    'core.sshCommand=false',
    'core.gitProxy=false',
    'core.alternateRefsCommand=false',
    'core.commitGraph=false', // it may name other parents than the commits do
    'core.attributesFile=/dev/null',
    'core.quotePath=off',
    'credential.helper=',
    'gpg.program=false',
    'protocol.allow=never',
    'diff.external=',
    'diff.relative=false',
    'diff.orderFile=/dev/null',
    'diff.ignoreSubmodules=none',
    'fetch.recurseSubmodules=false',
  ].flatMap((setting) => ['-c', setting]),
];

/** How long git may print nothing while somebody waits for it. */
const SILENCE_MS = 300_000;

/** One run of git. `ended` resolves to null when git succeeded, else to its error message. */
export interface GitProcess {
  readonly child: ChildProcess;
  readonly stdout: AsyncIterable<Buffer>;
  readonly ended: Promise<string | null>;
}

/** Starts git with `input` on stdin. With `own`, these variables replace those in the environment that name a repository. */
export function startGit(
  cwd: string,
  args: readonly string[],
  input: string | Buffer = '',
  own?: NodeJS.ProcessEnv,
): GitProcess {
  const child = spawn('git', [...SETTINGS, ...args], { cwd, env: environment(own), stdio: ['pipe', 'pipe', 'pipe'] });
  child.stdin.on('error', () => {}); // git ended early; its error message says why
  child.stdin.end(input);
  return { child, stdout: heard(child), ended: failureOf(child) };
}

/**
 * What git prints. It is killed when somebody waits for more and it prints nothing for {@link SILENCE_MS}: the settings of a repository can name a
 * pipe to be read, which never ends.
 */
async function* heard(child: ChildProcess): AsyncGenerator<Buffer> {
  const parts = (child.stdout as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
  try {
    for (;;) {
      const timer = setTimeout(() => child.kill('SIGKILL'), SILENCE_MS);
      const { done, value } = await parts.next().finally(() => clearTimeout(timer));
      if (done) return;
      yield value;
    }
  } finally {
    await parts.return?.();
  }
}

/** The output of a git command. Throws `usage` when it fails. */
export async function gitOutput(cwd: string, args: readonly string[], input = ''): Promise<Buffer> {
  const { stdout, ended } = startGit(cwd, args, input);
  const parts: Buffer[] = [];
  for await (const part of stdout) parts.push(part);
  const failure = await ended;
  if (failure !== null) throw unreadableRepository(failure);
  return Buffer.concat(parts);
}

/** The pieces between NULs, as Latin-1: one character per byte. */
export async function* nulSeparated(stdout: AsyncIterable<Buffer>, separator = '\0'): AsyncGenerator<string> {
  let rest = '';
  for await (const part of stdout) {
    const pieces = (rest + part.toString('latin1')).split(separator);
    rest = pieces.pop() ?? '';
    yield* pieces;
  }
  if (rest !== '') yield rest;
}

export function unreadableRepository(failure: string): KeysError {
  return new KeysError(
    'usage',
    `cannot read the repository: ${failure}`,
    'run it inside a git repository; check a damaged one with git fsck',
  );
}

function environment(own: NodeJS.ProcessEnv | undefined): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !name.startsWith('GIT_') || (own === undefined && KEPT_VARIABLES.has(name)),
  );
  return { ...Object.fromEntries(inherited), ...own, ...VARIABLES, PATH: absolutePath(process.env.PATH) };
}

/** Resolves when git has ended: to null, or to its first fatal message, or else to its last line on stderr. */
function failureOf(child: ChildProcess): Promise<string | null> {
  let stderr = '';
  child.stderr?.setEncoding('utf8').on('data', (part: string) => {
    stderr = (stderr + part).slice(-4000);
  });
  return new Promise((resolve) => {
    child.once('error', (error: NodeJS.ErrnoException) =>
      resolve(error.code === 'ENOENT' ? 'git is not installed' : (error.code ?? 'unknown error')),
    );
    child.once('close', (code, signal) => {
      const lines = stderr.trim().split('\n');
      const message = lines.find((line) => line.startsWith('fatal: ')) ?? lines.at(-1);
      const end =
        signal === 'SIGKILL' ? 'git was killed: a file that it reads for this repository may be a pipe' : null;
      resolve(code === 0 ? null : safeText(message || (end ?? `git ended with ${code ?? signal}`)));
    });
  });
}
