import { createHash, randomUUID } from 'node:crypto';
import { mkdirSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { KeysError } from '../../domain/errors.js';
import { quoted, safeText } from '../../domain/text.js';
import { errnoOf } from '../../files/errno.js';
import { isThere } from '../../files/exists.js';
import { cannotWrite, createPrivateFile } from '../../files/private-file.js';
import type { ExpectedKey, Sink, SinkKind } from './sink.js';

const MAX_LENGTH = 120;
const NOTHING_CHANGED = 'nothing was changed; choose another directory';
const CUT_OFF = 'correct that and run apply again; earlier steps stay done';

/**
 * A file name for the name of a key. Any character but a letter, a digit, a dot, a dash and an underscore becomes an underscore; a part of
 * the name's SHA-256 then keeps names apart that would look alike.
 */
export function fileNameOf(name: string): string {
  const plain = name.replace(/[^A-Za-z0-9._-]/gu, '_').slice(0, MAX_LENGTH);
  return plain === name ? plain : `${plain}-${createHash('sha256').update(name).digest('hex').slice(0, 8)}`;
}

/** A first key is `NAME.key`; one that replaces another is `NAME.ID.key`, because the file of the other may still be there. */
function fileFor(directory: string, { name, isFirst }: ExpectedKey, id: string): string {
  return path.join(directory, isFirst ? `${fileNameOf(name)}.key` : `${fileNameOf(name)}.${id}.key`);
}

/** The file of a first key, when something is there already. */
function takenFile(directory: string, key: ExpectedKey): string | null {
  if (!key.isFirst) return null;
  const file = fileFor(directory, key, '');
  return isThere(file, 'usage') ? file : null;
}

/** Makes the directory when its parent is there. Throws for a directory that cannot be used. */
function ensureDirectory(value: string, directory: string): void {
  try {
    mkdirSync(directory, { mode: 0o700 });
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw cannotWrite(error, '--key-dir', value, NOTHING_CHANGED);
  }
  let isDirectory: boolean;
  try {
    isDirectory = statSync(directory).isDirectory();
  } catch (error) {
    throw cannotWrite(error, '--key-dir', value, NOTHING_CHANGED); // a link that leads nowhere
  }
  if (!isDirectory) throw new KeysError('usage', `--key-dir ${quoted(value)} is not a directory`, NOTHING_CHANGED);
}

/** A new file for each key string; an existing file is never overwritten. */
export const keyDir: SinkKind = {
  flag: '--key-dir <dir>',
  help: 'a directory: one new file for each key, mode 0600',
  check(value, { ctx }, expected) {
    if (expected.length === 0) return;
    const directory = path.resolve(ctx.cwd, value);
    ensureDirectory(value, directory);
    const taken = expected.flatMap((key) => takenFile(directory, key) ?? []);
    if (taken.length > 0)
      throw new KeysError(
        'conflict',
        taken.map((file) => `${safeText(file)} exists, and a key file is never overwritten`).join('\n'),
        'nothing was changed; move it away, or choose another directory',
      );
  },
  open(value, { ctx }, expected = { name: '', isFirst: false }) {
    return fileInDirectory(path.resolve(ctx.cwd, value), expected);
  },
};

function fileInDirectory(directory: string, expected: ExpectedKey): Sink {
  let written: string | undefined;
  return {
    get label() {
      return written ?? directory;
    },
    probe() {
      const taken = takenFile(directory, expected);
      if (taken !== null) throw cannotWrite({ code: 'EEXIST' }, '--key-dir', taken, CUT_OFF);
      const trial = path.join(directory, `.${randomUUID()}`); // the name of the file may depend on the id of the key
      try {
        createPrivateFile(trial).discard();
      } catch (error) {
        throw cannotWrite(error, '--key-dir', directory, CUT_OFF);
      }
    },
    deliver({ key, keyString }) {
      const file = fileFor(directory, expected, key.id);
      try {
        createPrivateFile(file).fill(`${keyString}\n`);
      } catch (error) {
        throw cannotWrite(error, '--key-dir', file, CUT_OFF);
      }
      written = file;
    },
    abandon() {
      if (written !== undefined) rmSync(written, { force: true });
      written = undefined;
    },
  };
}
