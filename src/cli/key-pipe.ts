import { KeysError } from '../domain/errors.js';
import { quoted } from '../domain/text.js';
import type { Handout } from '../manifest/apply.js';
import { childEnv, feedChild, programStatus } from './child.js';
import type { Session } from './session.js';
import { maskInCi } from './sinks.js';

/**
 * `--pipe`: runs a program once for each key, without a shell, with the key string on its stdin, and in
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
    if (programStatus(program, session.ctx) !== 0)
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
    const [program = ''] = this.#words;
    maskInCi(ctx, keyString);
    const env = childEnv(ctx, { UNLOCKOS_KEYS_NAME: name, UNLOCKOS_KEYS_ID: id });
    const how = feedChild(this.#words, ctx, env, keyString);
    if (how !== null) throw new KeysError('delivery_failed', `${quoted(program)} ended with ${how}`, 'run it by hand');
    this.#session.note(`Handed to ${program}. It cannot be shown again.`);
  }
}
