import { spawnSync } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import path from 'node:path';
import { KeysError } from '../domain/errors.js';
import { quoted } from '../domain/text.js';
import type { Handout } from '../manifest/apply.js';
import type { Context } from './context.js';
import type { Session } from './session.js';
import { maskInCi } from './sinks.js';

const STDERR = 2;
/** What the tool itself gets in by; no child does. */
const OUR_SECRETS = ['UNLOCKOS_KEYS_AUTH_TOKEN', 'UNLOCKOS_KEYS_PEPPERS'];

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

function isThere(program: string, { env, cwd, platform }: Context): boolean {
  if (/[/\\]/.test(program)) return isProgram(path.resolve(cwd, program));
  const endings = platform === 'win32' ? ['', '.exe', '.com'] : [''];
  return (env.PATH ?? '')
    .split(path.delimiter)
    .some((directory) => endings.some((ending) => isProgram(path.resolve(cwd, directory, program + ending))));
}

/**
 * `--pipe`: runs a program once for each key, without a shell, with the key string and a line end on its stdin, and in
 * UNLOCKOS_KEYS_NAME and UNLOCKOS_KEYS_ID whose it is. What it prints goes to our stderr.
 */
export class KeyPipe implements Handout {
  readonly #session: Session;
  readonly #words: readonly string[];

  /** Throws `usage` for a program that is not there. */
  constructor(session: Session, words: readonly string[]) {
    const [program] = words;
    if (program === undefined || program === '')
      throw new KeysError('usage', '--pipe names no program', 'put it last: --pipe -- vault kv put secret/key value=-');
    if (!isThere(program, session.ctx))
      throw new KeysError(
        'usage',
        `cannot run ${quoted(program)}: it is not there, or no program`,
        'nothing was changed; it is run without a shell',
      );
    this.#session = session;
    this.#words = words;
  }

  async prepare() {
    return { deliver: async (key: { name: string; id: string }, keyString: string) => this.#run(key, keyString) };
  }

  #run({ name, id }: { name: string; id: string }, keyString: string): void {
    const { ctx } = this.#session;
    const [program = '', ...args] = this.#words;
    const inherited = Object.entries(ctx.env).filter(([variable]) => !OUR_SECRETS.includes(variable));
    maskInCi(ctx, keyString);
    const { status, signal, error } = spawnSync(program, args, {
      cwd: ctx.cwd,
      env: { ...Object.fromEntries(inherited), UNLOCKOS_KEYS_NAME: name, UNLOCKOS_KEYS_ID: id },
      input: `${keyString}\n`,
      stdio: ['pipe', STDERR, STDERR],
    });
    const how = error ? ((error as NodeJS.ErrnoException).code ?? 'unknown error') : (signal ?? `exit ${status}`);
    if (error || status !== 0)
      throw new KeysError('delivery_failed', `${quoted(program)} ended with ${how}`, 'run it by hand');
    this.#session.note(`Handed to ${program}. It cannot be shown again.`);
  }
}
