import { randomUUID } from 'node:crypto';
import {
  closeSync,
  constants,
  fsyncSync,
  lstatSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import { KeysError } from '../domain/errors.js';
import { quoted, safeText } from '../domain/text.js';
import { childEnv, feedChild, programStatus } from './child.js';
import type { Context } from './context.js';

/** A place for a new key string other than stdout. `probe` fails before a key is made; `deliver` puts it there; `abandon` undoes a probe. */
export interface Sink {
  readonly label: string;
  probe(): void;
  deliver(keyString: string): void;
  abandon(): void;
}

export interface SinkFlags {
  readonly keyFile?: string;
  readonly dotenv?: string;
  /** The other name of `dotenv`. */
  readonly envFile?: string;
  readonly githubEnv?: string;
  readonly githubOutput?: string;
  readonly pipe?: boolean;
  /** For `--pipe`: a program and its arguments, from behind `--`. */
  readonly command?: readonly string[];
}

export const DEFAULT_VARIABLE = 'UNLOCKOS_API_KEY';
const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;
const NOFOLLOW = constants.O_NOFOLLOW ?? 0;

function fileFailure(error: unknown, flag: string, file: string): KeysError {
  const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
  const why: Record<string, string> = {
    EEXIST: 'it exists, and a key file is never overwritten',
    ENOENT: 'its directory does not exist',
    EACCES: 'no permission',
    EISDIR: 'it is a directory',
    ELOOP: 'it is a symbolic link',
    ENOSPC: 'no room on that disk',
    EROFS: 'the file system is read-only',
  };
  return new KeysError(
    code === 'EEXIST' ? 'conflict' : 'usage',
    `cannot write ${flag} ${quoted(file)}: ${why[code] ?? code}`,
    'nothing was made; choose another file',
    { cause: error },
  );
}

function writeAll(descriptor: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let offset = 0; offset < bytes.length; ) offset += writeSync(descriptor, bytes, offset);
  fsyncSync(descriptor);
}

/** Throws `usage` for what is no name of a variable. */
export function checkedVariable(name: string, flag: string): string {
  if (!VARIABLE.test(name))
    throw new KeysError(
      'usage',
      `${flag}: ${quoted(name)} is not a variable name`,
      'letters, digits and underscores, e.g. UNLOCKOS_API_KEY',
    );
  return name;
}

/** A new file of its own, 0600. The probe makes it (and so finds out all that could go wrong), delivery fills it. */
function keyFile(flag: string, cwd: string): Sink {
  const file = path.resolve(cwd, flag);
  let descriptor: number | undefined;
  return {
    label: file,
    probe() {
      try {
        descriptor = openSync(file, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | NOFOLLOW, 0o600);
      } catch (error) {
        throw fileFailure(error, '--key-file', flag);
      }
    },
    deliver(keyString) {
      if (descriptor === undefined) throw new Error('deliver before probe');
      writeAll(descriptor, `${keyString}\n`);
      closeSync(descriptor);
      descriptor = undefined;
    },
    abandon() {
      if (descriptor !== undefined) closeSync(descriptor);
      descriptor = undefined;
      rmSync(file, { force: true });
    },
  };
}

/** The file with `NAME=…` set: that one line replaced (the last of them counts, as in every dotenv reader), the rest kept. */
function withVariable(text: string, name: string, value: string): string {
  const lines = text === '' ? [] : text.replace(/\n$/, '').split('\n');
  const assigns = new RegExp(`^\\s*(export\\s+)?${name}\\s*=`);
  const found = lines.findIndex((line) => assigns.test(line));
  const carriage = lines[0]?.endsWith('\r') ? '\r' : '';
  const line = `${/^\s*export\s/.test(lines[found] ?? '') ? 'export ' : ''}${name}=${value}${carriage}`;
  const kept = lines.filter((each, i) => i === found || !assigns.test(each));
  if (found < 0) kept.push(line);
  else kept[found] = line;
  return `${kept.join('\n')}\n`;
}

/** The text of a regular file, null when there is none; refuses links and whatever else stands there. */
function readRegular(file: string): string | null {
  try {
    const stats = lstatSync(file);
    if (!stats.isFile()) {
      throw Object.assign(new Error('not a regular file'), { code: stats.isSymbolicLink() ? 'ELOOP' : 'EISDIR' });
    }
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** `FILE` or `FILE:NAME`: a dotenv file, replaced as a whole by a rename, so that a reader sees the old or the new one. */
function dotenvFile(flag: string, cwd: string): Sink {
  const split = /^(.+):([A-Za-z_][A-Za-z0-9_]*)$/.exec(flag);
  const name = checkedVariable(split?.[2] ?? DEFAULT_VARIABLE, '--dotenv');
  const file = path.resolve(cwd, split?.[1] ?? flag);
  const temporary = path.join(path.dirname(file), `.${path.basename(file)}.${randomUUID().slice(0, 8)}`);
  const create = () => openSync(temporary, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | NOFOLLOW, 0o600);
  let descriptor: number | undefined;
  /** What the file held before delivery; undefined until then. */
  let before: string | null | undefined;
  const replace = (text: string) => {
    const open = descriptor ?? create();
    descriptor = undefined;
    try {
      writeAll(open, text);
    } finally {
      closeSync(open);
    }
    renameSync(temporary, file);
  };
  return {
    label: `${file} as ${name}`,
    probe() {
      try {
        readRegular(file);
        descriptor = create();
      } catch (error) {
        throw fileFailure(error, '--dotenv', flag);
      }
    },
    deliver(keyString) {
      const text = readRegular(file);
      replace(withVariable(text ?? '', name, keyString));
      before = text;
    },
    abandon() {
      if (descriptor !== undefined) closeSync(descriptor);
      descriptor = undefined;
      rmSync(temporary, { force: true });
      if (before === null) rmSync(file, { force: true });
      else if (before !== undefined) replace(before);
    },
  };
}

/** Appends to one of the GitHub runner's command files (GitHub Docs, "Workflow commands": GITHUB_ENV, GITHUB_OUTPUT). */
function githubFile(ctx: Context, flag: string, variable: 'GITHUB_ENV' | 'GITHUB_OUTPUT', given: string): Sink {
  const name = checkedVariable(given, flag);
  const file = ctx.env[variable];
  const open = () => openSync(file ?? '', constants.O_WRONLY | constants.O_APPEND | NOFOLLOW);
  return {
    label: `${variable} as ${name}`,
    probe() {
      if (ctx.env.GITHUB_ACTIONS !== 'true' || !file)
        throw new KeysError(
          'usage',
          `${flag} works in GitHub Actions only (${variable} is not set)`,
          'elsewhere use --dotenv or --key-file',
        );
      try {
        closeSync(open());
      } catch (error) {
        throw fileFailure(error, flag, file);
      }
    },
    deliver(keyString) {
      const descriptor = open();
      try {
        writeAll(descriptor, `${name}=${keyString}\n`);
      } finally {
        closeSync(descriptor);
      }
    },
    abandon() {},
  };
}

/** The stdin of a program: the key string stands in no argument and no environment. */
function pipe(ctx: Context, words: readonly string[]): Sink {
  const [program = ''] = words;
  if (program === '')
    throw new KeysError('usage', '--pipe names no program', 'put it last: --pipe -- gh secret set UNLOCKOS_API_KEY');
  return {
    label: program,
    probe() {
      if (programStatus(program, ctx) !== 0)
        throw new KeysError(
          'usage',
          `cannot run ${quoted(program)}: it is not there, or no program`,
          'nothing was made; it is run without a shell',
        );
    },
    deliver(keyString) {
      const how = feedChild(words, ctx, childEnv(ctx, {}), keyString);
      if (how !== null)
        throw new KeysError('delivery_failed', `${quoted(program)} ended with ${how}`, 'run it by hand');
    },
    abandon() {},
  };
}

/** The sinks that flags declare, in the order of delivery. Throws `usage` for a bad one. */
export function declaredSinks(ctx: Context, flags: SinkFlags): Sink[] {
  const sinks: Sink[] = [];
  if (flags.keyFile !== undefined) sinks.push(keyFile(flags.keyFile, ctx.cwd));
  const dotenv = flags.dotenv ?? flags.envFile;
  if (dotenv !== undefined) sinks.push(dotenvFile(dotenv, ctx.cwd));
  if (flags.githubEnv !== undefined) sinks.push(githubFile(ctx, '--github-env', 'GITHUB_ENV', flags.githubEnv));
  if (flags.githubOutput !== undefined)
    sinks.push(githubFile(ctx, '--github-output', 'GITHUB_OUTPUT', flags.githubOutput));
  if (flags.pipe) sinks.push(pipe(ctx, flags.command ?? []));
  else if (flags.command && flags.command.length > 0)
    throw new KeysError(
      'usage',
      `too many arguments: ${quoted(flags.command[0] ?? '')}`,
      'a program to hand the key to goes with --pipe',
    );
  return sinks;
}

/** Probes all; when one fails, undoes the others and throws its error. */
export function probeSinks(sinks: readonly Sink[]): void {
  const probed: Sink[] = [];
  try {
    for (const sink of sinks) {
      sink.probe();
      probed.push(sink);
    }
  } catch (error) {
    for (const sink of probed) sink.abandon();
    throw error;
  }
}

/** In GitHub Actions the runner hides a value from the log once it was told to; on stderr, so that stdout stays the key alone. */
export function maskInCi(ctx: Context, keyString: string): void {
  if (ctx.env.GITHUB_ACTIONS === 'true') ctx.stderr.write(`::add-mask::${keyString}\n`);
}

export function describeSinks(sinks: readonly Sink[]): string {
  return sinks.map((sink) => safeText(sink.label)).join(', ');
}
