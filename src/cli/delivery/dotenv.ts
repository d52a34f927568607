import { randomUUID } from 'node:crypto';
import { lstatSync, readdirSync, rmSync, type Stats } from 'node:fs';
import path from 'node:path';
import { KeysError } from '../../domain/errors.js';
import { errnoOf } from '../../files/errno.js';
import { cannotWrite, createPrivateFile, type NewFile, readBytes } from '../../files/private-file.js';
import { assertOnlyChange, withVariable } from './dotenv-text.js';
import { NOTHING_CREATED, type Sink, type SinkKind } from './sink.js';
import { DEFAULT_VARIABLE, variableForKey } from './variable.js';

const MAX_BYTES = 1_048_576;
/** What is written to a new file takes its place at once; one that is there for longer was left. */
const LEFT_AFTER_MS = 60_000;
/** As long as a key string, to try a change with before there is one. */
const LIKE_A_KEY = 'x'.repeat(61);

/** A variable in a dotenv file. */
export const dotenv: SinkKind = {
  flag: '--dotenv <file[:NAME]>',
  alias: '--env-file <file[:NAME]>', // hidden, because Node itself takes an option of this name: decision 8
  usage: '--dotenv FILE[:NAME]',
  help: `a line of a dotenv file (default: ${DEFAULT_VARIABLE})`,
  open(value, { ctx, note }) {
    const split = /^(.+):([A-Za-z_][A-Za-z0-9_]*)$/.exec(value);
    const name = variableForKey(split?.[2] ?? DEFAULT_VARIABLE, '--dotenv');
    const file = path.resolve(ctx.cwd, split?.[1] ?? value);
    const old = ctx.now().getTime() - LEFT_AFTER_MS;
    for (const left of temporariesOf(file, old))
      note(`warning: ${left} was left by a run that was killed, and may hold secrets: rm ${left}`);
    return dotenvSink(value, file, name, note);
  },
};

/**
 * The name of a new file that is to replace `file`. What ignores the one by a usual pattern (`.env*`, `.env.*`, `*.env`), as git does, ignores the
 * other, should a run be killed in between.
 */
function nameParts(file: string): [start: string, end: string] {
  const base = path.basename(file);
  const start = base.startsWith('.') ? base : `.${base}`;
  return [`${start}.`, path.extname(base) || start];
}

function temporaryName(file: string): string {
  const [start, end] = nameParts(file);
  return path.join(path.dirname(file), `${start}${randomUUID().slice(0, 8)}${end}`);
}

/** The files of such names that were written before a time: each is there for a moment only. */
function temporariesOf(file: string, before: number): string[] {
  const [start, end] = nameParts(file);
  const folder = path.dirname(file);
  try {
    return readdirSync(folder)
      .filter((name) => name.startsWith(start) && name.endsWith(end))
      .filter((name) => /^[0-9a-f]{8}$/.test(name.slice(start.length, name.length - end.length)))
      .map((name) => path.join(folder, name))
      .filter((each) => {
        const stats = lstatSync(each);
        return stats.isFile() && stats.mtimeMs < before;
      });
  } catch {
    return []; // the probe says what is wrong with the directory
  }
}

/** The content of the file, one character per byte, and its owner, group and mode; null when the file does not exist. */
interface Present {
  readonly text: string;
  readonly stats: Stats;
}

/**
 * The file is replaced as a whole by a rename, so that a reader sees either the old or the new one. The probe replaces it by itself: that
 * finds a file that is mounted, immutable or somebody else's before a key is made.
 */
function dotenvSink(value: string, file: string, name: string, note: (text: string) => void): Sink {
  /** What the file held before delivery, null when there was none; undefined until then. */
  let before: Present | null | undefined;
  const prepare = (present: Present | null): NewFile => {
    const next = createPrivateFile(temporaryName(file));
    try {
      if (present) next.resemble(present.stats);
    } catch (error) {
      next.discard();
      throw errnoOf(error) === 'EPERM' ? Object.assign(new Error('not ours'), { code: 'EOWNER' }) : error;
    }
    return next;
  };
  const replace = (present: Present | null, text: string) =>
    prepare(present).replace(file, Buffer.from(text, 'latin1'));
  return {
    label: `${file} as ${name}`,
    file,
    probe() {
      try {
        const present = readRegular(file);
        withVariable(present?.text ?? '', name, LIKE_A_KEY);
        if (present) {
          replace(present, present.text);
          const mode = present.stats.mode & 0o077;
          if (mode !== 0)
            note(
              `warning: others can read ${file} (mode ${(present.stats.mode & 0o777).toString(8)}): chmod 600 ${file}`,
            );
        } else prepare(null).discard(); // nothing is left beside it while a person is asked
      } catch (error) {
        throw error instanceof KeysError ? error : cannotWrite(error, '--dotenv', value, NOTHING_CREATED);
      }
    },
    deliver({ keyString }) {
      const present = readRegular(file);
      const text = withVariable(present?.text ?? '', name, keyString);
      replace(present, text);
      before = present;
      assertOnlyChange(present?.text ?? '', readRegular(file)?.text ?? '', name, keyString);
    },
    abandon() {
      if (before === null) rmSync(file, { force: true });
      else if (before !== undefined) replace(before, before.text);
    },
  };
}

/** Why a file cannot be replaced, as an errno: another name of it would go on naming the old one. */
function problemOf(stats: Stats): string | null {
  if (stats.isSymbolicLink()) return 'ELOOP';
  if (stats.isDirectory()) return 'EISDIR';
  if (!stats.isFile()) return 'EFTYPE';
  return stats.nlink > 1 ? 'EMLINK' : null;
}

/** The stats and content of a regular file; null when the file does not exist. Throws an error with the code of {@link problemOf}. */
function readRegular(file: string): Present | null {
  try {
    const stats = lstatSync(file);
    const code = problemOf(stats);
    if (code !== null) throw Object.assign(new Error('not a file of its own'), { code });
    const bytes = readBytes(file, { what: 'the dotenv file', code: 'usage', maxBytes: MAX_BYTES, noLinks: true });
    return { text: bytes.toString('latin1'), stats };
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null;
    throw error;
  }
}
