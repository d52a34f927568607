import { randomUUID } from 'node:crypto';
import { lstatSync, rmSync, type Stats } from 'node:fs';
import path from 'node:path';
import { KeysError } from '../../domain/errors.js';
import { errnoOf } from '../../files/errno.js';
import { cannotWrite, createPrivateFile, type NewFile, readBytes } from '../../files/private-file.js';
import { assertOnlyChange, withVariable } from './dotenv-text.js';
import { NOTHING_CREATED, type Sink, type SinkKind } from './sink.js';
import { DEFAULT_VARIABLE, variableForKey } from './variable.js';

const MAX_BYTES = 1_048_576;
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
    return dotenvSink(value, path.resolve(ctx.cwd, split?.[1] ?? value), name, note);
  },
};

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
  const temporary = path.join(path.dirname(file), `.${path.basename(file)}.${randomUUID().slice(0, 8)}`);
  let created: NewFile | undefined;
  /** What the file held before delivery, null when there was none; undefined until then. */
  let before: Present | null | undefined;
  const prepare = (present: Present | null) => {
    created = createPrivateFile(temporary);
    try {
      if (present) created.resemble(present.stats);
    } catch (error) {
      throw errnoOf(error) === 'EPERM' ? Object.assign(new Error('not ours'), { code: 'EOWNER' }) : error;
    }
    return created;
  };
  const replace = (present: Present | null, text: string) => {
    const next = created ?? prepare(present);
    created = undefined;
    next.replace(file, Buffer.from(text, 'latin1'));
  };
  return {
    label: `${file} as ${name}`,
    file,
    probe() {
      try {
        const present = readRegular(file);
        withVariable(present?.text ?? '', name, LIKE_A_KEY);
        if (present) {
          prepare(present);
          replace(present, present.text);
          const mode = present.stats.mode & 0o077;
          if (mode !== 0)
            note(
              `warning: others can read ${file} (mode ${(present.stats.mode & 0o777).toString(8)}): chmod 600 ${file}`,
            );
        }
        prepare(present);
      } catch (error) {
        created?.discard();
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
      created?.discard();
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
