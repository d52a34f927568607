import { createHash, randomUUID } from 'node:crypto';
import { closeSync, constants, fsyncSync, lstatSync, mkdirSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import path from 'node:path';
import { KeysError } from '../domain/errors.js';
import { quoted, safeText } from '../domain/text.js';
import type { Handout, MakingStep } from '../manifest/apply.js';
import { nameOf } from '../manifest/plan.js';
import type { Session } from './session.js';
import { maskInCi } from './sinks.js';

const MAX_LENGTH = 120;
const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | (constants.O_NOFOLLOW ?? 0);

/**
 * A file name for a key name: what is not a letter, digit, dot, dash or underscore becomes an underscore, and a piece of the name's
 * SHA-256 keeps names apart that would look alike then.
 */
export function fileNameOf(name: string): string {
  const plain = name.replace(/[^A-Za-z0-9._-]/gu, '_').slice(0, MAX_LENGTH);
  return plain === name ? plain : `${plain}-${createHash('sha256').update(name).digest('hex').slice(0, 8)}`;
}

/**
 * `--key-dir`: one new file for each key string, 0600, never over another. A first key is `NAME.key`; one that takes the place of
 * another is `NAME.ID.key`, because the file of the other may still be there.
 */
export class KeyDirectory implements Handout {
  readonly #session: Session;
  readonly #flag: string;
  readonly #dir: string;

  constructor(session: Session, flag: string) {
    this.#session = session;
    this.#flag = flag;
    this.#dir = path.resolve(session.ctx.cwd, flag);
  }

  /** Throws before anything is done, naming every file that is in the way. The directory is made when its parent is there. */
  check(steps: readonly MakingStep[]): void {
    try {
      mkdirSync(this.#dir, { mode: 0o700 });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw this.#failure(error, this.#flag);
    }
    if (!statSync(this.#dir, { throwIfNoEntry: false })?.isDirectory())
      throw new KeysError('usage', `--key-dir ${quoted(this.#flag)} is no directory`, 'name one; nothing was changed');
    const taken = steps.filter((step) => step.action === 'create').filter((step) => this.#isTaken(step));
    if (taken.length > 0)
      throw new KeysError(
        'conflict',
        taken.map((step) => `${safeText(this.#file(step, ''))} exists, and a key file is never overwritten`).join('\n'),
        'move it away, or choose another directory; nothing was changed',
      );
  }

  /** Tries whether a file can be made there. */
  async prepare(step: MakingStep) {
    const trial = path.join(this.#dir, `.${randomUUID()}`);
    try {
      closeSync(openSync(trial, NEW_FILE, 0o600));
      rmSync(trial);
    } catch (error) {
      throw this.#failure(error, this.#flag);
    }
    if (step.action === 'create' && this.#isTaken(step))
      throw this.#failure(Object.assign(new Error('exists'), { code: 'EEXIST' }), this.#file(step, ''));
    return {
      deliver: async (key: { id: string }, keyString: string) => {
        maskInCi(this.#session.ctx, keyString);
        const file = this.#file(step, key.id);
        write(file, `${keyString}\n`, (error) => this.#failure(error, file));
        this.#session.note(`Written to ${file}. It cannot be shown again.`);
      },
    };
  }

  #file(step: MakingStep, id: string): string {
    const name = fileNameOf(nameOf(step));
    return path.join(this.#dir, step.action === 'create' ? `${name}.key` : `${name}.${id}.key`);
  }

  #isTaken(step: MakingStep): boolean {
    return lstatSync(this.#file(step, ''), { throwIfNoEntry: false }) !== undefined;
  }

  #failure(error: unknown, file: string): KeysError {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    const why: Record<string, string> = {
      EEXIST: 'it exists, and a key file is never overwritten',
      ENOENT: 'the directory above it does not exist',
      EACCES: 'no permission',
      ENOSPC: 'no room on that disk',
      EROFS: 'the file system is read-only',
    };
    return new KeysError(
      code === 'EEXIST' ? 'conflict' : 'usage',
      `cannot write to --key-dir ${quoted(file)}: ${why[code] ?? code}`,
      'mend that and apply again: what was done before stays done',
      { cause: error },
    );
  }
}

/** A new file with this text, on the disk when it returns; no half of it stays behind. */
function write(file: string, text: string, refuse: (error: unknown) => KeysError): void {
  let descriptor: number;
  try {
    descriptor = openSync(file, NEW_FILE, 0o600);
  } catch (error) {
    throw refuse(error);
  }
  try {
    const bytes = Buffer.from(text);
    for (let offset = 0; offset < bytes.length; ) offset += writeSync(descriptor, bytes, offset);
    fsyncSync(descriptor);
    closeSync(descriptor);
  } catch (error) {
    rmSync(file, { force: true });
    throw refuse(error);
  }
}
